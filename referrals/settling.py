"""Settling: who has waited long enough is rewarded, who did not qualify in time lapses. The tick of every minute.

Each referral is settled in a transaction of its own, claimed by its row under ``SKIP LOCKED``: two workers at once, or
one that dies, give nothing twice and lose nothing.
"""

import datetime as dt

import structlog
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Exists, F, OuterRef, Q

from loyalty.runs.record import RunRecorder
from members.models import Activity, Member
from referrals import granting, programmes, qualification, reversing, states
from referrals.granting import VoucherMissing
from referrals.models import Referral
from referrals.states import Reason, State

logger = structlog.get_logger("kantis.referrals")

BATCH = 200
NEWEST = 1000
RETRY_AFTER = dt.timedelta(hours=1)
"""When it is tried again to issue a voucher that was missing."""
_DUE = (State.WAITING, State.QUALIFIED)


def has_due(*, at: dt.datetime) -> bool:
    """Whether anything waits for the tick, so that a quiet one costs a few looks."""
    return _due(at).exists() or _lapsing(at).exists()


def catch_up(*, at: dt.datetime) -> int:
    """Judge the newest referrals whose friends did something just while they were attributed; how many changed."""
    return qualification.follow(_overlooked(), at=at)


def settle_due(*, at: dt.datetime, run: RunRecorder) -> None:
    """Settle every referral whose waiting is over at ``at``, and let those lapse whose time is over.

    One that fails is counted and logged, and tried again by the next tick; the others are done.
    """
    after = 0
    while ids := list(_due(at).filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:BATCH]):
        after = ids[-1]
        for referral_id in ids:
            _settle_apart(referral_id, at=at, run=run)
    lapse_due(at=at, run=run)


def _settle_apart(referral_id: int, *, at: dt.datetime, run: RunRecorder) -> None:
    try:
        state = settle_one(referral_id=referral_id, at=at)
    except InterfaceError:
        raise
    except OperationalError as error:
        if not _is_quarrel(error):
            raise
        run.progress(skipped=1)  # PostgreSQL chose us to give way: the next tick takes it
    except Exception:
        logger.exception("referral_not_settled", referral_id=referral_id)
        run.progress(failed=1)
    else:
        run.progress(**({"done": 1} if state == State.REWARDED else {"skipped": 1}))


def _is_quarrel(error: OperationalError) -> bool:
    """Whether it was a deadlock or a serialization failure."""
    return getattr(error.__cause__, "sqlstate", None) in ("40P01", "40001")


def settle_one(*, referral_id: int, at: dt.datetime) -> str | None:
    """Settle a referral that is due: judged once more, looked at for fraud, then both sides get theirs or neither.

    Gives the state it came to, or None when it is not due or another worker has it.
    """
    with transaction.atomic():
        referral = next(iter(states.lock([referral_id], skip_locked=True)), None)
        if referral is None or referral.state not in _DUE or referral.due_at is None or referral.due_at > at:
            return None
        if qualification.follow([referral_id], at=at):
            (referral,) = states.lock([referral_id])
            if referral.state not in _DUE or referral.due_at is None or referral.due_at > at:
                return referral.state
        if referral.friend.status != Member.Status.ACTIVE:
            states.move(referral, State.LAPSED, at=at, reason=Reason.LEFT)
        elif qualification.hold_suspicious([referral], at=at):
            _reward(referral, at=at)
        return referral.state


def _reward(referral: Referral, *, at: dt.datetime) -> None:
    """Reward both sides under the lock of the programme's use, or leave it qualified with the reason why not."""
    terms = states.terms_of(referral)
    use = granting.lock_use([terms.programme_id])[terms.programme_id]
    now = programmes.terms_at(terms.programme_id, at) or terms
    planned = granting.plan(
        terms, granting.standing_of(referral, terms, use, budget=now.budget_points, at=at)
    )
    if planned is None:
        _park(referral, Reason.BUDGET, due_at=None, at=at)
        return
    try:
        with transaction.atomic():
            _qualify(referral, at=at)
            granting.give(referral, planned, use=use, at=at)
            states.move(
                referral, State.REWARDED, at=at, reason=planned.reason, activity_id=referral.activity_id
            )
    except VoucherMissing:
        (referral_as_it_was,) = states.lock([referral.pk])
        _park(referral_as_it_was, Reason.VOUCHER, due_at=at + RETRY_AFTER, at=at)
        referral.state = referral_as_it_was.state


