"""Is the process alive, and is the service well? ``/healthz`` asks nothing of anybody; ``/readyz`` asks everybody.

A check that fails *hard* (database, migrations) means that requests cannot be served: 503, send them elsewhere.
Anything else is answered 200 with the status "degraded": purchases are still recorded without Redis or a worker, and
taking the web servers out of service would turn a delay into an outage. Alarms read the same from ``/metrics``.
"""

import datetime as dt
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import structlog
from django.core.cache import cache
from django.db import DEFAULT_DB_ALIAS, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from health_check.base import HealthCheck
from health_check.exceptions import HealthCheckException, ServiceUnavailable, ServiceWarning

from loyalty import clock
from loyalty.events.models import Event, EventFailure
from loyalty.redis_link import REDIS_ERRORS, client
from loyalty.runs.models import Run

logger = structlog.get_logger("kantis.health")

WORKER_SEEN_KEY = "worker-seen"
WORKER_SILENT_AFTER = dt.timedelta(seconds=60)
EVENTS_LATE_AFTER = dt.timedelta(seconds=60)
NIGHTLY = "analytics.nightly"
NIGHTLY_LATE_AFTER = dt.timedelta(hours=26)


@dataclass
class Database(HealthCheck):
    """PostgreSQL answers."""

    name: ClassVar[str] = "database"
    is_hard: ClassVar[bool] = True

    def run(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")


@dataclass
class Migrations(HealthCheck):
    """The database's schema is at least as new as the code. Asked until it was once true: code does not age."""

    name: ClassVar[str] = "migrations"
    is_hard: ClassVar[bool] = True
    _seen_complete: ClassVar[bool] = False

    def run(self) -> None:
        if Migrations._seen_complete:
            return
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if missing:
            raise ServiceUnavailable(f"{len(missing)} migrations have not been applied")
        Migrations._seen_complete = True


@dataclass
class Redis(HealthCheck):
    """Redis takes a write: one that is out of memory still answers PING."""

    name: ClassVar[str] = "redis"
    is_hard: ClassVar[bool] = False

    def run(self) -> None:
        try:
            client(0.5).set("kantis:health", 1, ex=60)
        except REDIS_ERRORS as error:
            raise ServiceUnavailable(f"Redis does not take writes ({type(error).__name__})") from error


@dataclass
class Events(HealthCheck):
    """Announced facts reach their subscriptions soon, and none was given up."""

    name: ClassVar[str] = "events"
    is_hard: ClassVar[bool] = False

    def run(self) -> None:
        age = oldest_event_age(clock.now())
        if age > EVENTS_LATE_AFTER:
            raise ServiceWarning(f"an event has waited for {age.total_seconds():.0f} seconds")
        if parked := EventFailure.objects.filter(status=EventFailure.Status.PARKED).count():
            raise ServiceWarning(f"{parked} deliveries are parked and wait for staff")


@dataclass
class Worker(HealthCheck):
    """Beat sends the sweep and a worker takes it: either one missing shows here."""

    name: ClassVar[str] = "worker"
    is_hard: ClassVar[bool] = False

    def run(self) -> None:
        silence = worker_silence(clock.now())
        if silence is None:
            raise ServiceWarning("no worker has been seen")
        if silence > WORKER_SILENT_AFTER:
            raise ServiceWarning(f"no sign of a worker for {silence.total_seconds():.0f} seconds")


@dataclass
class Nightly(HealthCheck):
    """Last night's metrics were computed. A programme that never had a night is well."""

    name: ClassVar[str] = "nightly"
    is_hard: ClassVar[bool] = False

    def run(self) -> None:
        last = Run.objects.filter(name=NIGHTLY).order_by("-pk").first()
        if last is None:
            return
        if last.status == Run.Status.FAILED:
            raise ServiceWarning("the last nightly run failed")
        if clock.now() - last.started_at > NIGHTLY_LATE_AFTER:
            raise ServiceWarning("the last nightly run is more than 26 hours old")


CHECKS = (Database(), Migrations(), Redis(), Events(), Worker(), Nightly())


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers; nothing else is asked."""
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Every check by name, as JSON; 503 when a hard one fails."""
    status, results = examine(CHECKS)
    return JsonResponse({"status": status, "checks": results}, status=503 if status == "unavailable" else 200)


def examine(checks: Iterable[Any]) -> tuple[str, dict[str, dict[str, Any]]]:
    """Run the checks in order; after the database has failed, those that need it are not tried."""
    results: dict[str, dict[str, Any]] = {}
    for check in checks:
        started = time.monotonic()
        error = "not checked: the database does not answer" if _is_moot(check, results) else _error_of(check)
        results[check.name] = {
            "status": "ok" if error is None else "unavailable" if check.is_hard else "degraded",
            "seconds": round(time.monotonic() - started, 4),
        } | ({"error": error} if error else {})
    found = {result["status"] for result in results.values()}
    return next((status for status in ("unavailable", "degraded") if status in found), "ok"), results


def worker_lives(*, at: dt.datetime) -> None:
    """Called by the worker's sweep: its sign of life."""
    cache.set(WORKER_SEEN_KEY, at.timestamp(), timeout=None)


def worker_silence(at: dt.datetime) -> dt.timedelta | None:
    """How long ago a worker was last seen; None when never (or when Redis is away or was emptied)."""
    seen = cache.get(WORKER_SEEN_KEY)
    return None if seen is None else at - dt.datetime.fromtimestamp(seen, tz=dt.UTC)


def oldest_event_age(at: dt.datetime) -> dt.timedelta:
    """How long the event that waits longest has waited since the fact was announced; zero when none waits."""
    waiting = Event.objects.filter(dispatched_at__isnull=True).order_by("pk").first()
    return max(dt.timedelta(), at - waiting.announced_at) if waiting else dt.timedelta()


def _is_moot(check: Any, results: dict[str, dict[str, Any]]) -> bool:
    return (
        check.name not in ("redis", "worker") and results.get("database", {}).get("status") == "unavailable"
    )


def _error_of(check: Any) -> str | None:
    """What is wrong, in words fit for the public; the log has the rest."""
    try:
        check.run()
    except HealthCheckException as error:
        return str(error.message)
    except Exception as error:
        logger.warning("health_check_failed", check=check.name, database=DEFAULT_DB_ALIAS, exc_info=True)
        return type(error).__name__
    return None
