"""The dispatcher among others of its kind: in parallel, killed, quarrelling, and without Redis."""

import datetime as dt
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis
from django.db import OperationalError, connection, transaction

from loyalty.events import bus, dispatch, waking
from loyalty.events.models import Event, EventFailure
from loyalty.events.tasks import dispatch_events
from loyalty.partners.models import Partner

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)
AT = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
Subscribe = Callable[[bus.Handler], None]


@pytest.fixture
def subscribe() -> Iterator[Subscribe]:
    def register(handler: bus.Handler) -> None:
        bus.subscribe("test.happened", key=f"tests.{handler.__name__}")(handler)

    yield register
    for subscription in bus.subscriptions():
        if subscription.key.startswith("tests."):
            bus.unsubscribe(subscription.key)


@pytest.fixture(autouse=True)
def _no_wakes(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "real_wakes" not in request.fixturenames:
        monkeypatch.setattr(waking, "wake", lambda: None)


@pytest.fixture
def real_wakes() -> None:
    """Let announcements wake the dispatcher as in production."""


def announce(count: int) -> None:
    with transaction.atomic():
        bus.announce_many(
            bus.Announcement(name="test.happened", at=AT, facts={"number": number}) for number in range(count)
        )


def in_thread(work: Callable[[], object]) -> Callable[[], object]:
    def run() -> object:
        try:
            return work()
        finally:
            connection.close()

    return run


def test_two_dispatchers_in_parallel_deliver_each_event_once(subscribe: Subscribe) -> None:
    seen: list[int] = []
    both_inside = threading.Barrier(2, timeout=20)

    def waits_for_the_other(events: list[Event]) -> None:
        seen.extend(event.facts["number"] for event in events)
        both_inside.wait()

    subscribe(waits_for_the_other)
    announce(20)

    with ThreadPoolExecutor(2) as pool:
        work = in_thread(lambda: dispatch.dispatch_batch(at=AT, limit=10))
        counts = [future.result() for future in [pool.submit(work), pool.submit(work)]]

    assert counts == [10, 10]
    assert sorted(seen) == list(range(20))
    assert not Event.objects.filter(dispatched_at__isnull=True).exists()


def test_an_event_that_becomes_visible_late_is_not_passed_over(subscribe: Subscribe) -> None:
    """The earlier id commits after the later one was dispatched: a watermark would lose it."""
    seen: list[int] = []

    def listens(events: list[Event]) -> None:
        seen.extend(event.facts["number"] for event in events)

    subscribe(listens)
    inserted, may_commit = threading.Event(), threading.Event()

    def announces_slowly() -> None:
        with transaction.atomic():
            bus.announce("test.happened", at=AT, number=-1)
            inserted.set()
            assert may_commit.wait(20)

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(in_thread(announces_slowly))
        assert inserted.wait(20)
        announce(1)
        assert dispatch.drain() == 1
        may_commit.set()
        slow.result()
    assert dispatch.drain() == 1
    assert seen == [0, -1]


def test_a_killed_dispatcher_leaves_the_events_waiting(subscribe: Subscribe) -> None:
    """The backend goes away in the middle of a handler: nothing is marked, and the next dispatcher delivers all."""
    deliveries: list[int] = []

    def loses_its_connection_once(events: list[Event]) -> None:
        Partner.objects.create(slug=f"trace-{len(deliveries)}", name="trace")
        deliveries.append(len(events))
        if len(deliveries) == 1:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    subscribe(loses_its_connection_once)
    announce(3)

    with pytest.raises(OperationalError):
        dispatch.drain()
    connection.close()
    assert Event.objects.filter(dispatched_at__isnull=True).count() == 3
    assert not EventFailure.objects.exists()

    assert dispatch.drain() == 3
    assert deliveries == [3, 3]
    assert list(Partner.objects.values_list("slug", flat=True)) == ["trace-1"]


def test_the_task_may_come_five_times(subscribe: Subscribe) -> None:
    seen: list[int] = []

    def listens(events: list[Event]) -> None:
        seen.extend(event.facts["number"] for event in events)

    subscribe(listens)
    announce(4)
    assert [dispatch_events() for _delivery in range(5)] == [4, 0, 0, 0, 0]
    assert seen == [0, 1, 2, 3]


def test_a_deadlock_with_somebody_else_is_tried_again_as_a_whole(subscribe: Subscribe) -> None:
    Partner.objects.create(slug="a", name="a")
    Partner.objects.create(slug="b", name="b")
    held, tried = threading.Event(), []

    def lock(slug: str) -> None:
        Partner.objects.filter(slug=slug).update(name="locked")

    def locks_in_the_wrong_order(events: list[Event]) -> None:
        tried.append(len(events))
        lock("b")
        if len(tried) == 1:
            held.set()
            time.sleep(0.3)  # the other waits for b by now
        lock("a")

    def locks_in_order() -> bool:
        try:
            with transaction.atomic():
                lock("a")
                assert held.wait(20)
                lock("b")
        except OperationalError:
            return False  # PostgreSQL chose the other one
        return True

    subscribe(locks_in_the_wrong_order)
    announce(2)
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(in_thread(locks_in_order))
        assert dispatch.drain() == 2
        survived = other.result()
    assert tried == ([2, 2] if survived else [2])
    assert not EventFailure.objects.exists()


def test_one_wake_is_under_way_at_a_time(real_wakes: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from loyalty.celery import app

    sent: list[str] = []
    monkeypatch.setattr(app, "send_task", lambda name, **_options: sent.append(name))
    waking.taken()
    for _announcement in range(30):
        announce(1)
    wait_until(lambda: bool(sent))
    time.sleep(0.2)
    assert sent == ["loyalty.events.dispatch"]
    waking.taken()
    announce(1)
    wait_until(lambda: len(sent) == 2)


@pytest.mark.parametrize("address", ["unix:///nowhere/redis.sock", "redis://127.0.0.1:1/0"])
def test_without_redis_announcing_is_as_quick_and_the_wake_is_kept(
    real_wakes: None, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    broken, trials = redis.Redis.from_url(address, socket_connect_timeout=0.2), []

    def away(_timeout: float) -> redis.Redis:
        trials.append(1)
        return broken

    monkeypatch.setattr(waking, "PAUSE_AFTER_FAILURE", 0.05)
    monkeypatch.setattr(waking, "client", away)
    started = time.monotonic()
    announce(1)
    assert time.monotonic() - started < 0.5
    wait_until(lambda: len(trials) >= 3)
    monkeypatch.undo()
    assert Event.objects.filter(dispatched_at__isnull=True).count() == 1


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_forked_child_starts_its_own_thread(
    real_wakes: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(waking, "_send_wake", lambda: (tmp_path / str(os.getpid())).touch() is None)
    waking.wake()
    wait_until(lambda: (tmp_path / str(os.getpid())).exists())
    child = os.fork()
    if not child:
        waking.wake()
        time.sleep(0.5)
        os._exit(0)
    os.waitpid(child, 0)
    assert (tmp_path / str(child)).exists()


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)
