"""Periods begin and end at the programme's midnight."""

import datetime as dt

import pytest

from loyalty.models import Programme
from rewards.leaderboards import tables
from rewards.leaderboards.tables import BEGINNING, span
from tests.factories.leaderboards import leaderboard

D = dt.date


@pytest.mark.parametrize(
    ("period", "day", "expected"),
    [
        ("week", D(2026, 6, 15), (D(2026, 6, 15), D(2026, 6, 22))),
        ("week", D(2026, 6, 21), (D(2026, 6, 15), D(2026, 6, 22))),
        ("week", D(2027, 1, 1), (D(2026, 12, 28), D(2027, 1, 4))),
        ("month", D(2026, 12, 31), (D(2026, 12, 1), D(2027, 1, 1))),
        ("month", D(2028, 2, 29), (D(2028, 2, 1), D(2028, 3, 1))),
        ("year", D(2026, 7, 1), (D(2026, 1, 1), D(2027, 1, 1))),
        ("ever", D(2026, 7, 1), (BEGINNING, None)),
    ],
)
def test_the_period_of_a_day(period: str, day: D, expected: tables.Span) -> None:
    assert span(period, day) == expected


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("zone", "expected"),
    [("Europe/Helsinki", D(2026, 7, 1)), ("UTC", D(2026, 6, 1)), ("Pacific/Kiritimati", D(2026, 7, 1))],
)
def test_the_period_is_that_of_the_programmes_calendar(zone: str, expected: D) -> None:
    """Half past nine in the evening in UTC on the last of June is July in Helsinki."""
    Programme.objects.update_or_create(pk=1, defaults={"time_zone": zone})
    leaderboard(period="month")
    (made,) = tables.open_tables(at=dt.datetime(2026, 6, 30, 21, 30, tzinfo=dt.UTC))
    assert made.starts_on == expected


@pytest.mark.django_db
def test_a_table_is_made_once_and_hidden_boards_have_none() -> None:
    leaderboard(period="week")
    leaderboard(is_active=False)
    at = dt.datetime(2026, 6, 30, 12, tzinfo=dt.UTC)
    first = tables.open_tables(at=at)
    assert [table.pk for table in tables.open_tables(at=at)] == [table.pk for table in first]
    assert len(first) == 1
    assert len(tables.open_tables(at=at + dt.timedelta(days=7))) == 2
