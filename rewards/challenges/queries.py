"""Challenges and badges as one member sees them: for the portal and the API, in a constant number of statements."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from django.db.models import F, Q

from loyalty.translated import in_language
from members.models import Member
from rewards.challenges import goals, terms, wording
from rewards.challenges.taking_part import asking, is_for
from rewards.challenges.terms import Terms
from rewards.models import (
    Badge,
    Challenge,
    ChallengeRound,
    ChallengeStep,
    MemberBadge,
    Participation,
    StepAward,
)
from rewards.vouchers.wording import until as last_day


class Place(StrEnum):
    """Where a challenge stands for a member."""

    ACTIVE = "active"
    OPEN = "open"
    OVER = "over"


@dataclass(frozen=True)
class ShownStep:
    """A step as a member sees it; ``voucher_kept`` after it was undone and the voucher had been used."""

    step: ChallengeStep
    text: str
    prizes: tuple[str, ...]
    reached_at: dt.datetime | None

    @property
    def name(self) -> str:
        return in_language(self.step.names)


@dataclass(frozen=True)
class Shown:
    """A challenge as a member sees it, in the active language. ``completed`` counts their completed rounds."""

    terms: Terms
    place: Place
    progress: Decimal
    steps: tuple[ShownStep, ...]
    starts_at: dt.datetime
    ends_at: dt.datetime | None
    joined_at: dt.datetime | None
    completed_at: dt.datetime | None
    completed: int
    round_number: int | None
    time_left: str

    @property
    def challenge(self) -> Challenge:
        return self.terms.challenge

    @property
    def name(self) -> str:
        return self.challenge.name or self.challenge.code

    @property
    def description(self) -> str:
        return in_language(self.challenge.descriptions)

    @property
    def target(self) -> Decimal:
        """What completes it."""
        return self.steps[-1].step.target if self.steps else Decimal(0)

    @property
    def until(self) -> str:
        """The last day that counts, with the hour where it does not end with the day; "" without an end."""
        return last_day(self.ends_at)

    @property
    def bar(self) -> tuple[str, str]:
        """Value and end of the progress bar, in the notation of HTML; the value is not beyond the last target."""
        return f"{min(self.progress, self.target):.2f}", f"{self.target:.2f}"

    @property
    def next_step(self) -> ShownStep | None:
        return next((step for step in self.steps if step.step.target > self.progress), None)

    @property
    def done_text(self) -> str:
        return wording.figure(self.progress)

    @property
    def target_text(self) -> str:
        return wording.amount_text(self.terms.goal.measure, self.target)

    @property
    def missing_text(self) -> str:
        """What is missing to the next step; "" when there is none."""
        following = self.next_step
        if following is None:
            return ""
        return wording.missing_text(self.terms.goal.measure, following.step.target - self.progress)

    @property
    def can_join(self) -> bool:
        return self.place is Place.OPEN

    @property
    def can_leave(self) -> bool:
        return self.place is Place.ACTIVE and self.joined_at is not None


def open_now(*, at: dt.datetime) -> list[Terms]:
    """The challenges that are open now, whoever they are for."""
    rows = terms.loaded().filter(Q(ends_at=None) | Q(ends_at__gt=at), is_active=True, starts_at__lte=at)
    return [terms.of(challenge) for challenge in rows]


def challenges_for(member: Member, *, at: dt.datetime) -> list[Shown]:
    """A member's challenges: those they are in, those they may join, those that are over for them.

    ``member`` has the tier. Seven statements at most, however many challenges there are.
    """
    parts = {part.challenge_id: part for part in Participation.objects.filter(member=member)}
    rows = terms.loaded().filter(Q(pk__in=parts) | Q(ends_at=None) | Q(ends_at__gt=at))
    known = [terms.of(challenge) for challenge in rows.filter(is_active=True, starts_at__lte=at)]
    if not known:
        return []
    facts = asking(member, at=at)
    rounds = _rounds(member, known)
    awards = _awards(each.pk for found in rounds.values() for each in found)
    found = []
    for each in known:
        part = parts.get(each.id)
        if part is not None or is_for(each, facts, at=at):
            shown = _shown(each, part, rounds.get(each.id, []), awards, member, at=at)
            if shown is not None:
                found.append(shown)
    order = list(Place)
    return sorted(found, key=lambda shown: (order.index(shown.place), shown.challenge.position))


def challenge_for(member: Member, challenge: Challenge, *, at: dt.datetime) -> Shown | None:
    """One challenge as the member sees it now; None where it is not for them."""
    return next((shown for shown in challenges_for(member, at=at) if shown.challenge == challenge), None)


def _rounds(member: Member, known: Sequence[Terms]) -> dict[int, list[ChallengeRound]]:
    """The member's rounds by challenge, in order; a round that refunds undid altogether has no length."""
    begun = Q(ends_at=None) | Q(ends_at__gt=F("starts_at"))
    rows = ChallengeRound.objects.filter(begun, member=member, challenge__in=[each.id for each in known])
    found: dict[int, list[ChallengeRound]] = defaultdict(list)
    for row in rows.order_by("challenge", "number"):
        found[row.challenge_id].append(row)
    return found


