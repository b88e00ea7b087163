"""A pool of voucher codes is asked for as many as will be given, not for everybody who was looked at."""

import datetime as dt

import pytest

from campaigns import birthdays, inactivity, lifecycle, triggers
from campaigns.models import Campaign, Message
from loyalty.events.models import Event
from members.models import Member
from tests.campaigns.dispatching import DAY, HOUR
from tests.factories.campaigns import celebrant, recorder
from tests.factories.deciding import mailing, no_caps
from tests.factories.members import NOON
from tests.factories.rewards import purchase
from tests.factories.vouchers import pooled, voucher_family

pytestmark = pytest.mark.django_db
SWEDISH = {"field": "language", "op": "eq", "value": "sv"}


@pytest.fixture(autouse=True)
def _checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("campaigns.rendering.checks.problems", lambda campaign: [])


@pytest.fixture
def members() -> list[Member]:
    """Only the last is in the audience."""
    return [celebrant(language=language) for language in ("fi", "fi", "sv")]


def with_one_code(kind: str, occasion: str, *, event: str = "", days: int | None = None) -> Campaign:
    no_caps()
    family = voucher_family(source="pool")
    pooled(family, "ONE")
    campaign = mailing(
        kind=kind, occasion=occasion, event=event, days=days, audience=SWEDISH, voucher_family=family
    )
    return lifecycle.submit(campaign_id=campaign.pk, staff_id=None, at=NOON - DAY)


def given(campaign: Campaign) -> list[tuple[int, str]]:
    campaign.refresh_from_db()
    assert (campaign.status, campaign.problem) == ("running", "")
    rows = Message.objects.filter(campaign=campaign)
    return [(row.member_id, row.facts["voucher"]["code"]) for row in rows]


def test_for_those_whom_what_happened_makes_due(members: list[Member]) -> None:
    campaign = with_one_code("triggered", "event", event="member.enrolled")
    events = [
        Event.objects.create(name="member.enrolled", member_id=each.pk, occurred_at=NOON, facts={})
        for each in members
    ]
    assert triggers.notice(events) == 3
    triggers.settle_due(now=lambda: NOON, run=recorder(), until=NOON + HOUR)
    assert given(campaign) == [(members[2].pk, "ONE")]


def test_for_those_who_have_not_bought_for_so_long(members: list[Member]) -> None:
    campaign = with_one_code("triggered", "inactive", days=30)
    for each in members:
        purchase(each, total="8.00", at=NOON - dt.timedelta(days=30))
    inactivity.look(at=NOON, run=recorder())
    assert given(campaign) == [(members[2].pk, "ONE")]


@pytest.mark.parametrize("occasion", ["birthday", "anniversary"])
def test_for_those_whose_day_it_is(members: list[Member], occasion: str) -> None:
    campaign = with_one_code("recurring", occasion)
    day = dt.datetime(2026, 6, 15, 12, tzinfo=dt.UTC)
    Member.objects.update(birth_date="1990-06-15", joined_at=day.replace(year=2020))
    for _tick in range(2):
        birthdays.greet_due(at=day, run=recorder())
        assert given(campaign) == [(members[2].pk, "ONE")]


def test_a_pool_too_small_for_them_halts_the_campaign(members: list[Member]) -> None:
    campaign = with_one_code("triggered", "inactive", days=30)
    for each in (*members, celebrant(language="sv")):
        purchase(each, total="8.00", at=NOON - dt.timedelta(days=30))
    inactivity.look(at=NOON, run=recorder())
    campaign.refresh_from_db()
    assert campaign.status == "paused"
    assert not Message.objects.exists()
