"""A replay gives and takes what is limited in the very order in which the ledger did."""

import datetime as dt
import threading
from decimal import Decimal
from typing import Any

import pytest
from django.db import connections

from loyalty.models import Partner
from members.activities import LineFacts
from members.models import Activity, Member
from rewards import earning, refunds, terms
from rewards.earning import record_and_reward
from rewards.models import RuleRevision
from rewards.replay import Period
from tests.rewards.random_terms import HOUR, START, activity, comparison, people
from tests.rewards.test_backtest import DAY, count_by, of_the_ledger, of_the_replay, result_of, review
from tests.rewards.test_usage import rule

pytestmark = pytest.mark.django_db
Shop = tuple[Partner, list[Member]]


@pytest.fixture
def shop() -> Shop:
    return people()


def buy(
    shop: Shop, who: int, number: int, on: dt.datetime, total: str = "3.00", *, at: dt.datetime | None = None
) -> Activity:
    partner, members = shop
    lines = (LineFacts("bun", "PASTRY", "Food", Decimal(1), Decimal(total)),)
    record_and_reward(activity(partner, members[who], number, on, "purchase", lines), at=at or on)
    return Activity.objects.get(external_id=f"a{number}")


def give_back(made: Activity, at: dt.datetime, *, amount: str = "") -> None:
    order = refunds.Order(amount=Decimal(amount)) if amount else refunds.Order(everything=True)
    refunds.refund(activity_id=made.pk, external_id=f"{made.external_id} {at}", order=order, at=at)


def extra(given: Any) -> dict[int, int]:
    """Points of the rule “extra”, by activity."""
    return {activity_id: points for (activity_id, code), points in given.items() if code == "extra"}


def test_a_budget_freed_by_a_refund_goes_to_the_purchase_that_came_next(shop: Shop) -> None:
    """…which is another member's: the replay must not wait until the refunded member comes again."""
    rule("extra", points=1, budget=1)
    first = buy(shop, 0, 1, START)
    give_back(first, START + HOUR)
    second = buy(shop, 1, 2, START + 2 * HOUR)
    buy(shop, 0, 3, START + 3 * HOUR)
    assert extra(of_the_ledger()) == {first.pk: 1, second.pk: 1}
    assert of_the_replay() == of_the_ledger()


def test_a_budget_freed_before_the_period_and_taken_after_it_counts_in_its_turn(shop: Shop) -> None:
    rule("extra", points=1, budget=2)
    before = buy(shop, 0, 1, START - 9 * DAY)
    buy(shop, 1, 2, START - 8 * DAY)
    nothing = buy(shop, 1, 3, START)
    give_back(before, START + HOUR)
    something = buy(shop, 1, 4, START + 2 * HOUR)
    give_back(something, START + 3 * HOUR)
    buy(shop, 0, 5, START + 20 * DAY)  # after the period, but recorded before its last purchase
    buy(shop, 0, 6, START + 4 * HOUR, at=START + 21 * DAY)
    period = Period(START - HOUR, START + DAY)
    assert (nothing.pk in extra(of_the_ledger()), extra(of_the_ledger(period))) == (False, {something.pk: 1})
    assert of_the_replay(period=period) == of_the_ledger(period)


def test_a_revision_without_a_budget_took_nothing_of_it(shop: Shop) -> None:
    made = rule("extra", points=5)
    old = made.revisions.get()
    buy(shop, 0, 1, START)
    RuleRevision.objects.filter(pk=old.pk).update(valid_to=START + DAY)
    old.pk, old.number, old.valid_from, old.valid_to, old.budget = None, 2, START + DAY, None, 7
    old.save(force_insert=True)
    terms.revised()
    for number in (2, 3):
        buy(shop, 1, number, START + number * DAY)
    assert sorted(extra(of_the_ledger()).values()) == [2, 5, 5]
    for period in (Period(START - DAY, START + 9 * DAY), Period(START + DAY, START + 9 * DAY)):
        assert of_the_replay(period=period) == of_the_ledger(period)


def test_what_a_review_took_after_a_refund_is_not_given_again(shop: Shop) -> None:
    """Silver by a purchase, refunded, and bronze again by the review, all before the period begins."""
    large = buy(shop, 0, 1, START, "1500.00")
    give_back(large, START + DAY)
    assert review(START + 2 * DAY) == 1
    buy(shop, 0, 2, START + 10 * DAY, "100.00")
    period = Period(START + 9 * DAY, START + 11 * DAY)
    assert {code for _id, code in of_the_ledger(period)} == {"base"}
    assert of_the_replay(period=period) == of_the_ledger(period)
    assert result_of(period=period)["moves"] == [{"from": "bronze", "to": "bronze", "members": 1}]


@pytest.mark.parametrize("basis", ["spend", "purchases"])
@pytest.mark.parametrize("begins", [-1, 4])
def test_refunds_count_off_where_tiers_count_money_or_purchases(shop: Shop, basis: str, begins: int) -> None:
    count_by(basis)
    made = [buy(shop, 0, day, START + day * DAY, "900.00") for day in (1, 2)]
    give_back(made[0], START + 3 * DAY)
    assert review(START + 3 * DAY + HOUR) == 1
    later = [buy(shop, 0, day, START + day * DAY, "700.00") for day in (5, 6, 7)]
    period = Period(START + begins * DAY, START + 9 * DAY)
    bonus = {id_ for id_, code in of_the_ledger(period) if code == "tier bonus"}
    assert bonus == {later[1].pk, later[2].pk}
    assert of_the_replay(period=period) == of_the_ledger(period)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
@pytest.mark.parametrize(
    "limits",
    [
        {"cap_per_member": 7, "cap_period": "month"},
        {"budget": 7},
        {"conditions": comparison("purchase_number", "le", 1)},
    ],
)
def test_two_tills_at_once_are_replayed_in_the_order_of_the_ledger(
    monkeypatch: pytest.MonkeyPatch, limits: dict[str, Any]
) -> None:
    """The first purchase is written first, but waits for its turn at the member's accounts until the second is done."""
    shop = people()
    buy(shop, 1, 0, START)  # so that what is sold is known; before the rule, and before the period
    rule("extra", points=5, **limits)
    written, go_on = threading.Event(), threading.Event()
    plain = earning.activities.record_many

    def record_many(items: Any, *, at: dt.datetime) -> Any:
        found = plain(items, at=at)
        if items[0].external_id == "a1":
            written.set()
            assert go_on.wait(20)
        return found

    monkeypatch.setattr(earning.activities, "record_many", record_many)
    errors: list[Exception] = []

    def till() -> None:
        try:
            buy(shop, 0, 1, START + HOUR)
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    other = threading.Thread(target=till)
    other.start()
    assert written.wait(20)
    second = buy(shop, 0, 2, START + HOUR)
    go_on.set()
    other.join()
    assert errors == []
    first = Activity.objects.get(external_id="a1")
    assert first.pk < second.pk
    assert extra(of_the_ledger()) == {second.pk: 5, first.pk: 5 if "conditions" in limits else 2}
    period = Period(START + HOUR, START + DAY)
    assert of_the_replay(period=period) == of_the_ledger(period)
