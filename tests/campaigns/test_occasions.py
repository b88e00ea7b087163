"""Whose day it is, judged against a naive model that walks through the calendar day by day."""

import calendar
import datetime as dt
import itertools
import zoneinfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from campaigns.occasions import (
    Birthday,
    Decision,
    LeapDay,
    Verdict,
    birthday_in,
    candidate_days,
    due_birthday,
    latest_birthday,
    unsettled_days,
)

UTC = dt.UTC
LONG_AGO = dt.datetime(2000, 1, 1, tzinfo=UTC)
ZONES = st.sampled_from(
    [
        "Europe/Helsinki",
        "Pacific/Kiritimati",
        "Etc/GMT+12",
        "Asia/Kathmandu",
        "America/St_Johns",
        "Pacific/Apia",
    ]
)
BIRTH_DATES = st.dates(dt.date(1920, 1, 1), dt.date(2020, 12, 31)) | st.sampled_from(
    [
        dt.date(2000, 2, 29),
        dt.date(1999, 2, 28),
        dt.date(1980, 12, 31),
        dt.date(1980, 1, 1),
        dt.date(1980, 3, 1),
    ]
)
NEW_YEAR = st.datetimes(dt.datetime(2026, 12, 30), dt.datetime(2027, 1, 2, 23), timezones=st.just(UTC))
LEAP_TIMES = st.datetimes(dt.datetime(2028, 2, 27), dt.datetime(2028, 3, 5), timezones=st.just(UTC))
COMMON_MARCH = st.datetimes(dt.datetime(2027, 2, 27), dt.datetime(2027, 3, 5), timezones=st.just(UTC))
MOMENTS = st.datetimes(dt.datetime(2024, 1, 1), dt.datetime(2029, 12, 31), timezones=st.just(UTC))


LEAP_DAYS = st.sampled_from(LeapDay)


def is_birthday(birth_date: dt.date, day: dt.date, leap_day: LeapDay = LeapDay.BEFORE) -> bool:
    """The model: said in words, without arithmetic."""
    if day.year <= birth_date.year:
        return False
    if (day.month, day.day) == (birth_date.month, birth_date.day):
        return True
    kept_on = {LeapDay.BEFORE: (2, 28), LeapDay.AFTER: (3, 1)}[leap_day]
    is_kept = (day.month, day.day) == kept_on and not calendar.isleap(day.year)
    return is_kept and (birth_date.month, birth_date.day) == (2, 29)


@pytest.mark.parametrize(
    ("year", "day"), [(2023, (2, 28)), (2024, (2, 29)), (2100, (2, 28)), (2000, (2, 29)), (2027, (2, 28))]
)
def test_a_leap_day_is_kept_on_28_february_in_common_years(year: int, day: tuple[int, int]) -> None:
    assert birthday_in(dt.date(1988, 2, 29), year) == dt.date(year, *day)


@pytest.mark.parametrize(("year", "day"), [(2023, (3, 1)), (2024, (2, 29)), (2100, (3, 1)), (2000, (2, 29))])
def test_a_leap_day_is_kept_on_1_march_where_the_policy_says_so(year: int, day: tuple[int, int]) -> None:
    assert birthday_in(dt.date(1988, 2, 29), year, LeapDay.AFTER) == dt.date(year, *day)


def test_nobody_has_a_birthday_in_the_year_of_birth() -> None:
    assert latest_birthday(dt.date(2026, 3, 1), dt.date(2026, 11, 1)) is None
    assert latest_birthday(dt.date(2026, 3, 1), dt.date(2027, 2, 28)) is None
    assert latest_birthday(dt.date(2026, 3, 1), dt.date(2027, 3, 1)) == dt.date(2027, 3, 1)


@given(
    BIRTH_DATES,
    ZONES,
    MOMENTS | NEW_YEAR | LEAP_TIMES | COMMON_MARCH,
    st.integers(0, 10),
    st.none() | st.integers(0, 400),
    LEAP_DAYS,
)
@example(
    dt.date(1980, 12, 31), "Etc/GMT+12", dt.datetime(2027, 1, 1, 11, 59, tzinfo=UTC), 0, None, LeapDay.BEFORE
)
@example(
    dt.date(1980, 1, 1),
    "Pacific/Kiritimati",
    dt.datetime(2026, 12, 31, 10, tzinfo=UTC),
    0,
    None,
    LeapDay.AFTER,
)
@example(dt.date(2000, 2, 29), "Etc/GMT+12", dt.datetime(2027, 3, 2, 11, tzinfo=UTC), 0, None, LeapDay.AFTER)
def test_a_birthday_is_unsettled_exactly_when_the_calendar_says_so(
    birth_date: dt.date,
    zone: str,
    at: dt.datetime,
    look_back: int,
    outage_hours: int | None,
    leap_day: LeapDay,
) -> None:
    """The model looks at each day of the look-back, now and at the last look, one after the other."""
    looked_at = None if outage_hours is None else at - dt.timedelta(hours=outage_hours)

    def open_days(moment: dt.datetime) -> list[dt.date]:
        today = moment.astimezone(zoneinfo.ZoneInfo(zone)).date()
        days = [today - dt.timedelta(days=age) for age in range(look_back + 1)]
        return [day for day in days if is_birthday(birth_date, day, leap_day)]

    hours = range(outage_hours or 0)
    missed = [day for hour in hours for day in open_days(at - dt.timedelta(hours=hour + 1))]
    expected = None
    if now_open := open_days(at):
        expected = Decision(now_open[0], Verdict.GREET)
    elif missed:
        expected = Decision(missed[0], Verdict.TOO_LATE)
    facts = Birthday(birth_date, zone, joined_at=LONG_AGO)
    found = due_birthday(facts, at=at, look_back_days=look_back, looked_at=looked_at, leap_day=leap_day)
    assert found == expected


