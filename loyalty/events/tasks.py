"""Celery's side of the event bus: the wake-up and the sweep are the same task, and may come any number of times."""

import datetime as dt

from celery import shared_task
from django.conf import settings

from loyalty import clock
from loyalty.api import idempotency
from loyalty.events import dispatch, waking
from loyalty.health import worker_lives


@shared_task(name="loyalty.events.dispatch")
def dispatch_events() -> int:
    """Deliver what waits and what is due again; ask for another run when the time was not enough."""
    worker_lives(at=clock.now())
    waking.taken()
    count = dispatch.drain(seconds=30.0)
    count += dispatch.retry_failures(at=clock.now())
    return count


@shared_task(name="loyalty.prune")
def prune() -> dict[str, int]:
    """Delete what is kept for a while only: dispatched events and answers to idempotency keys."""
    at = clock.now()
    return {
        "events": dispatch.prune(before=at - dt.timedelta(days=settings.EVENTS_KEEP_DAYS)),
        "idempotency_keys": idempotency.prune(before=at - dt.timedelta(days=settings.API_IDEMPOTENCY_DAYS)),
    }
