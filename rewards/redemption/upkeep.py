"""The regular work on redemptions: reservations that nobody collected lapse, each in a transaction of its own."""

import datetime as dt

import structlog
from django.db import InterfaceError, OperationalError
from django.db.models import QuerySet

from rewards.models import Redemption
from rewards.redemption.ending import lapse

logger = structlog.get_logger("kantis.rewards")

BATCH = 500


def has_due(*, at: dt.datetime) -> bool:
    """Whether any reservation is past its time, so that a quiet hour costs one look."""
    return _due(at=at).exists()


def lapse_due(*, at: dt.datetime, limit: int = BATCH) -> tuple[int, int]:
    """Let up to ``limit`` due reservations lapse, oldest first; how many did, and how many could not be done.

    One that fails does not hold up the others; it is tried again with the next run. What is due is judged again under
    the member's lock, so two runs at once lapse each once.
    """
    done = failed = 0
    for redemption_id in _due(at=at).order_by("collect_by", "pk").values_list("pk", flat=True)[:limit]:
        try:
            done += lapse(redemption_id=redemption_id, at=at)
        except (InterfaceError, OperationalError):
            raise
        except Exception:
            logger.exception("redemption_not_lapsed", redemption_id=redemption_id)
            failed += 1
    return done, failed


def _due(*, at: dt.datetime) -> QuerySet[Redemption]:
    return Redemption.objects.filter(state__in=[Redemption.State.RESERVED], collect_by__lte=at)
