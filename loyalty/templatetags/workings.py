"""What runs in the background, for the admin's first page: the last run of each kind, and events that are parked."""

from typing import Any

from django import template

from loyalty.events.models import EventFailure
from loyalty.runs.models import Run

register = template.Library()
_AT_MOST = 8


@register.simple_tag
def last_runs() -> list[Run]:
    """The latest run of each name, those that need a look first, then by time."""
    latest = Run.objects.order_by("name", "-id").distinct("name")
    good = (Run.Status.SUCCEEDED, Run.Status.RUNNING)
    return sorted(latest, key=lambda run: (run.status in good, -run.pk))[:_AT_MOST]


@register.simple_tag
def parked_events() -> int:
    """How many deliveries were given up on and wait for somebody."""
    return EventFailure.objects.filter(status=EventFailure.Status.PARKED).count()


@register.filter
def run_tone(run: Any) -> str:
    return {"succeeded": "good", "failed": "bad", "abandoned": "warn", "running": "note"}.get(run.status, "")