def _qualify(referral: Referral, *, at: dt.datetime) -> None:
    if referral.state != State.QUALIFIED:
        states.move(referral, State.QUALIFIED, at=at, activity_id=referral.activity_id)


def _park(referral: Referral, reason: str, *, due_at: dt.datetime | None, at: dt.datetime) -> None:
    """Qualified, but nobody gets anything for now, told with its reason once. Without ``due_at`` it has to be woken."""
    is_known = referral.state == State.QUALIFIED and referral.reason == reason
    referral.due_at = due_at
    if is_known:
        referral.save(update_fields=["due_at"])
    else:
        states.move(referral, State.QUALIFIED, at=at, reason=reason, activity_id=referral.activity_id)


def lapse_due(*, at: dt.datetime, run: RunRecorder | None = None) -> int:
    """Let referrals lapse whose friends did not qualify in time, after a last look at what they did; how many."""
    lapsed = 0
    while ids := list(_lapsing(at).order_by("pk").values_list("pk", flat=True)[:BATCH]):
        with transaction.atomic():
            qualification.follow(ids, at=at)
            rows = [row for row in states.lock(ids) if row.state in states.OPEN and row.lapses_at is not None]
            states.move_many(
                [states.Move(referral=row, state=State.LAPSED, reason=Reason.TOO_LATE) for row in rows], at=at
            )
        lapsed += len(rows)
        if run is not None:
            run.progress(done=len(rows))
    return lapsed


def take_back(
    *, referral_id: int, at: dt.datetime, reason: str, note: str = "", staff_id: int | None = None
) -> bool:
    """Reverse a rewarded referral by a decision: what it gave is taken back. False when it is not rewarded."""
    with transaction.atomic():
        (referral,) = states.lock([referral_id])
        if referral.state != State.REWARDED:
            return False
        reversing.reverse_many([referral], at=at)
        states.move(referral, State.REVERSED, at=at, reason=reason, note=note, staff_id=staff_id)
    return True


def leave(*, member_id: int, at: dt.datetime) -> int:
    """After a member has left: as a friend they bring nothing any more. As a referrer they get nothing any more, which
    is seen when their friends are settled: those still get theirs. How many referrals lapsed. Idempotent.
    """
    with transaction.atomic():
        ids = Referral.objects.filter(
            friend=member_id, terms__isnull=False, state__in=[*states.OPEN, *states.EARNED]
        ).values_list("pk", flat=True)
        rows = [row for row in states.lock(list(ids)) if row.state in states.OPEN | states.EARNED]
        states.move_many(
            [states.Move(referral=row, state=State.LAPSED, reason=Reason.LEFT) for row in rows], at=at
        )
    return len(rows)


# --- What is due --------------------------------------------------------------------------------------------------


def _due(at: dt.datetime):  # type: ignore[no-untyped-def]
    return Referral.objects.filter(state__in=_DUE, due_at__lte=at)


def _lapsing(at: dt.datetime):  # type: ignore[no-untyped-def]
    return Referral.objects.filter(
        lapses_at__lte=at, state__in=[State.JOINED, State.PURCHASED], terms__isnull=False
    )


def _overlooked() -> list[int]:
    """Of the newest referrals, those whose friends did something while they were attributed: their event came first."""
    did = Activity.objects.filter(
        Q(kind=qualification.PURCHASE) | Q(kind=OuterRef("terms__activity_kind")),
        member=OuterRef("friend_id"),
        occurred_at__gte=OuterRef("joined_at"),
        occurred_at__lt=OuterRef("lapses_at"),
    )
    newest = Referral.objects.filter(state=State.JOINED).order_by("-pk").values("pk")[:NEWEST]
    return list(
        Referral.objects.filter(Exists(did), pk__in=newest, lapses_at__gt=F("joined_at")).values_list(
            "pk", flat=True
        )
    )