def _awards(round_ids: Iterable[int]) -> dict[int, dict[int, StepAward]]:
    found: dict[int, dict[int, StepAward]] = defaultdict(dict)
    for award in StepAward.objects.filter(round__in=list(round_ids), withdrawn_at=None):
        found[award.round_id][award.step_id] = award
    return found


def _shown(
    known: Terms,
    part: Participation | None,
    rounds: Sequence[ChallengeRound],
    awards: dict[int, dict[int, StepAward]],
    member: Member,
    *,
    at: dt.datetime,
) -> Shown | None:
    goal = known.goal
    zone = part.time_zone if part else member.time_zone
    has_left = part is not None and part.left_at is not None
    is_in = not has_left and (part is not None or not goal.by_choice)
    row = _present(known, rounds, zone, at=at)
    starts_at, ends_at = _time(known, row, zone, at=at)
    if part is not None and goal.recurs in goals.SCHEDULED:
        is_over = goal.ends_at is not None and goal.ends_at <= at
    else:
        is_over = ends_at is not None and ends_at <= at
    if row is not None and row.completed_at and goal.recurs == goals.Recurs.NEVER:
        is_over = True
    place = Place.OVER if is_over else Place.ACTIVE if is_in else Place.OPEN
    if place is Place.OVER and not rounds:
        return None
    mine = awards.get(row.pk, {}) if row else {}
    return Shown(
        terms=known,
        place=place,
        progress=row.progress if row else Decimal(0),
        steps=tuple(_step(known, target, mine) for target in goal.targets),
        starts_at=starts_at,
        ends_at=ends_at,
        joined_at=part.joined_at if part and not has_left else None,
        completed_at=row.completed_at if row else None,
        completed=sum(1 for each in rounds if each.completed_at),
        round_number=row.number if row else None,
        time_left=wording.time_left(ends_at, at=at),
    )


def _present(
    known: Terms, rounds: Sequence[ChallengeRound], zone: str, *, at: dt.datetime
) -> ChallengeRound | None:
    """The round that is running, or the last one of a challenge that is over."""
    if not rounds:
        return None
    goal = known.goal
    if goal.recurs in goals.SCHEDULED and goal.covers(at):
        number = goals.number_at(goal, at, zone)
        return next((row for row in rounds if row.number == number), None)
    return rounds[-1]


def _time(
    known: Terms, row: ChallengeRound | None, zone: str, *, at: dt.datetime
) -> tuple[dt.datetime, dt.datetime | None]:
    goal = known.goal
    if row is not None:
        return row.starts_at, row.ends_at
    if goal.recurs in goals.SCHEDULED and goal.covers(at):
        return goals.period(goal, goals.number_at(goal, at, zone), zone)
    return goal.starts_at, goal.ends_at


def _step(known: Terms, target: goals.Target, awards: dict[int, StepAward]) -> ShownStep:
    step, award = known.steps[target.step_id], awards.get(target.step_id)
    return ShownStep(
        step=step,
        text=wording.amount_text(known.goal.measure, target.amount),
        prizes=tuple(wording.prizes(step)),
        reached_at=award.reached_at if award else None,
    )


# --- Badges -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ShownBadge:
    """A badge at the highest level that the member has; ``times`` they earned that level."""

    badge: Badge
    level: int
    earned_at: dt.datetime
    times: int

    @property
    def name(self) -> str:
        return self.badge.name or self.badge.code

    @property
    def description(self) -> str:
        return in_language(self.badge.descriptions)


def badges_of(member: Member) -> list[ShownBadge]:
    """A member's badges, the latest first; one statement."""
    rows = MemberBadge.objects.filter(member=member).select_related("badge__picture")
    held: dict[int, list[MemberBadge]] = defaultdict(list)
    for row in rows.order_by("-level", "earned_at"):
        held[row.badge_id].append(row)
    shown = [
        ShownBadge(
            badge=mine[0].badge,
            level=mine[0].level,
            earned_at=mine[0].earned_at,
            times=sum(1 for row in mine if row.level == mine[0].level),
        )
        for mine in held.values()
    ]
    return sorted(shown, key=lambda each: each.earned_at, reverse=True)
