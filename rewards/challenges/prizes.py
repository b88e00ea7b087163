"""What a step reached brings, and how it is taken back when refunds undo the step.

Points go through the ledger under the award's own occasion, so that taking them back reverses the very transfers. What
a member has used stays theirs, says so, and is not given a second time when the step is reached again. Called by
``progress`` inside its transaction, under the members' locks.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Sum

from loyalty.events import bus
from rewards import ledger
from rewards import terms as programme_terms
from rewards.draws import entries
from rewards.draws.entries import DrawClosed, TooManyEntries
from rewards.ledger import Grant, Why
from rewards.models import (
    ChallengeRound,
    ChallengeStep,
    MemberBadge,
    RefundPolicy,
    StepAward,
    Transfer,
    VoucherFamily,
)
from rewards.refunds import policy_at
from rewards.vouchers import issuing
from rewards.vouchers.issuing import FamilyClosed, VoucherUsed

SOURCE = "rewards.challenge"
VoucherState, EntryState = StepAward.VoucherState, StepAward.EntryState


@dataclass(frozen=True, slots=True)
class Reached:
    """A step that a member has reached in a round, and when."""

    round: ChallengeRound
    step: ChallengeStep
    at: dt.datetime


def occasion_of(award_id: int) -> str:
    """Under which the award's points and voucher are given, once."""
    return f"challenge award {award_id}"


# --- Giving -------------------------------------------------------------------------------------------------------


def give(reached: Sequence[Reached], *, at: dt.datetime) -> list[StepAward]:
    """Write the awards and give their prizes, announcing ``challenge.step_reached`` and what came with it.

    A few statements for all, and some for each voucher and entry. Prizes that cannot be had now are noted as owed.
    """
    if not reached:
        return []
    ordered = sorted(reached, key=lambda each: (each.round.member_id, each.round.pk, each.step.target))
    kept = _kept_before(ordered)
    awards = [
        StepAward(
            round=each.round,
            step=each.step,
            reached_at=each.at,
            points=max(each.step.points - kept.points[each.round.pk, each.step.pk], 0),
        )
        for each in ordered
    ]
    StepAward.objects.bulk_create(awards)
    _give_points(awards, at=at)
    _give_badges(awards, at=at)
    for award in awards:
        _give_voucher(award, kept.vouchers.get((award.round_id, award.step_id)), at=at)
        _enter_draw(award, (award.round_id, award.step_id) in kept.entries, at=at)
    with_more = [award for award in awards if award.voucher_state or award.entry_state]
    if with_more:
        StepAward.objects.bulk_update(with_more, ["voucher", "voucher_state", "entry_state"])
    bus.announce_many(_told("challenge.step_reached", award, award.reached_at) for award in awards)
    return awards


@dataclass(frozen=True, slots=True)
class _Kept:
    """What members kept of earlier awards, by round and step: points left to them, used vouchers, drawn entries."""

    points: dict[tuple[int, int], int]
    vouchers: dict[tuple[int, int], int]
    entries: set[tuple[int, int]]


def _kept_before(reached: Sequence[Reached]) -> _Kept:
    kept = _Kept(defaultdict(int), {}, set())
    steps = {(each.round.pk, each.step.pk) for each in reached}
    earlier = [
        award
        for award in StepAward.objects.filter(
            round__in={each.round.pk for each in reached}, withdrawn_at__isnull=False
        )
        if (award.round_id, award.step_id) in steps
    ]
    if not earlier:
        return kept
    by_occasion = {occasion_of(award.pk): award for award in earlier}
    for row in _given(by_occasion):
        award = by_occasion[row.occasion or ""]
        kept.points[award.round_id, award.step_id] += row.points - row.undone  # type: ignore[attr-defined]
    for award in earlier:
        if award.voucher_state == VoucherState.KEPT and award.voucher_id:
            kept.vouchers[award.round_id, award.step_id] = award.voucher_id
        if award.entry_state == EntryState.KEPT:
            kept.entries.add((award.round_id, award.step_id))
    return kept


