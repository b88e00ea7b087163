"""Alive, ready and measured: what machines ask of the house."""

import datetime as dt

import pytest
import redis
from django.core.cache import cache
from django.db import OperationalError
from django.test import Client

from loyalty import clock, health
from loyalty.events.models import Event, EventFailure
from loyalty.runs.models import Run

pytestmark = pytest.mark.django_db
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _a_worker_lives() -> None:
    cache.clear()
    health.worker_lives(at=clock.now())


def ready() -> tuple[int, str, dict[str, str]]:
    answer = Client().get("/readyz")
    body = answer.json()
    assert "no-store" in answer["Cache-Control"]
    return answer.status_code, body["status"], {name: c["status"] for name, c in body["checks"].items()}


def event(*, age: dt.timedelta) -> Event:
    at = clock.now() - age
    return Event.objects.create(name="test.happened", occurred_at=at, announced_at=at)


def test_all_is_well() -> None:
    names = ("database", "migrations", "redis", "events", "worker", "nightly")
    assert ready() == (200, "ok", dict.fromkeys(names, "ok"))


def test_being_alive_asks_nobody(django_assert_num_queries) -> None:
    with django_assert_num_queries(0):
        answer = Client().get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok\n")


def test_without_the_database_it_is_not_ready_but_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_check: object) -> None:
        raise OperationalError("password of the database")

    monkeypatch.setattr(health.Database, "run", away)
    answer = Client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["database"]["error"] == "OperationalError"
    assert "password" not in answer.text
    assert Client().get("/healthz").status_code == 200


def test_missing_migrations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health.Migrations, "_seen_complete", False)
    monkeypatch.setattr(health.MigrationExecutor, "migration_plan", lambda *_: [("loyalty", "0009")])
    assert ready()[:2] == (503, "unavailable")


@pytest.mark.parametrize(
    "error", [redis.ConnectionError(), redis.TimeoutError(), redis.exceptions.OutOfMemoryError()]
)
def test_without_redis_it_is_degraded(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    class Away:
        def set(self, *_args: object, **_options: object) -> None:
            raise error

    monkeypatch.setattr(health, "client", lambda _timeout: Away())
    status, summary, checks = ready()
    assert (status, summary, checks["redis"]) == (200, "degraded", "degraded")


def test_an_event_that_waits_too_long() -> None:
    event(age=MINUTE / 2)
    assert ready()[1] == "ok"
    event(age=2 * MINUTE)
    Event.objects.filter(pk=Event.objects.earliest("pk").pk).delete()
    assert ready()[2]["events"] == "degraded"


def test_a_parked_delivery() -> None:
    late = event(age=MINUTE)
    Event.objects.update(dispatched_at=clock.now())
    EventFailure.objects.create(
        event=late, subscription="x", error="", failed_at=clock.now(), status=EventFailure.Status.PARKED
    )
    assert ready()[2]["events"] == "degraded"


def test_a_worker_that_fell_silent() -> None:
    health.worker_lives(at=clock.now() - 2 * MINUTE)
    assert ready()[2]["worker"] == "degraded"
    cache.clear()
    assert ready()[2]["worker"] == "degraded"


@pytest.mark.parametrize(
    ("status", "hours", "well"),
    [("succeeded", 20, "ok"), ("succeeded", 27, "degraded"), ("failed", 1, "degraded")],
)
def test_the_nightly_run(status: str, hours: int, well: str) -> None:
    at = clock.now() - dt.timedelta(hours=hours)
    Run.objects.create(name="analytics.nightly", at=at, started_at=at, seen_at=at, ended_at=at, status=status)
    assert ready()[2]["nightly"] == well


class TestMetrics:
    def get(self, token: str = "demo-metrics"):
        return Client().get("/metrics", headers={"Authorization": f"Bearer {token}"})

    def test_they_need_the_token(self, settings) -> None:
        assert self.get().status_code == 200
        assert self.get("wrong").status_code == 401
        assert Client().get("/metrics")["WWW-Authenticate"].startswith("Bearer")
        settings.METRICS_TOKEN = ""
        assert self.get("").status_code == 401

    def test_they_show_the_queues(self) -> None:
        event(age=2 * MINUTE)
        at = clock.now() - MINUTE
        Run.objects.create(name="tests.x", at=at, started_at=at, seen_at=at, ended_at=at, status="succeeded")
        lines = dict(
            line.rsplit(" ", 1) for line in self.get().text.splitlines() if line.startswith("kantis_")
        )
        assert lines["kantis_database_up"] == "1.0"
        assert lines["kantis_events_waiting"] == "1.0"
        assert 119 < float(lines["kantis_events_oldest_seconds"]) < 130
        assert lines['kantis_event_failures{status="parked"}'] == "0.0"
        assert 59 < float(lines['kantis_run_age_seconds{run="tests.x"}']) < 70
        assert float(lines["kantis_worker_silence_seconds"]) < 10

    def test_they_count_requests(self) -> None:
        Client().get("/healthz")
        assert "django_http_requests_total_by_view_transport_method_total" in self.get().text
