"""The regular work on points: expiry, pending points whose time has come, the nightly review of tiers.

Batch by batch in transactions of their own. A batch that fails is halved until the one member that breaks it stands
alone: that one is counted and logged, the others are done. ``rewards.tasks`` calls these with a run's recorder.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F, QuerySet

from loyalty.events import bus
from loyalty.runs.record import RunRecorder
from members.models import Member
from rewards import ledger, tier_review
from rewards.models import Lot
from rewards.models.ledger import AccountKind

logger = structlog.get_logger("kantis.rewards")

BATCH = 500


def expire_points(*, at: dt.datetime, run: RunRecorder) -> None:
    """Let the points expire that are due at ``at``, and announce ``points.expired`` member by member."""

    def expire(members: Sequence[int]) -> int:
        with transaction.atomic():
            expired = ledger.expire_due(at=at, limit=_EVERY_LOT, members=members)
            bus.announce_many(
                bus.Announcement(
                    name="points.expired", at=at, member_id=each.member_id, facts={"points": each.points}
                )
                for each in expired
            )
        return len(expired)

    due = Lot.objects.filter(account__kind=AccountKind.AVAILABLE, expires_at__lte=at, remaining__gt=0)
    for members in _pages(due.values_list("member_id", flat=True)):
        run.progress(done=apart(members, expire, run))


def mature_pending(*, at: dt.datetime, run: RunRecorder) -> None:
    """Make the pending points available whose time has come."""

    def mature(members: Sequence[int]) -> int:
        return ledger.mature_due(at=at, limit=_EVERY_LOT, members=members)

    due = Lot.objects.filter(account__kind=AccountKind.PENDING, available_at__lte=at, remaining__gt=0)
    for members in _pages(due.values_list("member_id", flat=True)):
        run.progress(done=apart(members, mature, run))


def has_pending_due(*, at: dt.datetime) -> bool:
    """Whether pending points wait to become available, so that a quiet minute costs one look."""
    return Lot.objects.filter(
        account__kind=AccountKind.PENDING, available_at__lte=at, remaining__gt=0
    ).exists()


def review_tiers(*, at: dt.datetime, run: RunRecorder) -> None:
    """Judge every member's tier afresh."""

    def review(members: Sequence[int]) -> int:
        if len(members) == 1:
            tier_review.review_member(members[0], at=at)
            return 1
        return tier_review.review(at=at, after_member_id=members[0] - 1, limit=len(members)).reviewed

    current = Member.objects.exclude(status=Member.Status.ERASED)
    for members in _pages(current.annotate(member_id=F("pk")).values_list("member_id", flat=True)):
        run.progress(done=apart(members, review, run))


_EVERY_LOT = 1_000_000
"""The ledger's limit counts lots; here a batch is bounded by its members."""


def _pages(members: QuerySet[Any, int]) -> Iterator[list[int]]:
    """The ``member_id`` of a query in ascending order, each once, ``BATCH`` at a time, read as the work goes on."""
    last = 0
    while page := list(members.filter(member_id__gt=last).order_by("member_id").distinct()[:BATCH]):
        yield page
        last = page[-1]


def apart(members: Sequence[int], work: Callable[[Sequence[int]], int], run: RunRecorder) -> int:
    """Do the work on all at once, or on halves where that fails, down to the one member that cannot be done.

    A database that is gone is nobody's fault: that error goes up.
    """
    try:
        return work(members)
    except (InterfaceError, OperationalError):
        raise
    except Exception:
        if len(members) == 1:
            logger.exception("member_failed", member_id=members[0], run=run.row.name)
            run.progress(failed=1)
            return 0
    middle = len(members) // 2
    return apart(members[:middle], work, run) + apart(members[middle:], work, run)
