"""``/metrics`` for Prometheus, behind a bearer token: the process's counters and the state of the queues.

Several web processes count into the folder that PROMETHEUS_MULTIPROC_DIR names, so that one answer speaks for all; the
demo's runner and compose.yaml set it. It has to be there, and empty, when web starts.
"""

import hmac
import os
from collections.abc import Iterator

from django.conf import settings
from django.db import DatabaseError
from django.db.models import Count, Max
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest, multiprocess
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from loyalty import clock, health
from loyalty.events.models import Event, EventFailure
from loyalty.runs.models import Run


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """All metrics in Prometheus' text format; 401 without the token, and closed when none is set."""
    if not _has_token(request):
        return HttpResponse(status=401, headers={"WWW-Authenticate": 'Bearer realm="Kantis metrics"'})
    text = generate_latest(_process_registry()) + generate_latest(_state)
    return HttpResponse(text, content_type=CONTENT_TYPE_LATEST)


def _has_token(request: HttpRequest) -> bool:
    given = request.headers.get("Authorization", "").encode()
    wanted = f"Bearer {settings.METRICS_TOKEN}".encode()
    return bool(settings.METRICS_TOKEN) and hmac.compare_digest(given, wanted)


def _process_registry() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


class StateCollector(Collector):
    """Reads the queues and runs from the database when asked."""

    def collect(self) -> Iterator[Metric]:
        try:
            found = [*_events(), *_runs(), *_worker()]
        except DatabaseError:
            yield GaugeMetricFamily("kantis_database_up", "Whether PostgreSQL answers", value=0)
            return
        yield GaugeMetricFamily("kantis_database_up", "Whether PostgreSQL answers", value=1)
        yield from found


def _events() -> Iterator[Metric]:
    waiting = Event.objects.filter(dispatched_at__isnull=True).count()
    yield GaugeMetricFamily("kantis_events_waiting", "Events not yet handed to subscriptions", value=waiting)
    yield GaugeMetricFamily(
        "kantis_events_oldest_seconds",
        "How long the oldest waiting event has waited",
        value=health.oldest_event_age(clock.now()).total_seconds(),
    )
    failures = GaugeMetricFamily("kantis_event_failures", "Failed deliveries by status", labels=["status"])
    counted = dict(EventFailure.objects.values_list("status").annotate(Count("pk")).order_by())
    for status in (EventFailure.Status.RETRYING, EventFailure.Status.PARKED):
        failures.add_metric([status.value], counted.get(status.value, 0))
    yield failures


def _runs() -> Iterator[Metric]:
    ages = GaugeMetricFamily("kantis_run_age_seconds", "Since the last success of each run", labels=["run"])
    at = clock.now()
    succeeded = Run.objects.filter(status=Run.Status.SUCCEEDED)
    for name, ended_at in succeeded.values_list("name").annotate(Max("ended_at")).order_by("name"):
        ages.add_metric([name], (at - ended_at).total_seconds())
    yield ages


def _worker() -> Iterator[Metric]:
    silence = health.worker_silence(clock.now())
    if silence is not None:
        yield GaugeMetricFamily(
            "kantis_worker_silence_seconds", "Since a worker was last seen", value=silence.total_seconds()
        )


_state = CollectorRegistry()
_state.register(StateCollector())
