"""Schedules, judged against a model that walks through the calendar day by day."""

import calendar
import datetime as dt
import itertools
import zoneinfo
from typing import Any

import pytest
from django.utils import translation
from hypothesis import example, given
from hypothesis import strategies as st

from campaigns import rhythm
from campaigns.rhythm import RhythmError, moment, next_due, occasions, parse

UTC = dt.UTC
ZONES = st.sampled_from(
    ["Europe/Helsinki", "America/New_York", "Pacific/Kiritimati", "Australia/Lord_Howe", "Etc/GMT+12", "UTC"]
)
TIMES = st.times().map(lambda at: f"{at:%H:%M}") | st.sampled_from(
    ["00:00", "02:30", "03:00", "03:30", "23:59"]
)
MOMENTS = st.datetimes(dt.datetime(2026, 1, 1), dt.datetime(2030, 12, 31), timezones=st.just(UTC))
STARTS = st.dates(dt.date(2025, 1, 1), dt.date(2027, 12, 31)).map(dt.date.isoformat)
DAYS = st.integers(1, 31) | st.just(-1)


@st.composite
def rhythms(draw: st.DrawFn) -> dict[str, Any]:
    every = draw(st.sampled_from(rhythm.EVERY))
    made: dict[str, Any] = {"every": every, "at": draw(TIMES)}
    if every == "week":
        made["weekdays"] = draw(st.lists(st.integers(1, 7), min_size=1, max_size=7))
    if every == "month":
        made["day"] = draw(DAYS)
    if every == "year":
        made["month"] = draw(st.integers(1, 12))
        made["day"] = draw(st.integers(1, calendar.monthrange(2028, made["month"])[1]) | st.just(-1))
    if draw(st.booleans()):
        made |= {"interval": draw(st.integers(2, 5)), "start": draw(STARTS)}
    return made


def has_day(data: dict[str, Any], day: dt.date) -> bool:
    """The model: said in words, without the module's arithmetic."""
    last = calendar.monthrange(day.year, day.month)[1]
    wanted = last if data.get("day") == -1 else min(data.get("day", 1), last)
    match data["every"]:
        case "day":
            hit = True
        case "week":
            hit = day.isoweekday() in data["weekdays"]
        case "month":
            hit = day.day == wanted
        case _:
            hit = (day.month, day.day) == (data["month"], wanted)
    if not hit or "interval" not in data:
        return hit
    start = dt.date.fromisoformat(data["start"])
    if day < start:
        return False
    units = {
        "day": lambda each: each.toordinal(),
        "week": lambda each: (each.toordinal() - 1) // 7,
        "month": lambda each: each.year * 12 + each.month,
        "year": lambda each: each.year,
    }[data["every"]]
    return (units(day) - units(start)) % data["interval"] == 0


@given(rhythms(), ZONES, MOMENTS, st.lists(st.integers(1, 40 * 24 * 60), min_size=1, max_size=8))
@example(
    {"every": "day", "at": "03:30"}, "Europe/Helsinki", dt.datetime(2026, 3, 28, tzinfo=UTC), [24 * 60] * 3
)
@example(
    {"every": "day", "at": "03:30"}, "Europe/Helsinki", dt.datetime(2026, 10, 24, tzinfo=UTC), [24 * 60] * 3
)
def test_looks_at_any_moments_find_every_date_once(
    data: dict[str, Any], zone: str, start: dt.datetime, minutes: list[int]
) -> None:
    """However the looks fall, clock changes included: nothing is skipped, nothing comes twice."""
    known = parse(data)
    found: list[rhythm.Due] = []
    at = start
    for gap in minutes:
        later = at + dt.timedelta(minutes=gap)
        found += occasions(known, time_zone=zone, after=at, until=later)
        at = later
    local = zoneinfo.ZoneInfo(zone)
    day, expected = start.astimezone(local).date(), []
    while day <= at.astimezone(local).date():
        if has_day(data, day) and start < moment(known, day, zone) <= at:
            expected.append(day)
        day += dt.timedelta(days=1)
    assert [due.day for due in found] == expected
    assert all(earlier.at < later.at for earlier, later in itertools.pairwise(found))
    assert len({due.occasion for due in found}) == len(found)


@given(rhythms(), ZONES, MOMENTS)
def test_the_next_date_is_the_first_that_a_look_would_find(
    data: dict[str, Any], zone: str, after: dt.datetime
) -> None:
    known = parse(data)
    due = next_due(known, time_zone=zone, after=after)
    if due is None:
        assert (data["every"], data.get("interval", 1) > 1) == ("year", True)
        return
    assert due.at > after
    until = min(due.at, after + dt.timedelta(days=800))
    assert [each for each in occasions(known, time_zone=zone, after=after, until=until) if each != due] == []


@given(rhythms())
def test_what_is_kept_reads_back_as_the_same(data: dict[str, Any]) -> None:
    known = parse(data)
    assert parse(known.as_json()) == known


def test_a_time_that_the_clocks_leap_over_comes_as_much_later() -> None:
    known = parse({"every": "day", "at": "03:30"})
    leap, twice = dt.date(2026, 3, 29), dt.date(2026, 10, 25)
    assert moment(known, leap, "Europe/Helsinki") == dt.datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert moment(known, twice, "Europe/Helsinki") == dt.datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        [],
        {"every": "fortnight", "at": "09:00"},
        {"every": "day"},
        {"every": "day", "at": "25:00"},
        {"every": "day", "at": "09:00", "weekdays": [1]},
        {"every": "week", "at": "09:00", "weekdays": []},
        {"every": "week", "at": "09:00", "weekdays": [8]},
        {"every": "week", "at": "09:00", "weekdays": [True]},
        {"every": "week", "at": "09:00", "weekdays": [1], "interval": 2},
        {"every": "month", "at": "09:00", "day": 0},
        {"every": "month", "at": "09:00", "day": "1"},
        {"every": "year", "at": "09:00", "month": 2, "day": 30},
        {"every": "year", "at": "09:00", "month": 13},
        {"every": "day", "at": "09:00", "start": "soon"},
    ],
)
def test_what_is_no_schedule_is_refused_with_words(data: object) -> None:
    with pytest.raises(RhythmError, match=r"\w"):
        parse(data)


def test_a_schedule_reads_as_a_sentence() -> None:
    with translation.override("en"):
        told = [
            rhythm.sentence(parse(data))
            for data in (
                {"every": "day", "at": "09:00"},
                {"every": "week", "at": "18:30", "weekdays": [4, 1]},
                {"every": "month", "at": "09:00", "day": -1, "interval": 3, "start": "2026-01-01"},
                {"every": "year", "at": "07:05", "month": 12, "day": 6},
            )
        ]
    assert told == [
        "Every day at 09:00",
        "Every week (Monday, Thursday) at 18:30",
        "Every 3 months (the last day) at 09:00",
        "Every year (December, day 6) at 07:05",
    ]
