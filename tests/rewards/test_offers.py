"""A personal offer counts for a member from the moment they activate it until it ends."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from members.activities import NewActivity
from members.models import Member
from rewards.earning import record_and_reward
from rewards.models import EarningRule, OfferActivation, RuleRevision, Wallet
from rewards.offers import OfferNotFound, activate, offers_for
from rewards.terms import revised
from tests.factories.members import NOON, member
from tests.factories.partners import PartnerFactory

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def _english() -> object:
    with translation.override("en"):
        yield


@pytest.fixture
def aino() -> Member:
    return member(partner=PartnerFactory())


def offer(code: str = "autumn", **terms: Any) -> RuleRevision:
    made = EarningRule.objects.create(code=code, names={"en": code.capitalize()})
    facts = {
        "number": 1, "priority": 20, "valid_from": NOON - 10 * DAY, "valid_to": NOON + 10 * DAY,
        "effect": "fixed", "points": 50, "needs_activation": True,
    }  # fmt: skip
    revision = RuleRevision.objects.create(
        rule=made, wallet=Wallet.objects.get(is_default=True), **facts | terms
    )
    revised()
    return revision


def earned(who: Member, at: dt.datetime) -> dict[str, int]:
    assert who.enrolled_by is not None
    new = NewActivity(who.enrolled_by.pk, who.pk, f"r-{at}", "purchase", at, "EUR", Decimal(10))
    return {reason.rule: reason.points for reason in record_and_reward(new, at=at).reasons}


def test_the_rule_counts_only_after_the_activation_and_until_it_ends(aino: Member) -> None:
    offer()
    assert earned(aino, NOON) == {"base": 10}
    activate(member=aino, code="autumn", at=NOON + DAY)

    assert earned(aino, NOON + dt.timedelta(hours=1)) == {"base": 10}  # before it was activated, sent late
    assert earned(aino, NOON + 2 * DAY) == {"base": 10, "autumn": 50}
    assert earned(aino, NOON + 10 * DAY) == {"base": 10}


def test_it_counts_for_nobody_else(aino: Member) -> None:
    offer()
    eero = member(partner=aino.enrolled_by)
    activate(member=aino, code="autumn", at=NOON)

    assert earned(eero, NOON + DAY) == {"base": 10}


def test_activating_again_changes_nothing(aino: Member) -> None:
    offer()
    first = activate(member=aino, code="autumn", at=NOON)
    again = activate(member=aino, code="autumn", at=NOON + DAY)

    assert first.activated_at == again.activated_at == NOON
    assert OfferActivation.objects.count() == 1


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_two_activations_at_once_are_one(aino: Member) -> None:
    offer()

    def press(_number: int) -> bool:
        try:
            return activate(member=aino, code="autumn", at=NOON).is_active
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(press, range(8)))
    assert OfferActivation.objects.count() == 1


@pytest.mark.parametrize(
    "terms",
    [
        {"valid_from": NOON + DAY},
        {"valid_to": NOON},
        {"needs_activation": False},
        {"conditions": {"field": "tier", "op": "eq", "value": "gold"}},
        {"conditions": {"field": "member.language", "op": "eq", "value": "fi"}},
    ],
)
def test_what_is_not_open_to_the_member_is_neither_shown_nor_activated(
    aino: Member, terms: dict[str, Any]
) -> None:
    offer(**terms)
    assert offers_for(aino, at=NOON) == []
    with pytest.raises(OfferNotFound):
        activate(member=aino, code="autumn", at=NOON)
    assert not OfferActivation.objects.exists()


def test_a_rule_switched_off_is_no_offer(aino: Member) -> None:
    offer()
    EarningRule.objects.filter(code="autumn").update(is_active=False)
    revised()
    assert offers_for(aino, at=NOON) == []


def test_conditions_about_the_purchase_do_not_hide_the_offer(aino: Member) -> None:
    offer(conditions={"all": [{"field": "total", "op": "ge", "value": "5"},
                              {"field": "member.language", "op": "eq", "value": "en"}]})  # fmt: skip
    (shown,) = offers_for(aino, at=NOON)
    assert (shown.name, shown.gives) == ("Autumn", "50 points")
    assert "total is at least 5" in shown.when.lower()


def test_the_cap_says_what_is_left_of_it(aino: Member) -> None:
    offer(cap_per_member=120, cap_period="month", cap_per_activity=50)
    activate(member=aino, code="autumn", at=NOON)
    earned(aino, NOON + DAY)
    (shown,) = offers_for(aino, at=NOON + DAY)

    assert (shown.cap_per_member, shown.cap_period, shown.left) == (120, "month", 70)


def test_offers_to_activate_come_first_then_those_that_end_soonest(aino: Member) -> None:
    offer("later", valid_to=None)
    offer("soon", valid_to=NOON + DAY)
    offer("taken", valid_to=NOON + DAY / 2)
    activate(member=aino, code="taken", at=NOON)
    assert [shown.code for shown in offers_for(aino, at=NOON)] == ["soon", "later", "taken"]


def test_one_and_ten_offers_cost_the_same(aino: Member) -> None:
    counts = []
    for number in (1, 9):
        for place in range(number):
            offer(f"offer-{number}-{place}", cap_per_member=100)
        offers_for(aino, at=NOON)
        with CaptureQueriesContext(connection) as queries:
            offers_for(aino, at=NOON)
        counts.append(len(queries))
    assert counts[0] == counts[1]
