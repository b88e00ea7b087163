"""Addresses put down for good: by a hash that says nothing, once, until staff lift it."""

import datetime as dt
import threading

import pytest
from django.db import connection
from pytest_django import Settings

from campaigns.models import Suppression
from campaigns.suppression import address_hash, lift, suppress, suppressed
from loyalty.events.models import Event
from tests.factories.campaigns import celebrant
from tests.factories.members import NOON
from tests.factories.portal import login_for

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)


def put_down(address: str = "aino@example.com", *, channel: str = "email", at: dt.datetime = NOON) -> bool:
    return suppress(channel=channel, address=address, reason="bounce", detail="550 no such user", at=at)


def test_an_address_is_put_down_however_it_is_written() -> None:
    assert put_down("Aino@Example.com ")
    asked = ["aino@example.com", "AINO@EXAMPLE.COM", "eino@example.com", ""]
    assert suppressed("email", asked) == {"aino@example.com", "AINO@EXAMPLE.COM"}
    assert suppressed("sms", asked) == frozenset()


def test_numbers_are_compared_in_the_international_form() -> None:
    put_down("040 123 4567", channel="sms")
    assert suppressed("sms", ["+358401234567", "+358401234568"]) == {"+358401234567"}


def test_the_row_does_not_tell_the_address() -> None:
    put_down()
    row = Suppression.objects.get()
    assert len(row.address_hash) == 64
    assert "aino" not in f"{row.address_hash}{row.detail}"
    assert Event.objects.get(name="address.suppressed").facts == {"channel": "email", "reason": "bounce"}


def test_the_hash_needs_the_key(settings: Settings) -> None:
    before = address_hash("email", "aino@example.com")
    settings.SECRET_KEY = "another" * 10
    assert address_hash("email", "aino@example.com") != before


def test_an_address_put_down_under_an_earlier_key_stays_down(settings: Settings) -> None:
    put_down()
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another" * 10
    assert suppressed("email", ["aino@example.com"]) == {"aino@example.com"}
    assert not put_down()
    settings.SECRET_KEY_FALLBACKS = []
    assert suppressed("email", ["aino@example.com"]) == frozenset()


def test_it_is_put_down_once() -> None:
    assert put_down()
    assert not put_down(at=NOON + HOUR)
    assert Suppression.objects.get().since == NOON
    assert Event.objects.filter(name="address.suppressed").count() == 1


@pytest.mark.parametrize("address", ["", "   "])
def test_no_address_cannot_be_put_down(address: str) -> None:
    assert not put_down(address)
    assert not Suppression.objects.exists()


def test_staff_lift_it_and_their_name_stays() -> None:
    put_down()
    row, staff = Suppression.objects.get(), login_for("staff@example.com", is_staff=True)
    assert lift(suppression_id=row.pk, staff_id=staff.pk, at=NOON + HOUR)
    assert suppressed("email", ["aino@example.com"]) == frozenset()
    assert not lift(suppression_id=row.pk, staff_id=None, at=NOON + 2 * HOUR)
    row.refresh_from_db()
    assert (row.lifted_at, row.lifted_by_id) == (NOON + HOUR, staff.pk)
    assert put_down(at=NOON + 3 * HOUR)  # and it can bounce again
    assert suppressed("email", ["aino@example.com"]) == {"aino@example.com"}


def test_asking_costs_one_statement(django_assert_num_queries: object) -> None:
    put_down()
    with django_assert_num_queries(1):  # type: ignore[operator]
        suppressed("email", [f"member{number}@example.com" for number in range(100)])
    with django_assert_num_queries(0):  # type: ignore[operator]
        suppressed("email", [])


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_two_at_once_put_it_down_once() -> None:
    member, barrier, results = celebrant(), threading.Barrier(2), []

    def work() -> None:
        try:
            barrier.wait(5)
            results.append(put_down(member.email))
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _each in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(results) == [False, True]
    assert Suppression.objects.count() == 1