def _given(occasions: Iterable[str]) -> Sequence[Transfer]:
    """The transfers that gave awards their points, each with what was taken back of it (``undone``)."""
    rows = Transfer.objects.filter(occasion__in=list(occasions), reverses__isnull=True)
    return list(rows.annotate(undone=Sum("reversals__points", default=0)).order_by("member_id", "pk"))


def _give_points(awards: Sequence[StepAward], *, at: dt.datetime) -> None:
    paid = [award for award in awards if award.points]
    if not paid:
        return
    known = programme_terms.current()
    wallet_id = known.default_wallet_id
    ledger.post_grants(
        [
            Grant(
                member_id=award.round.member_id,
                wallet_id=wallet_id,
                points=award.points,
                occurred_at=at,
                expires_at=known.expires_at(wallet_id, at),
                sliding_policy_id=known.sliding_policy(wallet_id, at),
                why=Why(source=SOURCE, source_id=award.pk, occasion=occasion_of(award.pk)),
            )
            for award in paid
        ],
        at=at,
    )
    bus.announce_many(
        bus.Announcement(
            name="points.earned",
            member_id=award.round.member_id,
            at=at,
            facts={"points": award.points, "source": SOURCE, "occasion": occasion_of(award.pk)},
        )
        for award in paid
    )


def _give_badges(awards: Sequence[StepAward], *, at: dt.datetime) -> None:
    """Give the badges of the steps, and tell of those whose level the member did not have yet."""
    earned = [award for award in awards if award.step.badge_id]
    if not earned:
        return
    members = {award.round.member_id for award in earned}
    held = set(MemberBadge.objects.filter(member__in=members).values_list("member_id", "badge_id", "level"))
    MemberBadge.objects.bulk_create(
        MemberBadge(
            member_id=award.round.member_id,
            badge_id=award.step.badge_id or 0,
            level=award.step.badge_level,
            award=award,
            earned_at=award.reached_at,
        )
        for award in earned
    )
    told = []
    for award in earned:
        badge = award.step.badge
        key = (award.round.member_id, award.step.badge_id or 0, award.step.badge_level)
        if badge is not None and key not in held:
            held.add(key)
            told.append(
                bus.Announcement(
                    name="badge.earned",
                    member_id=award.round.member_id,
                    at=at,
                    facts={
                        "badge": badge.code,
                        "level": award.step.badge_level,
                        "challenge": award.round.challenge.code,
                    },
                )
            )
    bus.announce_many(told)


def _give_voucher(award: StepAward, kept_id: int | None, *, at: dt.datetime) -> None:
    """Issue the step's voucher, or note that it is owed (no code left, or none issued at present)."""
    if award.step.voucher_family_id is None:
        return
    if kept_id is not None:
        award.voucher_id, award.voucher_state = kept_id, VoucherState.GIVEN
        return
    try:
        award.voucher = issuing.issue(
            family_id=award.step.voucher_family_id,
            member_id=award.round.member_id,
            at=at,
            occasion=occasion_of(award.pk),
            source=SOURCE,
            source_id=award.pk,
        )
        award.voucher_state = VoucherState.GIVEN
    except FamilyClosed:
        award.voucher_state = VoucherState.OWED


def give_owed(award: StepAward, *, at: dt.datetime) -> bool:
    """Try again to issue a voucher that is owed; whether it was."""
    _give_voucher(award, None, at=at)
    if award.voucher_state == VoucherState.OWED:
        return False
    award.save(update_fields=["voucher", "voucher_state"])
    return True


def _enter_draw(award: StepAward, is_in: bool, *, at: dt.datetime) -> None:
    """Enter the member into the step's draw, or note that it takes no entry any more."""
    if award.step.draw_id is None:
        return
    if is_in:
        award.entry_state = EntryState.KEPT
        return
    try:
        entries.enter(
            draw_id=award.step.draw_id,
            member_id=award.round.member_id,
            chances=award.step.draw_chances,
            source=SOURCE,
            source_id=award.pk,
            at=at,
        )
        award.entry_state = EntryState.ENTERED
    except (DrawClosed, TooManyEntries):
        award.entry_state = EntryState.CLOSED


