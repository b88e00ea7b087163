"""Issuing and taking back: once for each occasion, each code of a pool to one member, never what a till used."""

import datetime as dt
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from loyalty.events.models import Event
from rewards.models import Voucher, VoucherStep
from rewards.vouchers import codes, issuing
from rewards.vouchers.issuing import FamilyClosed, PoolEmpty
from tests.factories.members import NOON
from tests.factories.members import member as enrolled
from tests.factories.vouchers import pooled, voucher, voucher_family

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


def at_once(number: int, work: Callable[[int], object]) -> list[object]:
    """What ``work`` gives, or the error it raises, in so many threads that begin together."""
    gate = threading.Barrier(number)

    def run(place: int) -> object:
        gate.wait()
        try:
            return work(place)
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(run, range(number)))


def test_a_member_gets_a_code_of_their_own() -> None:
    family, member = voucher_family(prefix="KAHVI", valid_days=30), enrolled()
    given = voucher(family, member=member)
    assert given.code.startswith("KAHVI")
    assert codes.is_well_formed(given.code)
    assert (given.state, given.member_id, given.value, given.remaining) == ("active", member.pk, 5, 5)
    assert (given.uses, given.uses_left) == (1, 1)
    step = VoucherStep.objects.get(voucher=given)
    assert (step.kind, step.amount, step.at) == ("issued", 5, NOON)
    event = Event.objects.get(name="voucher.issued")
    assert (event.member_id, event.facts["voucher"]) == (member.pk, str(given.public_id))
    assert given.code not in str(event.facts)


def test_the_last_day_counts_to_its_end_in_the_programmes_time_zone() -> None:
    given = voucher(voucher_family(valid_days=30))
    assert given.expires_at == dt.datetime(
        2026, 7, 15, 21, tzinfo=dt.UTC
    )  # midnight after 15 July in Helsinki


def test_the_earlier_end_counts() -> None:
    assert voucher(voucher_family(valid_days=30, valid_to=NOON + DAY)).expires_at == NOON + DAY


def test_an_occasion_brings_one_voucher() -> None:
    family, member = voucher_family(), enrolled()
    first = voucher(family, member=member, occasion="birthday:2026")
    again = voucher(family, member=member, occasion="birthday:2026", at=NOON + DAY)
    assert again == first
    assert Voucher.objects.count() == VoucherStep.objects.count() == Event.objects.count() - 1 == 1


def test_pool_codes_go_out_in_their_order_until_none_is_left() -> None:
    family = voucher_family(source="pool", valid_days=10)
    pooled(family, "AAA1", "AAA2")
    assert [voucher(family).code, voucher(family).code] == ["AAA1", "AAA2"]
    with pytest.raises(PoolEmpty):
        voucher(family)
    assert VoucherStep.objects.filter(kind="issued").count() == 2


def test_a_pool_codes_own_end_counts_and_one_past_it_is_not_given() -> None:
    family = voucher_family(source="pool", valid_days=10)
    pooled(family, "PAST", expires_at=NOON)
    pooled(family, "SOON", expires_at=NOON + DAY)
    given = voucher(family)
    assert (given.code, given.expires_at) == ("SOON", NOON + DAY)


def test_nothing_is_issued_of_a_kind_that_ended_or_was_taken_out_of_force() -> None:
    for family in (voucher_family(is_active=False), voucher_family(valid_to=NOON)):
        with pytest.raises(FamilyClosed):
            voucher(family)
    assert not Voucher.objects.exists()


def test_a_voucher_is_taken_back_once_with_the_reason() -> None:
    given = voucher()
    assert issuing.withdraw(voucher_id=given.pk, at=NOON, note=" wrong person ")
    assert not issuing.withdraw(voucher_id=given.pk, at=NOON, note="again")
    given.refresh_from_db()
    assert given.state == "cancelled"
    assert list(given.steps.values_list("kind", "note")) == [("issued", ""), ("cancelled", "wrong person")]


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_members_taking_from_one_pool_at_once_get_different_codes() -> None:
    family = voucher_family(source="pool")
    pooled(family, *(f"CODE{number}" for number in range(8)))
    given = at_once(8, lambda _place: voucher(family))
    assert sorted(each.code for each in given) == [f"CODE{number}" for number in range(8)]  # type: ignore[attr-defined]


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
@pytest.mark.parametrize("source", ["generated", "pool"])
def test_one_occasion_from_many_sides_at_once_brings_one_voucher(source: str) -> None:
    family = voucher_family(source=source)
    pooled(family, *(f"CODE{number}" for number in range(6)) if source == "pool" else ())
    given = at_once(6, lambda _place: voucher(family, occasion="prize:1"))
    assert len({each.pk for each in given}) == 1  # type: ignore[attr-defined]
    assert Voucher.objects.filter(state="active").count() == 1
    assert VoucherStep.objects.count() == 1
