"""The dispatcher: hands waiting events to their subscriptions, in batches, each event exactly once per commit.

An event is claimed by ``dispatched_at IS NULL`` under ``SKIP LOCKED``, never by a watermark: ids become visible out
of order. What the handlers write commits together with the mark, so a killed dispatcher leaves nothing half done.
A handler that fails leaves an :class:`EventFailure` behind, which is retried with back-off and then parked, while
every other event and subscription proceeds.
"""

import datetime as dt
import random
import time
import traceback
from collections.abc import Iterator, Sequence

import structlog
from django.db import OperationalError, connection, transaction
from django.db.models import Exists, OuterRef

from loyalty import clock
from loyalty.events import bus
from loyalty.events.models import Event, EventFailure

logger = structlog.get_logger("kantis.events")

BATCH = 500
ERROR_CHARACTERS = 4_000
QUARRELS = 3
"""How often a whole batch is tried again after a deadlock before its events are tried one at a time."""

RETRY_AFTER = (
    dt.timedelta(seconds=10),
    dt.timedelta(minutes=1),
    dt.timedelta(minutes=5),
    dt.timedelta(minutes=30),
    dt.timedelta(hours=2),
    dt.timedelta(hours=8),
    dt.timedelta(hours=24),
)
"""The wait after the first, second, ... failure; one failure more and the delivery is parked."""


def drain(*, seconds: float = 30.0) -> int:
    """Deliver until nothing waits or the time is up; returns how many events were dispatched."""
    deadline = time.monotonic() + seconds
    total = 0
    while time.monotonic() < deadline:
        count = dispatch_batch(at=clock.now())
        total += count
        if not count:
            break
    return total


def dispatch_batch(*, at: dt.datetime, limit: int = BATCH) -> int:
    """Claim up to ``limit`` waiting events, deliver them and mark them, all in one transaction; returns how many."""
    for quarrel in range(QUARRELS):
        try:
            return _dispatch_once(at=at, limit=limit, patient=True)
        except OperationalError as error:
            if not _is_quarrel(error):
                raise
            time.sleep(random.uniform(0.05, 0.2) * (quarrel + 1))  # noqa: S311
    return _dispatch_once(at=at, limit=limit, patient=False)


def retry_failures(*, at: dt.datetime, limit: int = 200) -> int:
    """Offer due failures to their subscriptions again, each in a transaction of its own; returns how many."""
    count = 0
    while count < limit and _retry_one(at=at):
        count += 1
    return count


def retry_now(failures: Sequence[EventFailure], *, at: dt.datetime) -> int:
    """Have staff's choice of unresolved failures tried again at once, with all attempts before them."""
    return (
        EventFailure.objects.filter(pk__in=[failure.pk for failure in failures])
        .exclude(status=EventFailure.Status.RESOLVED)
        .update(status=EventFailure.Status.RETRYING, attempts=0, due_at=at)
    )


def prune(*, before: dt.datetime, chunk: int = 5_000) -> int:
    """Delete events dispatched before that moment, but none with a failure that is still open; returns how many."""
    open_failures = EventFailure.objects.filter(event=OuterRef("pk")).exclude(
        status=EventFailure.Status.RESOLVED
    )
    old = Event.objects.filter(~Exists(open_failures), dispatched_at__lt=before)
    total = 0
    while ids := list(old.values_list("pk", flat=True)[:chunk]):
        with transaction.atomic():
            EventFailure.objects.filter(event__in=ids).delete()
            total += Event.objects.filter(pk__in=ids).delete()[0]
    return total


def _dispatch_once(*, at: dt.datetime, limit: int, patient: bool) -> int:
    with transaction.atomic():
        events = list(
            Event.objects.select_for_update(skip_locked=True)
            .filter(dispatched_at__isnull=True)
            .order_by("pk")[:limit]
        )
        if not events:
            return 0
        failures: list[EventFailure] = []
        for subscription, its_events in _deliveries(events):
            failures += _deliver(subscription, its_events, at=at, patient=patient)
        if failures:
            EventFailure.objects.bulk_create(failures, ignore_conflicts=True)
        Event.objects.filter(pk__in=[event.pk for event in events]).update(dispatched_at=at)
        return len(events)


def _deliveries(events: Sequence[Event]) -> Iterator[tuple[bus.Subscription, list[Event]]]:
    for subscription in bus.subscriptions():
        if its_events := [event for event in events if event.name in subscription.names]:
            yield subscription, its_events


def _deliver(
    subscription: bus.Subscription, events: list[Event], *, at: dt.datetime, patient: bool
) -> list[EventFailure]:
    """Hand over the batch; if that fails, one event at a time, so that only the poisoned ones are left behind."""
    error = _attempt(subscription, events, patient=patient)
    if error is None:
        return []
    if len(events) == 1:
        return [_new_failure(subscription, events[0], error, at=at)]
    failures = []
    for event in events:
        error = _attempt(subscription, [event], patient=patient)
        if error is not None:
            failures.append(_new_failure(subscription, event, error, at=at))
    return failures


def _attempt(subscription: bus.Subscription, events: list[Event], *, patient: bool) -> str | None:
    """Call the handler inside a savepoint; returns the error's text, or None when it went well.

    While ``patient``, a deadlock is raised instead, and a lost connection always: the whole batch is rolled back.
    """
    try:
        with transaction.atomic():
            subscription.handler(events)
    except Exception as error:
        if isinstance(error, OperationalError) and (
            not connection.is_usable() or (patient and _is_quarrel(error))
        ):
            raise
        logger.warning(
            "event_handler_failed", subscription=subscription.key, events=len(events), exc_info=True
        )
        return traceback.format_exc()[-ERROR_CHARACTERS:].replace("\0", "\N{REPLACEMENT CHARACTER}")
    return None


def _is_quarrel(error: OperationalError) -> bool:
    """Whether PostgreSQL chose us as the victim of a deadlock, or could not serialise us."""
    return getattr(error.__cause__, "sqlstate", None) in ("40P01", "40001")


def _new_failure(
    subscription: bus.Subscription, event: Event, error: str, *, at: dt.datetime
) -> EventFailure:
    return EventFailure(
        event=event,
        subscription=subscription.key,
        error=error,
        failed_at=at,
        due_at=at + RETRY_AFTER[0],
    )


def _retry_one(*, at: dt.datetime) -> bool:
    """Retry the failure that is due longest, unless another worker has it; False when none is due."""
    with transaction.atomic():
        failure = (
            EventFailure.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("event")
            .filter(status=EventFailure.Status.RETRYING, due_at__lte=at)
            .order_by("due_at", "pk")
            .first()
        )
        if failure is None:
            return False
        _retry(failure, at=at)
        failure.save(update_fields=["status", "attempts", "due_at", "error", "failed_at"])
        return True


def _retry(failure: EventFailure, *, at: dt.datetime) -> None:
    subscription = bus.subscription(failure.subscription)
    if subscription is None:
        failure.status, failure.due_at = EventFailure.Status.PARKED, None
        failure.error = f"The subscription {failure.subscription!r} no longer exists.\n\n{failure.error}"
        return
    error = _attempt(subscription, [failure.event], patient=False)
    if error is None:
        failure.status, failure.due_at = EventFailure.Status.RESOLVED, None
        return
    failure.attempts += 1
    failure.error, failure.failed_at = error, at
    if failure.attempts > len(RETRY_AFTER):
        failure.status, failure.due_at = EventFailure.Status.PARKED, None
        logger.error("event_parked", subscription=failure.subscription, event_id=failure.event_id)
    else:
        failure.due_at = at + RETRY_AFTER[failure.attempts - 1]