@given(
    BIRTH_DATES,
    ZONES,
    MOMENTS | NEW_YEAR | LEAP_TIMES | COMMON_MARCH,
    st.integers(0, 10),
    st.none() | st.integers(0, 250 * 24),
    LEAP_DAYS,
)
def test_whoever_has_an_unsettled_birthday_is_among_the_candidates(
    birth_date: dt.date,
    zone: str,
    at: dt.datetime,
    look_back: int,
    outage_hours: int | None,
    leap_day: LeapDay,
) -> None:
    looked_at = None if outage_hours is None else at - dt.timedelta(hours=outage_hours)
    facts = Birthday(birth_date, zone, joined_at=LONG_AGO)
    decision = due_birthday(facts, at=at, look_back_days=look_back, looked_at=looked_at, leap_day=leap_day)
    days_back = unsettled_days(look_back_days=look_back, looked_at=looked_at, at=at)
    days = list(candidate_days(at=at, days_back=days_back, leap_day=leap_day))
    assert len({(month, day) for month, day, _year in days}) == len(days)
    if decision is not None:
        assert (birth_date.month, birth_date.day, decision.day.year) in days


def test_whoever_joined_after_the_day_has_missed_nothing() -> None:
    at = dt.datetime(2026, 5, 3, 12, tzinfo=UTC)
    born = dt.date(1990, 5, 2)
    joined_next_day = Birthday(born, "Europe/Helsinki", joined_at=dt.datetime(2026, 5, 2, 21, 0, tzinfo=UTC))
    joined_that_day = Birthday(born, "Europe/Helsinki", joined_at=dt.datetime(2026, 5, 2, 20, 59, tzinfo=UTC))
    assert due_birthday(joined_next_day, at=at, look_back_days=3, looked_at=None) is None
    assert due_birthday(joined_that_day, at=at, look_back_days=3, looked_at=None) == Decision(
        dt.date(2026, 5, 2), Verdict.GREET
    )


@given(
    BIRTH_DATES,
    ZONES,
    st.lists(
        st.tuples(st.integers(1, 200), st.one_of(st.none(), BIRTH_DATES), st.one_of(st.none(), ZONES)),
        max_size=40,
    ),
)
def test_ticks_with_changing_birthdays_zones_and_outages_never_give_twice(
    birth_date: dt.date, zone: str, ticks: list[tuple[int, dt.date | None, str | None]]
) -> None:
    """Ticks hours to days apart, the member changing birthday and zone between: at most one gift in 300 days,
    one settled row a year, and a gift for whoever changes nothing."""
    at = looked_at = dt.datetime(2025, 1, 1, tzinfo=UTC)
    gifts: list[dt.datetime] = []
    settled: dict[str, Verdict] = {}
    for hours, new_birth_date, new_zone in ticks:
        at += dt.timedelta(hours=hours)
        birth_date, zone = new_birth_date or birth_date, new_zone or zone
        facts = Birthday(birth_date, zone, LONG_AGO, gifts[-1] if gifts else None)
        decision = due_birthday(facts, at=at, look_back_days=3, looked_at=looked_at)
        looked_at = at
        if decision is None or decision.occasion in settled:
            continue
        settled[decision.occasion] = decision.verdict
        if decision.verdict is Verdict.GREET:
            gifts.append(at)
    assert all(later - earlier >= dt.timedelta(days=300) for earlier, later in itertools.pairwise(gifts))


@given(BIRTH_DATES, ZONES, st.lists(st.integers(1, 24 * 12), min_size=30, max_size=150))
def test_every_birthday_is_settled_once_however_long_the_outages(
    birth_date: dt.date, zone: str, hours: list[int]
) -> None:
    """Each birthday between the first and the last tick has a verdict: greeted within the look-back, else too late."""
    start = dt.datetime(2025, 1, 1, tzinfo=UTC)
    at, looked_at = start, None
    settled: dict[dt.date, Verdict] = {}
    gift_at = None
    tick_days = []
    for gap in hours:
        at += dt.timedelta(hours=gap)
        tick_days.append(at.astimezone(zoneinfo.ZoneInfo(zone)).date())
        decision = due_birthday(
            Birthday(birth_date, zone, LONG_AGO, gift_at), at=at, look_back_days=3, looked_at=looked_at
        )
        looked_at = at
        if decision and decision.day not in settled:
            settled[decision.day] = decision.verdict
            gift_at = at if decision.verdict is Verdict.GREET else gift_at
    day, last = tick_days[0], tick_days[-1]
    expected = {}
    while day <= last:
        if is_birthday(birth_date, day):
            first_look = next(seen for seen in tick_days if seen >= day)
            expected[day] = Verdict.GREET if (first_look - day).days <= 3 else Verdict.TOO_LATE
        day += dt.timedelta(days=1)
    assert {day: verdict for day, verdict in settled.items() if day >= tick_days[0]} == expected
