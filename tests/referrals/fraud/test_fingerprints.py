"""Partners give fingerprints along with purchases; two members with one device are one sign of fraud."""

from typing import Any

import pytest
import time_machine

from loyalty.events import dispatch
from loyalty.events.models import Event, EventFailure
from members.fingerprints import digest
from referrals import codes
from referrals.models import Mark, Referral, Signal
from tests.factories.loyalty import partner_client
from tests.factories.members import NOON, member
from tests.factories.referrals import programme

pytestmark = pytest.mark.django_db
GIVEN = {"device": "till-app-7", "payment": "card-hash", "address": "Katu 1"}


def bought(external_id: str, by: str, **facts: Any) -> dict[str, Any]:
    return {
        "external_id": external_id,
        "member": {"external_id": by},
        "kind": "purchase",
        "occurred_at": NOON.isoformat(),
        "total": "30.00",
        "currency": "EUR",
        **facts,
    }


def test_a_friend_who_buys_with_the_referrers_card_and_device_from_their_address_is_held() -> None:
    programme()
    with time_machine.travel(NOON, tick=False):
        till = partner_client()
        aino = member(partner=till.partner, external_id="aino")
        member(partner=till.partner, external_id="eino")
        first = bought("r-1", "aino", fingerprints=GIVEN)
        assert till.write("/api/v1/activities", first).status_code == 201
        dispatch.drain(seconds=5)
        code = codes.code_of(aino, NOON)
        second = bought("r-2", "eino", fingerprints=GIVEN, referral_code=code)
        assert till.write("/api/v1/activities", second).status_code == 201
        dispatch.drain(seconds=5)
    assert not EventFailure.objects.exists()
    assert set(
        Mark.objects.filter(member=aino, kind__in=["device", "payment", "address"]).values_list(
            "hash", flat=True
        )
    ) == {
        digest("device", "till-app-7"),
        digest("payment", "card-hash"),
        digest("address", "katu 1"),
    }
    assert set(Signal.objects.values_list("kind", flat=True)) == {
        "same_device",
        "same_payment",
        "same_address",
    }
    assert Referral.objects.get().state == "held"


def test_fingerprints_are_told_on_as_hashes_only_and_a_report_may_come_again_without() -> None:
    with time_machine.travel(NOON, tick=False):
        till = partner_client()
        member(partner=till.partner, external_id="aino")
        sent = [bought("r-1", "aino", fingerprints=given) for given in (GIVEN, {}, None)]
        answers = [till.write("/api/v1/activities", each).status_code for each in sent]
    assert answers == [201, 200, 200]
    told = Event.objects.filter(name__in=["activity.recorded", "points.earned"])
    assert {event.name: "fingerprints" in event.facts for event in told} == {
        "activity.recorded": True,
        "points.earned": False,
    }
    assert not any("till-app-7" in str(event.facts) for event in told)


@pytest.mark.parametrize("given", ["x", {"device": "x" * 201}, {"device": {"a": 1}}, {"payment": "a\nb"}])
def test_what_is_no_fingerprint_is_refused_and_nothing_is_written(given: Any) -> None:
    with time_machine.travel(NOON, tick=False):
        till = partner_client()
        member(partner=till.partner, external_id="aino")
        answer = till.write("/api/v1/activities", bought("r-1", "aino", fingerprints=given))
    assert answer.status_code == 422
    assert not Event.objects.filter(name="activity.recorded").exists()
