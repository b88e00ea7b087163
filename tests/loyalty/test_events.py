"""The bus: announced with the fact, delivered in batches, and one bad event never holds up the others."""

import datetime as dt
from collections.abc import Iterator

import pytest
from django.db import transaction

from loyalty.events import bus, dispatch, waking
from loyalty.events.models import Event, EventFailure

pytestmark = pytest.mark.django_db
AT = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


class Listener:
    """A handler that remembers what it was handed, and refuses the events it is told to."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.poison: set[int] = set()

    def __call__(self, events: list[Event]) -> None:
        numbers = [event.facts["number"] for event in events]
        if bad := self.poison & set(numbers):
            raise ValueError(f"cannot take {sorted(bad)}")
        self.batches.append(numbers)


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    bus.subscribe("test.happened", key="tests.listener")(listener)
    yield listener
    bus.unsubscribe("tests.listener")


@pytest.fixture
def other() -> Iterator[Listener]:
    other = Listener()
    bus.subscribe("test.happened", "test.ended", key="tests.other")(other)
    yield other
    bus.unsubscribe("tests.other")


def announce(*numbers: int, name: str = "test.happened") -> None:
    with transaction.atomic():
        for number in numbers:
            bus.announce(name, at=AT, member_id=7, number=number)


def waiting() -> int:
    return Event.objects.filter(dispatched_at__isnull=True).count()


def test_an_event_reaches_every_subscription_of_its_name_once(listener: Listener, other: Listener) -> None:
    announce(1, 2)
    announce(3, name="test.ended")

    assert dispatch.dispatch_batch(at=AT) == 3
    assert dispatch.dispatch_batch(at=AT) == 0

    assert listener.batches == [[1, 2]]
    assert other.batches == [[1, 2, 3]]
    assert waiting() == 0


def test_an_event_without_subscriptions_is_dispatched_too() -> None:
    announce(1, name="test.unheard")
    assert dispatch.drain() == 1
    assert waiting() == 0


def test_facts_may_hold_what_json_does_not_know(listener: Listener) -> None:
    with transaction.atomic():
        bus.announce("test.happened", at=AT, number=1, day=AT.date())
    assert Event.objects.get().facts == {"number": 1, "day": "2026-03-01"}


def test_a_rolled_back_fact_is_never_told(listener: Listener) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        bus.announce("test.happened", at=AT, number=1)
        raise RuntimeError
    dispatch.drain()
    assert listener.batches == []


def test_a_key_belongs_to_one_handler(listener: Listener) -> None:
    with pytest.raises(ValueError, match=r"tests\.listener"):
        bus.subscribe("test.happened", key="tests.listener")(Listener())


def test_a_poisoned_event_leaves_a_failure_and_the_others_go_on(listener: Listener, other: Listener) -> None:
    listener.poison = {2}
    announce(1, 2, 3)

    dispatch.dispatch_batch(at=AT)

    assert listener.batches == [[1], [3]]
    assert other.batches == [[1, 2, 3]]
    failure = EventFailure.objects.get()
    assert (failure.subscription, failure.event.facts["number"]) == ("tests.listener", 2)
    assert (failure.status, failure.attempts, failure.due_at) == (
        "retrying",
        1,
        AT + dt.timedelta(seconds=10),
    )
    assert "cannot take [2]" in failure.error
    assert waiting() == 0


def test_a_failing_handler_takes_its_own_writes_back_only(listener: Listener) -> None:
    def writes_and_fails(events: list[Event]) -> None:
        Event.objects.create(name="test.trace", occurred_at=AT)
        raise ValueError

    bus.subscribe("test.happened", key="tests.a_writer")(writes_and_fails)
    try:
        announce(1)
        dispatch.dispatch_batch(at=AT)
    finally:
        bus.unsubscribe("tests.a_writer")
    assert not Event.objects.filter(name="test.trace").exists()
    assert listener.batches == [[1]]


def test_a_failure_is_retried_when_due_and_then_resolved(listener: Listener) -> None:
    listener.poison = {1}
    announce(1)
    dispatch.dispatch_batch(at=AT)
    listener.poison = set()

    assert dispatch.retry_failures(at=AT + dt.timedelta(seconds=9)) == 0
    assert dispatch.retry_failures(at=AT + dt.timedelta(seconds=10)) == 1
    assert dispatch.retry_failures(at=AT + dt.timedelta(days=9)) == 0

    assert listener.batches == [[1]]
    assert EventFailure.objects.get().status == "resolved"


def test_the_last_failure_parks_the_delivery_until_staff_retry(listener: Listener) -> None:
    listener.poison = {1}
    announce(1)
    dispatch.dispatch_batch(at=AT)
    at, waits = AT, []
    for _retry in range(7):
        due_at = EventFailure.objects.get().due_at
        waits.append((due_at - at).total_seconds())
        at = due_at
        assert dispatch.retry_failures(at=at) == 1

    assert waits == [10, 60, 300, 1800, 7200, 28800, 86400]
    parked = EventFailure.objects.get()
    assert (parked.status, parked.attempts, parked.due_at) == ("parked", 8, None)

    listener.poison = set()
    assert dispatch.retry_now([parked], at=at) == 1
    dispatch.retry_failures(at=at)
    assert EventFailure.objects.get().status == "resolved"
    assert listener.batches == [[1]]


def test_a_failure_of_a_subscription_that_no_longer_exists_is_parked(listener: Listener) -> None:
    listener.poison = {1}
    announce(1)
    dispatch.dispatch_batch(at=AT)
    bus.unsubscribe("tests.listener")

    dispatch.retry_failures(at=AT + dt.timedelta(minutes=1))

    failure = EventFailure.objects.get()
    assert failure.status == "parked"
    assert failure.error.startswith("The subscription 'tests.listener' no longer exists.")


def test_old_events_are_pruned_but_not_those_that_somebody_must_look_at(listener: Listener) -> None:
    listener.poison = {2}
    announce(1, 2)
    dispatch.dispatch_batch(at=AT)
    announce(3)

    assert dispatch.prune(before=AT + dt.timedelta(days=1)) == 1
    assert sorted(Event.objects.values_list("facts__number", flat=True)) == [2, 3]


def test_a_batch_costs_the_same_for_1_and_for_30_events(
    listener: Listener, django_assert_num_queries
) -> None:
    for count in (1, 30):
        announce(*range(count))
        with django_assert_num_queries(6):  # two savepoints and their releases, the claim, the mark
            dispatch.dispatch_batch(at=AT)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_announcing_outside_a_transaction_is_refused() -> None:
    with pytest.raises(bus.NotInTransaction):
        bus.announce("test.happened", at=AT)
    assert not Event.objects.exists()


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_only_a_commit_wakes_the_dispatcher(monkeypatch: pytest.MonkeyPatch) -> None:
    wakes: list[bool] = []
    monkeypatch.setattr(waking, "wake", lambda: wakes.append(True))
    with pytest.raises(RuntimeError), transaction.atomic():
        bus.announce("test.happened", at=AT)
        raise RuntimeError
    assert wakes == []
    announce(1)
    assert wakes == [True]
