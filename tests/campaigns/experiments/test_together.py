"""What all campaigns together were worth: those held out of everything beside the others."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import translation
from pytest_django import DjangoAssertNumQueries, Settings

from campaigns.experiments import together
from campaigns.experiments.assignment import share_of
from campaigns.experiments.figures import Verdict
from campaigns.experiments.together_wording import show
from campaigns.models import Campaign, SendingPolicy
from loyalty import clock
from members.models import Activity, Member
from rewards.refunds import Order, refund
from tests.factories.campaigns import MessageFactory
from tests.factories.members import NOON, member
from tests.factories.rewards import purchase
from tests.factories.staff import logged_in, staff

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def english(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    settings.LANGUAGE_CODE = "en"
    monkeypatch.setattr(clock, "now", lambda: NOON)
    with translation.override("en"):
        yield


@pytest.fixture
def half() -> SendingPolicy:
    """Half of all members are held out of everything."""
    SendingPolicy.objects.filter(pk=1).update(global_hold_out_percent=50, global_hold_out_key="k")
    return SendingPolicy.objects.get(pk=1)


def people(count: int) -> tuple[list[Member], list[Member]]:
    """Members of long ago: those held out, and the others; at least ``count`` on each side."""
    held: list[Member] = []
    others: list[Member] = []
    while min(len(held), len(others)) < count:
        someone = member(at=NOON - 400 * DAY)
        (held if share_of("global:k", someone.pk) < 0.5 else others).append(someone)
    return held, others


def test_the_database_draws_the_same_members_as_the_decisions_do() -> None:
    keys = ["global:1", "global:ä", "x:hold-out"]
    with connection.cursor() as cursor:
        for key in keys:
            cursor.execute(
                f"SELECT member.id, {together.SHARE} FROM generate_series(1, 2000) AS member (id)",
                {"key": key},
            )
            assert all(share == share_of(key, id_) for id_, share in cursor.fetchall())


def test_revenue_and_buyers_are_counted_on_the_side_of_the_hash(half: SendingPolicy) -> None:
    held, others = people(3)
    purchase(held[0], total="10.00", at=NOON - DAY)
    bought = purchase(others[0], total="100.00", at=NOON - 2 * DAY)
    purchase(others[0], total="20.00", at=NOON - DAY)
    purchase(others[1], total="999.00", at=NOON - 91 * DAY)
    refund(
        activity_id=Activity.objects.get(public_id=bought.activity_id).pk,
        external_id="r1",
        order=Order(amount=Decimal("30.00")),
        at=NOON - DAY,
    )
    Member.objects.filter(pk=others[2].pk).update(status="closed")
    found = together.compute(at=NOON)
    assert (found.held_out.members, found.held_out.conversions, found.held_out.revenue) == (len(held), 1, 10)
    assert (found.others.members, found.others.conversions, found.others.revenue) == (
        len(others) - 1,
        1,
        90,
    )
    assert together.compute(at=NOON, days=180).others.revenue == 1089


def test_it_is_measured_from_when_the_hold_out_became_what_it_is(half: SendingPolicy) -> None:
    changes = ((30, 1), (10, 2), (5, 2))
    for days_ago, percent in changes:
        half.global_hold_out_percent = percent
        half._history_date = NOON - days_ago * DAY
        half.save()
    found = together.compute(at=NOON)
    assert found.since == found.began == NOON - 10 * DAY
    assert together.compute(at=NOON, days=7).since == NOON - 7 * DAY


def test_costs_are_those_of_what_both_sides_do_not_get(half: SendingPolicy) -> None:
    _held, others = people(1)
    common = {
        "member": others[0],
        "arm": "treated",
        "points": 100,
        "cost": Decimal("0.05"),
        "due_at": NOON - DAY,
    }
    MessageFactory(**common)
    MessageFactory(**{**common, "due_at": NOON - 100 * DAY})
    MessageFactory(**{**common, "arm": "held_out"})
    service = Campaign.objects.create(code="account", names={"en": "Account"}, purpose="service")
    MessageFactory(**common, campaign=service)
    found = together.compute(at=NOON)
    assert found.messages == 1
    assert found.lift is not None
    assert found.lift.cost == pytest.approx(100 * float(half.value_of_a_point) + 0.05)


def test_a_clear_gain_is_said_and_little_is_called_not_enough(half: SendingPolicy) -> None:
    held, others = people(12)
    assert together.compute(at=NOON).verdict is Verdict.NOT_ENOUGH
    assert "Not enough yet" in show(together.compute(at=NOON)).headline
    for number, someone in enumerate(others):
        purchase(someone, total=f"{100 + number}.00", at=NOON - DAY)
    for number, someone in enumerate(held):
        purchase(someone, total=f"{10 + number}.00", at=NOON - DAY)
    found = together.compute(at=NOON)
    assert found.verdict is Verdict.GAIN
    assert found.lift is not None
    assert found.lift.revenue_each is not None
    assert found.lift.revenue == pytest.approx(found.lift.revenue_each.value * len(others))
    assert "because of all campaigns together" in show(found).headline


def test_it_takes_the_same_few_statements_however_many_members(
    half: SendingPolicy, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    people(5)
    with django_assert_max_num_queries(10):
        together.compute(at=NOON)


def test_who_waits_too_long_is_told_so(half: SendingPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "_COSTS", "SELECT 0, 0, 0, 0 FROM pg_sleep(5)")
    with pytest.raises(together.TakesTooLong):
        together.compute(at=NOON, patience=dt.timedelta(milliseconds=50))
    assert SendingPolicy.objects.filter(pk=1).exists()  # the connection goes on


def test_the_page_says_plainly_that_nobody_is_held_out_and_shows_the_chart_when_some_are() -> None:
    marketer: Client = logged_in(staff(superuser=True))
    address = reverse("admin:campaigns_sendingpolicy_together")
    policy_page = marketer.get(reverse("admin:campaigns_sendingpolicy_change", args=[1])).content.decode()
    assert address in policy_page
    assert 'name="leap_day"' in policy_page
    page = marketer.get(address).content.decode()
    assert "Nobody is held out of everything" in page
    assert "<svg" not in page.split('id="k-verdict"')[1].split("</section>")[0]
    SendingPolicy.objects.filter(pk=1).update(global_hold_out_percent=50, global_hold_out_key="k")
    _held, others = people(2)
    purchase(others[0], total="100.00", at=NOON - DAY)
    page = marketer.get(address, {"days": "30"}).content.decode()
    assert "Held out of everything" in page
    assert "revenue a member" in page
    assert logged_in(staff()).get(address).status_code == 403
