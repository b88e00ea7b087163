"""The day on which a member joined, as it comes round each year; the same machinery as for birthdays."""

import datetime as dt
import zoneinfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from campaigns import birthdays
from campaigns.models import Campaign, Message
from campaigns.occasions import Birthday, due_birthday, joining_day, joining_spans, unsettled_days
from members.models import Member
from rewards.models import Account
from tests.factories.campaigns import celebrant, recorder
from tests.factories.deciding import mailing, no_caps
from tests.factories.members import NOON

DAY = dt.timedelta(days=1)
ZONES = st.sampled_from(["Europe/Helsinki", "Pacific/Kiritimati", "Etc/GMT+12", "America/St_Johns"])
JOINED = st.datetimes(dt.datetime(2010, 1, 1), dt.datetime(2026, 6, 1), timezones=st.just(dt.UTC))
LOOKED = st.datetimes(dt.datetime(2026, 1, 1), dt.datetime(2030, 12, 31), timezones=st.just(dt.UTC))
FEBRUARY = st.datetimes(dt.datetime(2027, 2, 25), dt.datetime(2028, 3, 6), timezones=st.just(dt.UTC))


@given(JOINED, ZONES, LOOKED | FEBRUARY, st.integers(0, 10), st.none() | st.integers(0, 250 * 24))
@example(
    dt.datetime(2024, 2, 29, 12, tzinfo=dt.UTC),
    "Europe/Helsinki",
    dt.datetime(2027, 2, 28, 12, tzinfo=dt.UTC),
    0,
    None,
)
@example(
    dt.datetime(2020, 12, 31, 23, tzinfo=dt.UTC),
    "Etc/GMT+12",
    dt.datetime(2027, 1, 1, 11, tzinfo=dt.UTC),
    0,
    None,
)
def test_whoever_has_an_unsettled_anniversary_is_looked_for(
    joined_at: dt.datetime, zone: str, at: dt.datetime, look_back: int, outage_hours: int | None
) -> None:
    looked_at = None if outage_hours is None else at - dt.timedelta(hours=outage_hours)
    facts = Birthday(joining_day(joined_at, zone), zone, joined_at)
    decision = due_birthday(facts, at=at, look_back_days=look_back, looked_at=looked_at)
    days_back = unsettled_days(look_back_days=look_back, looked_at=looked_at, at=at)
    spans = joining_spans(at=at, days_back=days_back, since=dt.datetime(2010, 1, 1, tzinfo=dt.UTC))
    inside = [start for start, end in spans if start <= joined_at < end]
    assert len(inside) <= 1
    if decision is not None and joined_at <= at:
        assert len(inside) == 1


def anniversary(**facts: object) -> Campaign:
    no_caps()
    return mailing(
        kind="recurring", occasion="anniversary", status="running", **({"bonus_points": 50} | facts)
    )


def joined(moment: str, zone: str = "Europe/Helsinki") -> Member:
    """A member who joined at that moment of their own clock."""
    at = dt.datetime.fromisoformat(moment).replace(tzinfo=zoneinfo.ZoneInfo(zone))
    who = celebrant(time_zone=zone)
    Member.objects.filter(pk=who.pk).update(joined_at=at)
    return who


def greet(at: dt.datetime = NOON) -> tuple[int, int, int]:
    Campaign.objects.filter(code="birthday").update(status="paused")
    run = recorder(at)
    birthdays.greet_due(at=at, run=run)
    return run.row.done, run.row.skipped, run.row.failed


@pytest.mark.django_db
def test_the_day_brings_one_message_and_its_points_each_year() -> None:
    anniversary()
    who, _tomorrow, _new = joined("2023-06-15T23:30"), joined("2023-06-16T12:00"), joined("2026-06-15T08:00")
    assert greet() == (1, 0, 0)
    assert greet(NOON + dt.timedelta(hours=1)) == (0, 0, 0)
    message = Message.objects.get()
    assert (message.member, message.occasion, message.points) == (who, "anniversary:2026", 50)
    assert message.facts == {"day": "2026-06-15", "years": 3}
    assert Account.objects.get(member=who, kind="available").balance == 50
    assert greet(NOON + 365 * DAY) == (2, 1, 0)  # nobody looked for a year: one day was missed
    assert set(
        Message.objects.filter(occasion="anniversary:2027").values_list("facts__years", flat=True)
    ) == {4, 1}


@pytest.mark.django_db
def test_whoever_was_decided_about_is_looked_for_no_more() -> None:
    campaign = anniversary()
    joined("2023-06-15T12:00")
    assert len(list(birthdays.Search(campaign, at=NOON))) == 1
    assert greet() == (1, 0, 0)
    campaign.refresh_from_db()
    assert list(birthdays.Search(campaign, at=NOON + dt.timedelta(hours=1))) == []
    assert len(list(birthdays.Search(campaign, at=NOON + 365 * DAY))) == 1


@pytest.mark.django_db
def test_one_who_joined_on_a_leap_day_is_greeted_on_28_february_in_common_years() -> None:
    anniversary()
    joined("2024-02-29T12:00")
    assert greet(dt.datetime(2027, 2, 27, 12, tzinfo=dt.UTC)) == (0, 0, 0)
    assert greet(dt.datetime(2027, 2, 28, 12, tzinfo=dt.UTC)) == (1, 0, 0)
    assert greet(dt.datetime(2028, 2, 28, 12, tzinfo=dt.UTC)) == (0, 0, 0)
    assert greet(dt.datetime(2028, 2, 29, 12, tzinfo=dt.UTC)) == (1, 0, 0)


@pytest.mark.django_db
def test_a_zone_moved_across_new_year_brings_no_second_gift() -> None:
    anniversary()
    who = joined("2020-12-31T20:00", "Pacific/Kiritimati")
    start = dt.datetime(2026, 12, 30, 12, tzinfo=dt.UTC)
    for hours in range(0, 96, 6):
        greet(start + dt.timedelta(hours=hours))
        Member.objects.filter(pk=who.pk).update(time_zone="Etc/GMT+12")
    assert Account.objects.get(member=who, kind="available").balance == 50
    assert Message.objects.filter(status="due").count() == 1


@pytest.mark.django_db
def test_a_missed_day_is_made_good_or_told_of_as_too_late() -> None:
    anniversary(looked_at=NOON - 6 * DAY)
    for day in ("10", "13"):
        joined(f"2021-06-{day}T12:00")
    assert greet() == (1, 1, 0)
    assert list(Message.objects.order_by("member_id").values_list("reason", "points")) == [
        ("too_late", 0),
        ("", 50),
    ]
