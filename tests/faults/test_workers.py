"""Workers killed in the middle of the birthday run: afterwards everybody has exactly one greeting and one gift."""

import contextlib
import datetime as dt
import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection, transaction

from campaigns import birthdays
from campaigns.deciding import serialise
from campaigns.models import Campaign, Message
from loyalty import clock
from loyalty.runs.models import Run
from members.enrolment import NewMember, enrol_many
from members.models import Member
from rewards.models import Transfer
from rewards.verification import verify
from tests.campaigns.smtp_sink import Sink, running
from tests.factories.campaigns import BY_EMAIL, JOINED
from tests.faults.workers import House, children, house, kill

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True, serialized_rollback=True),
]
FINAL = ("sent", "failed", "unknown", "skipped")


@pytest.fixture
def sink() -> Iterator[Sink]:
    with running(Sink()) as server:
        yield server


@pytest.fixture
def place(sink: Sink, tmp_path: Path) -> Iterator[House]:
    with house(mail_port=sink.port, folder=tmp_path) as running_house:
        yield running_house


def celebrants(count: int) -> list[Member]:
    """So many members who have their birthday today and agree to e-mail."""
    today = clock.local_date(clock.now(), "Europe/Helsinki")
    news = [
        NewMember(
            first_name="Aino",
            email=f"aino.{number}@example.com",
            birth_date=today.replace(year=1988),
            language="fi",
            joined_at=JOINED,
            consents=(BY_EMAIL,),
        )
        for number in range(count)
    ]
    return enrol_many(news, source="import", at=JOINED)


def all_final(count: int) -> bool:
    return Message.objects.filter(status__in=FINAL).count() == count


def only_the_half_sent_is_left() -> bool:
    return Message.objects.exclude(status__in=FINAL).count() <= 1


def assert_everybody_greeted_once(members: list[Member], sink: Sink) -> None:
    """One final row a member, one gift a member, at most one mail a member; a missing mail is listed as unknown."""
    rows = Counter(Message.objects.values_list("member_id", flat=True))
    gifts = Counter(Transfer.objects.filter(source="campaigns.birthday").values_list("member_id", flat=True))
    once = Counter({member.pk: 1 for member in members})
    assert rows == once
    assert gifts == once
    assert set(Message.objects.values_list("status", flat=True)) <= {"sent", "unknown"}
    mails = Counter(sink.recipients)
    assert set(mails.values()) <= {1}
    sent = set(Message.objects.filter(status="sent").values_list("member__email", flat=True))
    unknown = set(Message.objects.filter(status="unknown").values_list("member__email", flat=True))
    assert sent <= set(mails) <= sent | unknown
    assert verify(at=clock.now()) == []


@contextlib.contextmanager
def one_page_at_a_time(place: House) -> Iterator[None]:
    """Let the worker decide about one page, and hold it up in the second: locks are had in the order of asking."""
    waiting = """SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database
                  WHERE locktype = 'advisory' AND NOT granted AND d.datname = current_database()"""
    with transaction.atomic():
        serialise()
        yield

        def queued() -> int:
            with connection.cursor() as cursor:
                cursor.execute(waiting)
                return int(cursor.fetchone()[0])

        place.wait_until(lambda: queued() == 1, what="the worker to wait for its first page")
        behind = threading.Thread(target=_take_a_turn, args=(place,))
        behind.start()
        place.wait_until(lambda: queued() == 2, what="the test to stand behind it")
    behind.join(60)


def _take_a_turn(place: House) -> None:
    """Take the lock after the first page, and kill the worker that waits for it then."""
    try:
        with transaction.atomic():
            serialise()
            for worker in place.workers:
                kill(worker)
    finally:
        connection.close()


def test_killed_while_gifts_are_given(place: House, sink: Sink) -> None:
    members = celebrants(300)
    worker = place.start_worker()
    with one_page_at_a_time(place):
        place.tick("campaigns.greet_birthdays")
    assert worker.poll() is not None
    given = Message.objects.count()
    assert given == birthdays.PAGE
    assert Transfer.objects.count() == given

    place.start_worker()
    place.tick("campaigns.greet_birthdays")
    place.wait_until(lambda: all_final(300), what="everybody to be greeted")
    assert_everybody_greeted_once(members, sink)
    first, second = Run.objects.filter(name="campaigns.greet_birthdays").order_by("id")
    assert first.status == "abandoned"
    assert (second.status, second.done) == ("succeeded", 300 - given)


def test_killed_while_mails_are_sent(place: House, sink: Sink) -> None:
    members = celebrants(40)
    sink.delay = 0.05
    worker = place.start_worker()
    place.tick("campaigns.greet_birthdays")
    place.wait_until(lambda: len(sink.mails) >= 10, what="some mails to be sent")
    kill(worker)
    assert Message.objects.exclude(status__in=FINAL).count() >= 20

    place.start_worker()
    place.tick("campaigns.greet_birthdays")
    place.wait_until(only_the_half_sent_is_left, what="the rest to be sent")
    place.tick("campaigns.dispatch_messages")
    place.wait_until(lambda: all_final(40), what="the half-sent message to be listed")
    assert_everybody_greeted_once(members, sink)
    assert Message.objects.filter(status="unknown").count() <= 1


def test_a_killed_child_is_made_good_without_another_tick(place: House, sink: Sink) -> None:
    members = celebrants(40)
    sink.delay = 0.05
    worker = place.start_worker()
    place.tick("campaigns.greet_birthdays")
    place.wait_until(lambda: len(sink.mails) >= 5, what="some mails to be sent")
    for pid in children(worker):
        os.kill(pid, signal.SIGKILL)
    place.wait_until(only_the_half_sent_is_left, what="the task to be taken again")
    place.tick("campaigns.dispatch_messages")
    place.wait_until(lambda: all_final(40), what="everybody to be greeted")
    assert_everybody_greeted_once(members, sink)


def test_five_deliveries_to_two_workers_greet_once(place: House, sink: Sink) -> None:
    members = celebrants(60)
    place.start_worker(2)
    place.start_worker(2)
    place.tick("campaigns.greet_birthdays", times=5)
    place.tick("campaigns.dispatch_messages", times=5)
    place.wait_until(lambda: all_final(60), what="everybody to be greeted")
    assert_everybody_greeted_once(members, sink)
    assert Message.objects.filter(status="sent").count() == 60
    assert not Run.objects.filter(status="failed").exists()


def test_an_outage_of_days_is_made_good_or_settled_with_a_reason(place: House, sink: Sink) -> None:
    """Beat was down for a week: the last three days are greeted, the days before are settled as too late."""
    today = clock.local_date(clock.now(), "Europe/Helsinki")
    Campaign.objects.update(looked_at=clock.now() - dt.timedelta(days=7))
    for number, member in enumerate(celebrants(8)):
        birthday = (today - dt.timedelta(days=number)).replace(year=1988)
        Member.objects.filter(pk=member.pk).update(birth_date=birthday)
    place.start_worker()
    place.tick("campaigns.greet_birthdays")
    place.wait_until(lambda: all_final(8), what="every missed birthday to be settled")
    rows = Message.objects.order_by("member_id").values_list("status", "reason", "points")
    assert list(rows) == [("sent", "", 100)] * 4 + [("skipped", "too_late", 0)] * 4
    assert len(sink.mails) == 4
