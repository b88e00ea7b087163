"""The whole way through partners' API, the event handlers and the tick, with the clock moved."""

from decimal import Decimal
from typing import Any

import pytest
import time_machine

from loyalty.events import dispatch
from loyalty.events.models import EventFailure
from loyalty.runs.models import Run
from members.models import Member
from referrals import codes, tasks
from referrals.models import Referral
from rewards.verification import verify
from tests.factories.loyalty import PartnerClient, partner_client
from tests.factories.members import NOON, member
from tests.factories.referrals import DAY, points_for_referrals, programme

pytestmark = pytest.mark.django_db


def heard() -> None:
    dispatch.drain(seconds=5)
    assert not EventFailure.objects.exists()


def send(till: PartnerClient, path: str, data: dict[str, Any]) -> Any:
    answer = till.write(f"/api/v1/{path}", data)
    assert answer.status_code == 201, answer.content
    return answer.json()


def test_a_friend_joins_and_buys_both_get_points_and_a_refund_takes_them_back() -> None:
    programme(minimum_purchase=Decimal(20))
    aino = member()
    with time_machine.travel(NOON, tick=False):
        till = partner_client()
        joined = {"external_id": "c-1", "first_name": "Eino", "referral_code": codes.code_of(aino, NOON)}
        send(till, "members", joined)
        bought = {
            "external_id": "r-1",
            "member": {"external_id": "c-1"},
            "kind": "purchase",
            "occurred_at": NOON.isoformat(),
            "total": "30.00",
            "currency": "EUR",
        }
        activity = send(till, "activities", bought)
        heard()
        tasks.settle()
    eino = Member.objects.get(first_name="Eino")
    assert (Referral.objects.get().state, points_for_referrals(eino)) == ("waiting", 0)
    assert not Run.objects.filter(name="referrals.settle").exists()
    with time_machine.travel(NOON + 14 * DAY, tick=False):
        tasks.settle()
        tasks.settle()
    assert (points_for_referrals(aino), points_for_referrals(eino)) == (100, 50)
    assert Run.objects.get(name="referrals.settle").done == 1
    with time_machine.travel(NOON + 20 * DAY, tick=False):
        send(till, f"activities/{activity['id']}/refunds", {"external_id": "f-1", "all": True})
        heard()
        heard()
    assert Referral.objects.get().state == "reversed"
    assert (points_for_referrals(aino), points_for_referrals(eino)) == (0, 0)
    assert verify(at=NOON + 20 * DAY) == []
