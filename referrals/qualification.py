"""Whether a friend has qualified: judged anew from everything they did, whenever they do or return something.

So it comes to the same in any order of events, told once or often, and parallel purchases qualify once: the referral's
row is locked while it is judged. Called by ``handlers`` (in bulk) and by ``settling`` before anything is given.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction

from referrals import deeds, reversing, states
from referrals.deeds import Deed
from referrals.fraud.assess import assess
from referrals.models import ProgrammeTerms, Referral
from referrals.states import Move, Reason, State

PURCHASE = "purchase"
Trigger = ProgrammeTerms.Trigger
_AFTER_REFUNDS = frozenset({*states.OPEN, *states.EARNED, State.REWARDED})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a friend's deeds come to: JOINED, PURCHASED or, with the deed that qualified, WAITING."""

    state: str
    purchased_at: dt.datetime | None = None
    activity_id: int | None = None
    due_at: dt.datetime | None = None

    @property
    def qualifies(self) -> bool:
        return self.state == State.WAITING


def judge(terms: ProgrammeTerms, history: Sequence[Deed]) -> Verdict:
    """Judge what a friend did within the time of a referral, in time order, by its terms. Pure.

    A purchase counts with what is left of it, if that is more than nothing and at least the least purchase.
    """
    bought = [deed for deed in history if deed.kind == PURCHASE and deed.net > 0]
    purchased_at = bought[0].at if bought else None
    deed = _qualifying(terms, [deed for deed in bought if deed.net >= terms.minimum_purchase], history)
    if deed is None:
        return Verdict(State.PURCHASED if bought else State.JOINED, purchased_at)
    due_at = deed.at + dt.timedelta(days=terms.waiting_days)
    return Verdict(State.WAITING, purchased_at, deed.activity_id, due_at)


def _qualifying(terms: ProgrammeTerms, bought: Sequence[Deed], history: Sequence[Deed]) -> Deed | None:
    """The deed with which the friend qualified, of the purchases that are large enough or of all deeds."""
    match terms.trigger:
        case Trigger.FIRST_PURCHASE:
            return next(iter(bought), None)
        case Trigger.NTH_PURCHASE:
            return bought[terms.purchases - 1] if len(bought) >= terms.purchases else None
        case Trigger.SPEND:
            spent = Decimal(0)
            for deed in bought:
                spent += deed.net
                if spent >= terms.spend:
                    return deed
            return None
        case Trigger.ACTIVITY if terms.activity_kind == PURCHASE:
            return next(iter(bought), None)
        case Trigger.ACTIVITY:
            return next((deed for deed in history if deed.kind == terms.activity_kind and deed.stands), None)
    raise AssertionError(terms.trigger)


# --- Following friends --------------------------------------------------------------------------------------------


def on_activities(friends: Iterable[tuple[int, dt.datetime]], *, at: dt.datetime) -> int:
    """Judge friends anew who did something, each with the moment of it; how many referrals changed.

    One statement where no open referral is concerned, however many members. A referral that lapsed is judged again when
    something is reported late that happened in its time.
    """
    earliest: dict[int, dt.datetime] = {}
    for friend_id, moment in friends:
        earliest[friend_id] = min(moment, earliest.get(friend_id, moment))
    rows = Referral.objects.filter(
        friend__in=earliest, terms__isnull=False, state__in=[*states.OPEN, State.LAPSED]
    ).values_list("pk", "friend_id", "lapses_at")
    concerned = [pk for pk, friend_id, lapses_at in rows if lapses_at and earliest[friend_id] < lapses_at]
    return follow(concerned, at=at)


def on_refunds(friend_ids: Iterable[int], *, at: dt.datetime) -> int:
    """Judge friends anew to whom money came back; what they had qualified by is undone. How many referrals changed."""
    concerned = Referral.objects.filter(
        friend__in=set(friend_ids), terms__isnull=False, state__in=_AFTER_REFUNDS
    )
    return follow(list(concerned.values_list("pk", flat=True)), at=at)