# --- Taking back --------------------------------------------------------------------------------------------------


def withdraw(awards: Sequence[StepAward], *, at: dt.datetime) -> None:
    """Take back what awards gave and announce ``challenge.step_withdrawn``, with what stays with the member.

    Points that were spent become a debt where the refund policy says so, and stay with the member otherwise.
    """
    if not awards:
        return
    ordered = sorted(awards, key=lambda award: (award.round.member_id, award.pk))
    taken = _take_points(ordered, at=at)
    MemberBadge.objects.filter(award__in=ordered).delete()
    for award in ordered:
        _take_voucher(award, at=at)
        _take_entry(award, at=at)
        award.withdrawn_at = at
    StepAward.objects.bulk_update(ordered, ["withdrawn_at", "voucher_state", "entry_state"])
    bus.announce_many(
        _told("challenge.step_withdrawn", award, at, points_taken=taken[award.pk], **_stays(award))
        for award in ordered
    )


def _take_points(awards: Sequence[StepAward], *, at: dt.datetime) -> dict[int, int]:
    """Reverse the very transfers; the points taken back by award."""
    into_debt = policy_at(at) == RefundPolicy.Spent.DEBT
    by_occasion = {occasion_of(award.pk): award for award in awards if award.points}
    taken: dict[int, int] = defaultdict(int)
    for row in _given(by_occasion):
        award = by_occasion[row.occasion or ""]
        taken[award.pk] += ledger.reverse(
            transfer_id=row.pk, why=Why(source=SOURCE, source_id=award.pk), at=at, into_debt=into_debt
        )
    return taken


def _take_voucher(award: StepAward, *, at: dt.datetime) -> None:
    """Withdraw the voucher unless it was used; a code that everybody has stays too."""
    if award.voucher is None:
        if award.voucher_state == VoucherState.OWED:
            award.voucher_state = VoucherState.WITHDRAWN
        return
    if award.voucher.family.source == VoucherFamily.Source.SHARED:
        award.voucher_state = VoucherState.KEPT
        return
    try:
        issuing.withdraw(
            voucher_id=award.voucher.pk, at=at, note=f"{award.round.challenge}: the step was undone"
        )
        award.voucher_state = VoucherState.WITHDRAWN
    except VoucherUsed:
        award.voucher_state = VoucherState.KEPT


def _take_entry(award: StepAward, *, at: dt.datetime) -> None:
    if award.step.draw_id is None or award.entry_state != EntryState.ENTERED:
        return
    is_out = entries.withdraw(draw_id=award.step.draw_id, source=SOURCE, source_id=award.pk, at=at)
    award.entry_state = EntryState.WITHDRAWN if is_out else EntryState.KEPT


def _stays(award: StepAward) -> dict[str, bool]:
    return {
        "voucher_stays": award.voucher_state == VoucherState.KEPT,
        "entry_stays": award.entry_state == EntryState.KEPT,
    }


# --- Telling ------------------------------------------------------------------------------------------------------


def _told(name: str, award: StepAward, at: dt.datetime, **facts: object) -> bus.Announcement:
    return bus.Announcement(
        name=name,
        member_id=award.round.member_id,
        at=at,
        facts={
            "challenge": award.round.challenge.code,
            "round": award.round.number,
            "step": f"{award.step.target.normalize():f}",
            "points": award.points,
            **facts,
        },
    )


def announce_completed(rounds: Sequence[ChallengeRound], *, at: dt.datetime) -> None:
    """Announce ``challenge.completed`` for rounds whose last step was reached now."""
    bus.announce_many(
        bus.Announcement(
            name="challenge.completed",
            member_id=row.member_id,
            at=row.completed_at or at,
            facts={"challenge": row.challenge.code, "round": row.number},
        )
        for row in rounds
    )
