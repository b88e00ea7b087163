"""Days that pass since a purchase, of anything or of a product: each last purchase is one occasion."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns import inactivity, lifecycle
from campaigns.models import Campaign, Message
from members.activities import LineFacts
from members.models import Activity, Member
from tests.factories.campaigns import celebrant, recorder
from tests.factories.deciding import mailing, no_caps
from tests.factories.members import NOON
from tests.factories.rewards import purchase

pytestmark = pytest.mark.django_db
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
BEANS = {"field": "sku", "op": "eq", "value": "BEANS"}


@pytest.fixture(autouse=True)
def _checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("campaigns.rendering.checks.problems", lambda campaign: [])


def missing(occasion: str = "inactive", **facts: Any) -> Campaign:
    no_caps()
    campaign = mailing(kind="triggered", occasion=occasion, **({"days": 30} | facts))
    return lifecycle.submit(campaign_id=campaign.pk, staff_id=None, at=NOON - DAY)


def look(at: dt.datetime = NOON) -> tuple[int, int, int]:
    run = recorder(at)
    inactivity.look(at=at, run=run)
    return run.row.done, run.row.skipped, run.row.failed


def buy(who: Member, days_ago: float, sku: str = "BEANS") -> int:
    """A purchase so many days before noon; its number."""
    line = LineFacts(sku, "COFFEE", "FOOD", Decimal(1), Decimal("8.00"))
    purchase(who, total="8.00", at=NOON - dt.timedelta(days=days_ago), lines=(line,))
    return Activity.objects.filter(member=who).latest("pk").pk


def test_whoever_has_not_bought_for_so_long_is_written_to_once() -> None:
    missing()
    lapsed, active, never = celebrant(), celebrant(), celebrant()
    buy(lapsed, 40)
    last = buy(lapsed, 30)
    buy(active, 30)
    buy(active, 2)
    assert look(NOON - HOUR) == (0, 0, 0)
    assert look() == (1, 0, 0)
    assert look() == look(NOON + DAY) == (0, 0, 0)
    message = Message.objects.get()
    assert (message.member, message.occasion) == (lapsed, f"inactive:{last}")
    assert message.facts == {"activity_id": last, "days": 30}
    assert never.pk not in Message.objects.values_list("member", flat=True)


def test_a_new_purchase_makes_a_new_occasion() -> None:
    missing()
    who = celebrant()
    buy(who, 30)
    assert look() == (1, 0, 0)
    buy(who, -5)
    assert look(NOON + 34 * DAY) == (0, 0, 0)
    assert look(NOON + 35 * DAY) == (1, 0, 0)


def test_what_fell_due_long_before_the_campaign_began_is_nobodys_occasion() -> None:
    missing(look_back_days=3)
    recently, long_ago = celebrant(), celebrant()
    buy(recently, 32.9)
    buy(long_ago, 33.1)
    assert look() == (1, 0, 0)
    assert Message.objects.get().member == recently


def test_an_outage_is_made_good_within_the_look_back_and_told_of_after_it() -> None:
    missing(look_back_days=3)
    assert look() == (0, 0, 0)
    for days in (29, 27, 24):
        buy(celebrant(), days)
    assert look(NOON + 6 * DAY) == (2, 1, 0)
    assert sorted(Message.objects.values_list("status", "reason")) == [
        ("due", ""),
        ("due", ""),
        ("skipped", "too_late"),
    ]


def test_running_out_of_a_product_counts_from_the_last_time_it_was_bought() -> None:
    missing("replenish", days=14, event_conditions=BEANS)
    out, stocked, other = celebrant(), celebrant(), celebrant()
    beans = buy(out, 14)
    buy(out, 3, "TEA")
    buy(stocked, 14)
    buy(stocked, 5)
    buy(other, 14, "TEA")
    assert look() == (1, 0, 0)
    message = Message.objects.get()
    assert (message.member, message.occasion) == (out, f"replenish:{beans}")


def test_only_the_audience_is_written_to() -> None:
    missing(audience={"field": "language", "op": "eq", "value": "fi"})
    aino, linnea = celebrant(language="fi"), celebrant(language="sv")
    for who in (aino, linnea):
        buy(who, 30)
    assert look() == (1, 0, 0)
    assert Message.objects.get().member == aino


def test_members_who_left_and_paused_campaigns_are_passed_over() -> None:
    campaign = missing()
    who = celebrant()
    buy(who, 30)
    lifecycle.pause(campaign_id=campaign.pk, staff_id=None, at=NOON)
    assert look() == (0, 0, 0)
    lifecycle.resume(campaign_id=campaign.pk, staff_id=None, at=NOON)
    Member.objects.filter(pk=who.pk).update(status=Member.Status.CLOSED)
    assert look() == (0, 0, 0)
    assert not Message.objects.exists()


def test_pages_find_everybody_at_a_cost_that_members_do_not_add_to(monkeypatch: pytest.MonkeyPatch) -> None:
    missing()
    members = [celebrant() for _ in range(5)]
    for who in members:
        buy(who, 30)
    with CaptureQueriesContext(connection) as captured:
        assert look() == (5, 0, 0)
    many = len(captured)
    buy(members[0], 20)
    with CaptureQueriesContext(connection) as captured:
        assert look(NOON + 10 * DAY) == (1, 0, 0)
    assert len(captured) == many
    monkeypatch.setattr(inactivity, "PAGE", 2)
    for who in members:
        buy(who, 10)
    assert look(NOON + 20 * DAY) == (5, 0, 0)
