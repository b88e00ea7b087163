"""Reads about who brought whom, for the portal, the API and a member's own copy of their data."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, Prefetch, QuerySet, Sum

from members.models import Member
from referrals import milestones, programmes, wording
from referrals.milestones import Milestone
from referrals.models import (
    FormerCode,
    MilestoneReached,
    ProgrammeTerms,
    Referral,
    ReferralCode,
    ReferralGrant,
    ReferralStep,
)
from referrals.states import EARNED, OPEN, State

Side = ReferralGrant.Side


@dataclass(frozen=True, slots=True)
class Brought:
    """A friend as their referrer sees them: where it stands and why, and the points it brought. Nothing of who it is.

    ``friend_id`` is for pages that may name the friend.
    """

    public_id: UUID
    friend_id: int
    state: str
    state_name: str
    why: str
    joined_at: dt.datetime
    due_at: dt.datetime | None
    points: int
    may_appeal: bool


@dataclass(frozen=True, slots=True)
class MilestoneState:
    """A milestone of the member's programme, and when they reached it (None: not yet, or not any more)."""

    milestone: Milestone
    reached_at: dt.datetime | None
    missing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a member is. ``terms`` are those of their programme now; None where none runs for them.

    ``by_state`` counts their friends, ``points`` what all their friends and milestones have brought and not been taken
    back, ``left`` how many more friends can bring them something (None: any number).
    """

    terms: ProgrammeTerms | None
    by_state: Mapping[str, int]
    points: int
    rewarded: int
    left: int | None
    milestones: tuple[MilestoneState, ...]

    @property
    def joined(self) -> int:
        return sum(self.by_state.values())

    @property
    def waiting(self) -> int:
        return sum(count for state, count in self.by_state.items() if state in OPEN | EARNED)


def progress_of(member: Member, at: dt.datetime) -> Progress:
    """How far the member is with the friends they bring. A few statements, however many friends."""
    terms = programmes.programme_of(member, at)
    by_state = dict(
        Referral.objects.filter(referrer=member).order_by().values_list("state").annotate(count=Count("pk"))
    )
    given = ReferralGrant.objects.filter(
        side=Side.REFERRER, reversed_at=None, referral__referrer=member
    ).order_by()
    reached = list(MilestoneReached.objects.filter(member=member, reversed_at=None).order_by())
    points = (given.aggregate(points=Sum("points"))["points"] or 0) + sum(each.points for each in reached)
    in_programme = given.filter(referral__terms__programme=terms.programme_id) if terms else given.none()
    friends, paid = in_programme.count(), in_programme.filter(reason="").count()
    return Progress(
        terms=terms,
        by_state=by_state,
        points=points,
        rewarded=by_state.get(State.REWARDED, 0),
        left=max(terms.cap - paid, 0) if terms is not None and terms.cap is not None else None,
        milestones=_milestones(terms, friends, reached) if terms else (),
    )


def _milestones(
    terms: ProgrammeTerms, friends: int, reached: list[MilestoneReached]
) -> tuple[MilestoneState, ...]:
    when = {each.friends: each.reached_at for each in reached if each.programme_id == terms.programme_id}
    return tuple(
        MilestoneState(each, when.get(each.friends), max(each.friends - friends, 0))
        for each in milestones.of(terms)
    )


def brought_by(member: Member, *, most: int = 100) -> list[Brought]:
    """The member's friends, the newest first."""
    return [_brought(referral) for referral in _shown(Referral.objects.filter(referrer=member))[:most]]


def waiting_of(member: Member) -> list[Brought]:
    """The friends of whom something is still to come, each with what it waits for; the oldest first."""
    rows = Referral.objects.filter(referrer=member, state__in=OPEN | EARNED, terms__isnull=False)
    return [_brought(referral) for referral in _shown(rows).order_by("joined_at", "pk")]


def _shown(rows: QuerySet[Referral]) -> QuerySet[Referral]:
    paid = ReferralGrant.objects.filter(side=Side.REFERRER, reversed_at=None)
    return rows.select_related("terms").prefetch_related(Prefetch("grants", paid)).order_by("-pk")


def _brought(referral: Referral) -> Brought:
    return Brought(
        public_id=referral.public_id,
        friend_id=referral.friend_id,
        state=referral.state,
        state_name=referral.get_state_display(),
        why=wording.why(referral),
        joined_at=referral.joined_at,
        due_at=referral.due_at,
        points=sum(grant.points for grant in referral.grants.all()),
        may_appeal=referral.state == State.REJECTED and referral.appealed_at is None,
    )


def steps_of(referral: Referral) -> list[ReferralStep]:
    """The steps of a referral, the first first, with the staff who decided."""
    return list(referral.steps.select_related("staff").order_by("pk"))


def joined_by(member: Member) -> int:
    """How many have joined by the member's code."""
    return Referral.objects.filter(referrer=member).count()


def copy_of(member: Member) -> dict[str, Any]:
    """The member's codes, how many came by them and what that brought, and how they came themselves.

    For their own copy of their data; of others, nothing that tells who they are.
    """
    code = ReferralCode.objects.filter(member=member).values_list("code", flat=True).first()
    own = Referral.objects.filter(friend=member).first()
    return {
        "code": code,
        "former_codes": list(
            FormerCode.objects.filter(member=member).order_by("pk").values_list("code", flat=True)
        ),
        "friends_joined": joined_by(member),
        "friends": [
            {"joined_at": each.joined_at, "state": each.state, "points": each.points}
            for each in brought_by(member, most=10_000)
        ],
        "invited": None if own is None else {"joined_at": own.joined_at, "state": own.state},
    }
