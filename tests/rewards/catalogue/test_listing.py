"""The catalogue as a member finds it: what they can get first, and what is not theirs to see not at all."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from members.models import Member, Tier
from rewards.catalogue import stock
from rewards.catalogue.favourites import mark
from rewards.catalogue.listing import Sort, listing
from rewards.catalogue.stock import StockBelowTaken
from rewards.models import RewardCategory, RewardStock
from tests.factories.catalogue import points, reward
from tests.factories.members import NOON, member

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)


@pytest.fixture
def aino() -> Member:
    who = member()
    points(who, 500)
    return who


def codes(who: Member, **asked: object) -> list[str]:
    return [each.reward.code for each in listing(who, at=NOON, **asked)]  # type: ignore[arg-type]


def test_affordable_first_then_nearly_then_locked_then_gone(aino: Member) -> None:
    gone = reward("gone", points=10)
    stock.set_total(reward_id=gone.pk, total=0)
    reward("gold-only", points=50, minimum_tier=Tier.objects.get(code="gold"))
    reward("far", points=9_000)
    reward("near", points=520)
    reward("dear", points=500)
    reward("cheap", points=100)
    assert codes(aino) == ["cheap", "dear", "near", "far", "gold-only", "gone"]
    assert codes(aino, sort=Sort.CHEAPEST) == ["gone", "gold-only", "cheap", "dear", "near", "far"]
    assert codes(aino, sort=Sort.NEWEST) == ["cheap", "dear", "near", "far", "gold-only", "gone"]
    assert codes(aino, only_available=True) == ["cheap", "dear"]


def test_what_is_not_theirs_to_see_is_not_listed(aino: Member) -> None:
    reward("draft", is_active=False)
    reward("ended", closes_at=NOON)
    reward("far-ahead", opens_at=NOON + 31 * DAY)
    reward("for-swedish", conditions={"field": "language", "op": "eq", "value": "sv"})
    reward("soon", opens_at=NOON + 29 * DAY)
    assert codes(aino) == ["soon"]


def test_filters_by_shelf_tag_and_heart(aino: Member) -> None:
    shelf = RewardCategory.objects.create(code="cafe", names={"en": "Café"})
    coffee = reward("coffee", category=shelf, tags=["hot", "drink"])
    reward("juice", tags=["drink"])
    mark(member_id=aino.pk, reward=coffee, at=NOON)
    assert (
        codes(aino, category="cafe")
        == codes(aino, tag="hot")
        == codes(aino, only_favourites=True)
        == ["coffee"]
    )
    assert codes(aino, tag="drink") == ["coffee", "juice"]
    assert codes(aino, category="nowhere") == []


def test_the_list_costs_the_same_for_one_reward_and_for_thirty(aino: Member) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            found = listing(aino, at=NOON)
            assert all(each.name and each.reward.category is not None for each in found)
        return len(queries)

    shelf = RewardCategory.objects.create(code="cafe", names={"en": "Café"})
    facts = {"category": shelf, "limit_per_member": 3, "limit_in_all": 90}
    reward(**facts)
    cost()
    one = cost()
    for _number in range(29):
        reward(**facts)
    assert cost() == one <= 9


def test_stock_never_goes_under_what_is_taken() -> None:
    given = reward()
    assert stock.set_total(reward_id=given.pk, total=10)
    RewardStock.objects.filter(reward=given).update(taken=4)
    with pytest.raises(StockBelowTaken) as refused:
        stock.set_total(reward_id=given.pk, total=3)
    assert str(refused.value) == "Members have taken 4 already: there cannot be fewer in all."
    assert RewardStock.objects.values_list("total", "taken").get() == (10, 4)
    assert stock.set_total(reward_id=given.pk, total=4)
    assert not stock.set_total(reward_id=given.pk, total=4)
    assert RewardStock.objects.get().left == 0
    assert stock.set_total(reward_id=given.pk, total=None)
    assert not RewardStock.objects.exists()
    assert not stock.set_total(reward_id=given.pk, total=None)
