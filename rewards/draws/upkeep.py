"""The regular work on draws: closing and holding those whose time has come, giving points back for those called off.

Every step is a transaction of its own and is judged again under the draw's lock, so it may be broken off anywhere and
done twice.
"""

import datetime as dt

import structlog
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Q, QuerySet

from loyalty.runs.record import RunRecorder
from rewards.draws import holding
from rewards.models import Draw, DrawEntry, Redemption
from rewards.redemption import ending, giving_out
from rewards.redemption.refusals import Refused

logger = structlog.get_logger("kantis.rewards")

State = Draw.State
BATCH = 500


def has_due(*, at: dt.datetime) -> bool:
    """Whether there is anything to close, to hold or to give back, so that a quiet tick costs two looks."""
    return _due(at).exists() or _to_return().exists()


def work(*, at: dt.datetime, run: RunRecorder) -> None:
    """Close, hold and give back all that is due; a draw that cannot be held does not keep the others waiting."""
    for draw_id in list(_due(at).order_by("pk").values_list("pk", flat=True)):
        try:
            run.progress(done=bring_on(draw_id=draw_id, at=at))
        except (InterfaceError, OperationalError):
            raise
        except Exception:
            logger.exception("draw_not_held", draw_id=draw_id)
            run.progress(failed=1)
    while done := return_points(at=at):
        run.progress(done=done)


def bring_on(*, draw_id: int, at: dt.datetime) -> int:
    """Close and hold one draw as far as its time has come; how many of the two steps were done.

    Raises sealing.SeedLost and holding.ListChanged, with the draw closed and not held.
    """
    done = int(holding.close(draw_id=draw_id, at=at))
    return done + int(holding.hold(draw_id=draw_id, at=at))


def return_points(*, at: dt.datetime, limit: int = BATCH) -> int:
    """Undo up to ``limit`` entries into draws that were called off, with what members gave for them; how many."""
    done = 0
    for entry in _to_return().select_related("draw").order_by("pk")[:limit]:
        if entry.source == giving_out.SOURCE:
            _cancel_redemption(entry, at=at)
        with transaction.atomic():
            DrawEntry.objects.filter(pk=entry.pk, cancelled_at=None).update(cancelled_at=at)
        done += 1
    return done


def _cancel_redemption(entry: DrawEntry, *, at: dt.datetime) -> None:
    try:
        ending.cancel(
            redemption_id=entry.source_id,
            via=Redemption.Via.STAFF,
            staff_id=entry.draw.cancelled_by_id,
            note=entry.draw.cancel_note,
            at=at,
        )
    except Refused as refused:
        logger.warning("entry_not_returned", redemption_id=entry.source_id, reason=refused.code)


def _due(at: dt.datetime) -> QuerySet[Draw]:
    to_close = Q(state=State.OPEN, closes_at__lte=at)
    to_hold = Q(state=State.CLOSED) & (Q(draws_at=None) | Q(draws_at__lte=at))
    return Draw.objects.filter(to_close | to_hold)


def _to_return() -> QuerySet[DrawEntry]:
    return DrawEntry.objects.filter(draw__state=State.CANCELLED, cancelled_at=None)