def follow(referral_ids: Collection[int], *, at: dt.datetime) -> int:
    """Bring referrals to the state that their friends' deeds come to; how many changed.

    All under the lock of their rows, so that of parallel events one makes the step. Who qualifies is looked at for
    fraud at once, and held where it looks like it.
    """
    if not referral_ids:
        return 0
    with transaction.atomic():
        referrals = states.lock(referral_ids)
        history = deeds.of([referral.pk for referral in referrals])
        moves = [move for each in referrals if (move := _next(each, history.get(each.pk, []), at=at))]
        reversing.reverse_many([move.referral for move in moves if move.state == State.REVERSED], at=at)
        states.move_many(moves, at=at)
        hold_suspicious([move.referral for move in moves if move.state == State.WAITING], at=at)
    return len(moves)


def _next(referral: Referral, history: Sequence[Deed], *, at: dt.datetime) -> Move | None:
    """The step that a referral, whose row is locked, has to make; None where it stays."""
    terms = referral.terms
    if terms is None or referral.lapses_at is None or referral.reason == Reason.LEFT:
        return None
    verdict = judge(terms, history)
    if referral.state == State.REWARDED:
        return None if verdict.qualifies else _undone(referral, State.REVERSED)
    referral.purchased_at = verdict.purchased_at
    if referral.state in states.EARNED:
        return _of_earned(referral, verdict, history, at=at)
    if referral.state not in (*states.OPEN, State.LAPSED):
        return None
    if verdict.qualifies:
        referral.due_at = verdict.due_at
        return Move(referral=referral, state=State.WAITING, activity_id=verdict.activity_id)
    if referral.state in (verdict.state, State.LAPSED):
        return None
    return Move(referral=referral, state=verdict.state)


def _of_earned(
    referral: Referral, verdict: Verdict, history: Sequence[Deed], *, at: dt.datetime
) -> Move | None:
    """Who has qualified goes back when that was undone; other deeds that still qualify take its place.

    The deed that qualified stays the one as long as it stands: an earlier one that is heard of later changes nothing.
    """
    if not verdict.qualifies:
        is_over = referral.lapses_at is not None and referral.lapses_at <= at
        return _undone(referral, State.LAPSED if is_over else verdict.state)
    still_stands = any(deed.activity_id == referral.activity_id and deed.is_whole for deed in history)
    if still_stands or referral.activity_id == verdict.activity_id:
        return None
    if referral.state == State.HELD:
        referral.activity_id, referral.due_at = verdict.activity_id, verdict.due_at
        referral.save(update_fields=["activity", "due_at", "purchased_at"])
        return None
    referral.due_at = verdict.due_at
    return Move(
        referral=referral, state=State.WAITING, reason=Reason.REFUNDED, activity_id=verdict.activity_id
    )


def _undone(referral: Referral, state: str) -> Move:
    return Move(referral=referral, state=state, reason=Reason.REFUNDED, activity_id=referral.activity_id)


# --- Fraud --------------------------------------------------------------------------------------------------------


def hold_suspicious(referrals: Sequence[Referral], *, at: dt.datetime) -> list[Referral]:
    """Keep the fraud scores of locked referrals, and hold those that reach the threshold; gives the others.

    Who staff have let pass is not held again.
    """
    if not referrals:
        return []
    scores = assess([referral.pk for referral in referrals], at)
    for referral in referrals:
        referral.score = scores.get(referral.pk, 0)
    held = [each for each in referrals if is_suspicious(each)]
    rest = [each for each in referrals if each not in held]
    Referral.objects.bulk_update(rest, ["score"])
    states.move_many([Move(referral=each, state=State.HELD, reason="") for each in held], at=at)
    return rest


def is_suspicious(referral: Referral) -> bool:
    """Whether its score holds a referral, unless staff have looked at it since it qualified."""
    terms = referral.terms
    return terms is not None and referral.decided_at is None and referral.score >= terms.hold_from
