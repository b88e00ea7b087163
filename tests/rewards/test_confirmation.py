"""Points pending until a partner's word: confirmed or cancelled, exactly once (FAULTS 32)."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from loyalty.events.models import Event
from members.activities import NewActivity
from members.models import Activity, Member
from rewards import ledger
from rewards.confirmation import NothingPending, cancel, confirm
from rewards.earning import record_and_reward
from rewards.ledger import Balance
from rewards.models import EarningRule, RuleBudget, RuleRevision, Transfer, Wallet
from rewards.refund_parts import Order
from rewards.refunds import refund
from rewards.terms import revised
from rewards.verification import verify
from tests.factories.members import NOON, member
from tests.factories.partners import PartnerFactory

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)


@pytest.fixture
def aino() -> Member:
    return member(partner=PartnerFactory())


def rule(code: str = "booking", wallet: Wallet | None = None, **terms: Any) -> RuleRevision:
    made = EarningRule.objects.create(code=code, names={"en": code})
    facts = {"number": 1, "priority": 20, "valid_from": NOON - 10 * DAY, "effect": "fixed", "points": 50}
    revision = RuleRevision.objects.create(
        rule=made,
        wallet=wallet or Wallet.objects.get(is_default=True),
        **facts | {"pending_confirmation": True} | terms,
    )
    revised()
    return revision


def buy(who: Member, at: dt.datetime = NOON) -> Activity:
    assert who.enrolled_by is not None
    new = NewActivity(who.enrolled_by.pk, who.pk, f"r-{at}", "purchase", at, "EUR", Decimal(10))
    return Activity.objects.get(public_id=record_and_reward(new, at=at).activity_id)


def test_confirmed_points_are_available_once(aino: Member) -> None:
    rule()
    activity = buy(aino)
    settled = confirm(activity=activity, at=NOON + DAY)

    assert (settled.points, settled.balance) == (50, Balance(available=60))
    with pytest.raises(NothingPending):
        confirm(activity=activity, at=NOON + DAY)
    with pytest.raises(NothingPending):
        cancel(activity=activity, at=NOON + DAY)
    assert Event.objects.filter(name="points.confirmed").count() == 1
    assert verify(at=NOON + DAY) == []


def test_cancelled_points_are_gone_and_free_the_budget(aino: Member) -> None:
    rule(budget=70)
    activity = buy(aino)
    assert RuleBudget.objects.get().used == 50
    settled = cancel(activity=activity, at=NOON + DAY)

    assert (settled.points, settled.balance) == (50, Balance(available=10))
    assert RuleBudget.objects.get().used == 0
    assert Event.objects.filter(name="points.cancelled").count() == 1
    assert verify(at=NOON + DAY) == []


def test_every_wallet_is_settled(aino: Member) -> None:
    status = Wallet.objects.create(code="status", names={"en": "Status"})
    ledger.open_wallet(status.pk)
    rule()
    rule("status", wallet=status, points=7)

    assert confirm(activity=buy(aino), at=NOON).points == 57


def test_a_refund_after_a_cancellation_takes_only_what_is_left(aino: Member) -> None:
    rule()
    activity = buy(aino)
    cancel(activity=activity, at=NOON + DAY)
    outcome = refund(
        activity_id=activity.pk, external_id="f-1", order=Order(everything=True), at=NOON + 2 * DAY
    )

    assert (outcome.points, outcome.forgiven, outcome.balance) == (10, 0, Balance())
    assert verify(at=NOON + 2 * DAY) == []


def test_an_activity_without_pending_points_has_nothing_to_settle(aino: Member) -> None:
    activity = buy(aino)
    for settle in (confirm, cancel):
        with pytest.raises(NothingPending):
            settle(activity=activity, at=NOON)
    assert Transfer.objects.count() == 1


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_of_a_confirmation_and_a_cancellation_at_once_exactly_one_wins(aino: Member) -> None:
    rule()
    activity = buy(aino)

    def settle(number: int) -> int:
        try:
            return (confirm if number % 2 else cancel)(activity=activity, at=NOON).points
        except NothingPending:
            return 0
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(settle, range(8))) == [0] * 7 + [50]
    assert verify(at=NOON) == []
