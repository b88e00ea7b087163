"""What dead senders left half-way, and what has waited for so long that its day is over."""

import datetime as dt
import uuid
from collections.abc import Iterable, Iterator
from typing import Any

from django.db import transaction
from django.db.models import DateTimeField, DurationField, ExpressionWrapper, F, Min, Q, QuerySet, Value
from django.db.models.functions import Greatest

from campaigns.channels.registry import marks_together
from campaigns.dispatch import claiming
from campaigns.dispatch.claiming import CLAIM_TIMEOUT
from campaigns.lifecycle import GOING
from campaigns.models import Campaign, Message
from loyalty.runs.record import RunRecorder

OVERDUE = dt.timedelta(days=3)
"""A greeting, or what follows something that happened, has missed its day by then, where the campaign's look-back is
not longer."""
OVERDUE_TO_ALL = dt.timedelta(days=14)
"""The same for a one-off campaign, which may have been paused meanwhile."""


def left_half_way(*, at: dt.datetime) -> list[str]:
    """The channels with messages that a dead sender left without an outcome."""
    return sorted({channel for _claim, channel, _first in _of_dead_senders(at)})


def recover(*, at: dt.datetime, run: RunRecorder) -> None:
    """End the claims of senders that are gone: at once when their database session is, else when one is too old."""
    for claim_id, channel, first in _of_dead_senders(at):
        unclear = None if marks_together(channel) else first
        run.progress(failed=claiming.give_back(claim_id, unclear=unclear))
    from_before_there_were_batches = Message.objects.filter(
        status=Message.Status.SENDING, claim__isnull=True, claimed_at__lte=at - CLAIM_TIMEOUT
    )
    lost = from_before_there_were_batches.update(status=Message.Status.UNKNOWN, reason=Message.Reason.LOST)
    run.progress(failed=lost)


def give_up_overdue(*, at: dt.datetime, run: RunRecorder) -> None:
    """Messages that no channel could take for days have failed: their day is over.

    A pause counts as well: those of a paused campaign wait, and fail when it is resumed and they are too old by then.
    """
    to_all = Q(campaign__kind=Campaign.Kind.ONE_OFF)
    days = Greatest(F("campaign__look_back_days"), Value(OVERDUE.days))
    patience = ExpressionWrapper(days * Value(dt.timedelta(days=1)), output_field=DurationField())
    ends = ExpressionWrapper(F("due_at") + patience, output_field=DateTimeField())
    overdue = Message.objects.annotate(ends=ends).filter(
        (to_all & Q(due_at__lte=at - OVERDUE_TO_ALL)) | (~to_all & Q(ends__lte=at)),
        due_at__lte=at - OVERDUE,
        campaign__status__in=GOING,
    )
    run.progress(failed=_settle(overdue, Message.Status.FAILED, Message.Reason.GAVE_UP))


def skip_cancelled(*, run: RunRecorder) -> None:
    """What came back from a sender after its campaign was cancelled is not sent either."""
    left = Message.objects.filter(campaign__status=Campaign.Status.CANCELLED)
    run.progress(skipped=_settle(left, Message.Status.SKIPPED, Message.Reason.CANCELLED))


def _of_dead_senders(at: dt.datetime) -> Iterator[tuple[uuid.UUID, str, int]]:
    """Each claim that its sender can say nothing about any more: its id, channel and first message without a mark.

    While the caller looks at one, nobody else can take it for dead as well.
    """
    open_claims = Message.objects.filter(status=Message.Status.SENDING, claim__isnull=False).order_by()
    found: Iterable[Any] = open_claims.values_list("claim", "channel", "claimed_at").distinct()
    for claim_id, channel, claimed_at in found:
        is_free = claiming.try_lock(claim_id)
        try:
            if is_free or claimed_at <= at - CLAIM_TIMEOUT:
                # Only now: the sender may have marked some, or all, since the claim was found.
                first = open_claims.filter(claim=claim_id).aggregate(first=Min("pk"))["first"]
                if first is not None:
                    yield claim_id, channel, first
        finally:
            if is_free:
                claiming.let_go(claim_id)


def _settle(messages: QuerySet[Message], status: str, reason: str) -> int:
    due = messages.filter(status=Message.Status.DUE).order_by("pk")
    with transaction.atomic():
        held = list(due.select_for_update(of=("self",), no_key=True).values_list("pk", flat=True))
        return Message.objects.filter(pk__in=held).update(status=status, reason=reason) if held else 0
