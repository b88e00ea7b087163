"""The dashboard: the period's figures beside the period before; a figure without data is none, never zero."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.test import RequestFactory
from django.utils import translation
from pytest_django import DjangoAssertNumQueries

from analytics import dashboard
from analytics.models import DailyFigures

pytestmark = pytest.mark.django_db
LAST = dt.date(2026, 6, 30)


def figures(days: int, **changes: Any) -> None:
    """Figures of so many days up to LAST: 1 new member, 2 purchases of 10.00 and 20 points a day."""
    for number in range(days):
        facts = {
            "date": LAST - dt.timedelta(days=days - 1 - number),
            "members": 100 + number,
            "new_members": 1,
            "active_members": 3,
            "purchases": 2,
            "revenue": Decimal("20.00"),
            "points_issued": 20,
            "points_redeemed": 5,
            "points_expired": 0,
            "points_outstanding": 15 * (number + 1),
            "computed_at": dt.datetime(2026, 7, 1, tzinfo=dt.UTC),
        }
        DailyFigures.objects.create(**(facts | changes))


def tiles(days: int = 30) -> dict[str, tuple[str, str, str]]:
    with translation.override("en"):
        shown = dashboard.dashboard(days=days).tiles
    return {tile.key: (tile.shown, tile.change_shown, tile.direction) for tile in shown}


def test_tiles_compare_with_the_period_before() -> None:
    figures(60)
    DailyFigures.objects.filter(date__gt=LAST - dt.timedelta(days=30)).update(revenue=Decimal("25.00"))
    assert tiles() == {
        "members": ("159", "+23.3\xa0%", "up"),
        "new_members": ("30", "±0.0\xa0%", "level"),
        "active_members": ("3.0", "±0.0\xa0%", "level"),
        "purchases": ("60", "±0.0\xa0%", "level"),
        "revenue": ("750\xa0EUR", "+25.0\xa0%", "up"),
        "average_purchase": ("12.50\xa0EUR", "+25.0\xa0%", "up"),
        "points_issued": ("600", "±0.0\xa0%", "level"),
        "points_redeemed": ("150", "±0.0\xa0%", "level"),
        "points_expired": ("0", "", ""),
        "points_outstanding": ("900", "+100.0\xa0%", "up"),
    }


def test_without_a_whole_earlier_period_nothing_is_compared() -> None:
    figures(59)
    assert {change for _shown, change, _direction in tiles().values()} == {""}


def test_without_purchases_there_is_no_average() -> None:
    figures(3, purchases=0, revenue=Decimal(0))
    assert tiles()["average_purchase"] == ("–", "", "")


def test_before_the_first_night_there_is_nothing() -> None:
    board = dashboard.dashboard(days=30)
    assert (board.through, board.charts) == (None, ())
    assert {tile.shown for tile in board.tiles} == {"–"}


@pytest.mark.parametrize(("days", "marks"), [(30, 30), (90, 90), (365, 52)])
def test_long_periods_are_drawn_by_week(days: int, marks: int) -> None:
    figures(400)
    board = dashboard.dashboard(days=days)
    assert [len(chart.rows) for chart in board.charts] == [marks] * 4


@pytest.mark.parametrize(
    ("query", "days"), [("", 30), ("90", 90), ("365", 365), ("7", 30), ("x", 30), ("-1", 30)]
)
def test_the_period_is_chosen_by_the_address(rf: RequestFactory, query: str, days: int) -> None:
    context = dashboard.admin_index(rf.get("/admin/", {"days": query}), {"title": "x"})
    assert context["title"] == "x"
    board = context["dashboard"]
    assert board.days == days
    assert [period.days for period in board.periods if period.is_chosen] == [days]


def test_the_dashboard_costs_one_query(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    figures(120)
    with django_assert_max_num_queries(2):
        dashboard.dashboard(days=90)
