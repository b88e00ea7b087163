"""Where a referral stands. Every step goes through here: it is checked, appended to its steps, and announced.

Who moves a referral holds its row (:func:`lock`). Announced are ``referral.joined``, ``.qualified``, ``.rewarded``,
``.rejected`` and ``.reversed``, each about the referrer, with the public ids of the referral and of the friend.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from loyalty.events import bus
from referrals.models import ProgrammeTerms, Referral, ReferralStep

State, Reason = Referral.State, Referral.Reason

OPEN = frozenset({State.JOINED, State.PURCHASED})
"""The friend may still qualify."""
EARNED = frozenset({State.WAITING, State.HELD, State.QUALIFIED})
"""The friend has qualified, and nobody has got anything yet."""
ENDED = frozenset({State.REJECTED, State.REVERSED, State.LAPSED})

_NEXT: dict[str, frozenset[str]] = {
    State.JOINED: frozenset({State.PURCHASED, State.WAITING, State.LAPSED, State.REJECTED}),
    State.PURCHASED: frozenset({State.JOINED, State.WAITING, State.LAPSED, State.REJECTED}),
    State.WAITING: OPEN | ENDED | {State.WAITING, State.HELD, State.QUALIFIED},
    State.HELD: OPEN | ENDED | {State.WAITING},
    State.QUALIFIED: OPEN | ENDED | {State.WAITING, State.HELD, State.QUALIFIED, State.REWARDED},
    State.REWARDED: frozenset({State.REVERSED}),
    State.REJECTED: frozenset({State.HELD, State.WAITING, State.LAPSED}),
    State.LAPSED: OPEN | {State.WAITING},
    State.REVERSED: frozenset(),
}
_ANNOUNCED = frozenset({State.QUALIFIED, State.REWARDED, State.REJECTED, State.REVERSED})
_COLUMNS = (
    "state", "reason", "purchased_at", "due_at", "qualified_at", "rewarded_at", "ended_at", "activity", "score",
    "appeal", "appealed_at", "decided_by", "decided_at",
)  # fmt: skip


class StepRefused(Exception):
    """A referral cannot go from where it is to that state; nothing was written."""

    def __init__(self, present: str, wanted: str) -> None:
        super().__init__(f"A referral that is {present} cannot become {wanted}.")
        self.present = present
        self.wanted = wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A step to make: of which referral, to which state, and why. ``activity_id`` is what qualified it, or undid it."""

    referral: Referral
    state: str
    reason: str = ""
    note: str = ""
    staff_id: int | None = None
    activity_id: int | None = None


def lock(ids: Iterable[int], *, skip_locked: bool = False) -> list[Referral]:
    """The referrals with friend, terms and programme, their rows locked in primary-key order."""
    return list(_loaded().filter(pk__in=list(ids)).select_for_update(of=("self",), skip_locked=skip_locked))


def _loaded() -> QuerySet[Referral]:
    return Referral.objects.select_related("friend", "terms__programme").order_by("pk")


def terms_of(referral: Referral) -> ProgrammeTerms:
    """The terms of a referral that has some. One without never gets beyond its first state."""
    if referral.terms is None:
        raise StepRefused(referral.state, State.WAITING)
    return referral.terms


def begin(referral: Referral) -> None:
    """Write the first step of a referral that was just created, and announce ``referral.joined``."""
    ReferralStep.objects.create(
        referral=referral, state=State.JOINED, reason=referral.reason, at=referral.joined_at
    )
    bus.announce_many([_told("referral.joined", referral, referral.joined_at)])


def move(
    referral: Referral,
    state: str,
    *,
    at: dt.datetime,
    reason: str = "",
    note: str = "",
    staff_id: int | None = None,
    activity_id: int | None = None,
) -> None:
    """Bring a referral, whose row the caller has locked, to a state; saves what else the caller set on it.

    With ``staff_id`` it is a decision, kept with its time. Raises StepRefused where the state cannot follow.
    """
    wanted = Move(
        referral=referral,
        state=state,
        reason=reason,
        note=note,
        staff_id=staff_id,
        activity_id=activity_id,
    )
    move_many([wanted], at=at)


def move_many(moves: Sequence[Move], *, at: dt.datetime) -> None:
    """Make the steps, in three statements however many; a referral comes at most once. See :func:`move`."""
    if not moves:
        return
    for each in moves:
        if each.state not in _NEXT[each.referral.state]:
            raise StepRefused(each.referral.state, each.state)
    for each in moves:
        _write_on(each, at=at)
    Referral.objects.bulk_update([each.referral for each in moves], _COLUMNS)
    ReferralStep.objects.bulk_create(
        ReferralStep(
            referral=each.referral,
            state=each.state,
            reason=each.reason,
            note=each.note[:500],
            activity_id=each.activity_id,
            staff_id=each.staff_id,
            at=at,
        )
        for each in moves
    )
    bus.announce_many(
        _told(f"referral.{each.state}", each.referral, at) for each in moves if each.state in _ANNOUNCED
    )


def _write_on(each: Move, *, at: dt.datetime) -> None:
    """What a step changes in the referral's row."""
    row = each.referral
    was, row.state, row.reason = row.state, each.state, each.reason
    if each.staff_id is not None:
        row.decided_by_id, row.decided_at = each.staff_id, at
    if each.state in OPEN:  # it begins anew, and so does the judgement of staff
        row.activity_id = row.due_at = row.decided_by_id = row.decided_at = None
    elif each.state == State.WAITING:
        row.activity_id = each.activity_id or row.activity_id
    elif each.state == State.QUALIFIED and was != State.QUALIFIED:
        row.qualified_at = at
    elif each.state == State.REWARDED:
        row.rewarded_at, row.due_at = at, None
    elif each.state in ENDED:
        row.due_at = None if each.state != State.REJECTED else row.due_at
    row.ended_at = at if each.state in ENDED else None


def _told(name: str, referral: Referral, at: dt.datetime) -> bus.Announcement:
    programme = referral.terms.programme.code if referral.terms else ""
    return bus.Announcement(
        name=name,
        member_id=referral.referrer_id,
        at=at,
        facts={
            "referral": str(referral.public_id),
            "friend": str(referral.friend.public_id),
            "programme": programme,
            "reason": referral.reason,
        },
    )
