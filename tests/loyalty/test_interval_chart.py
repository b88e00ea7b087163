"""Values with their intervals: where they lie, and what they say to those who do not see them."""

import pytest
from django.template import Context, Template
from django.utils import translation
from pytest_django import Settings

from loyalty.interval_chart import Row, intervals


@pytest.fixture(autouse=True)
def english(settings: Settings) -> object:
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


def chart(*rows: Row) -> object:
    return intervals(key="lift", title="Lift", rows=rows, words=lambda value: f"{value:.1f}")


def test_nought_is_always_on_the_chart_and_intervals_lie_in_order() -> None:
    drawn = chart(Row("A", 3.0, 1.0, 5.0), Row("B", 4.0, 2.0, 6.0))
    for row in drawn.rows:
        assert drawn.left <= drawn.nought < row.low < row.value < row.high <= drawn.width


@pytest.mark.parametrize(
    ("low", "high", "tone"),
    [(0.5, 2.0, "good"), (-2.0, -0.5, "bad"), (-1.0, 2.0, "open"), (0.0, 2.0, "open")],
)
def test_a_difference_is_sure_only_when_its_whole_interval_is_on_one_side(
    low: float, high: float, tone: str
) -> None:
    assert chart(Row("A", (low + high) / 2, low, high)).rows[0].tone == tone


def test_the_table_and_the_description_say_the_numbers() -> None:
    page = Template("{% load charts %}{% interval_chart chart %}").render(
        Context({"chart": chart(Row("A", 1.0, -0.5, 2.5), Row("B", None, None, None))})
    )
    assert page.count("1.0, between -0.5 and 2.5") == 3
    assert "B: no figures." in page


def test_without_any_value_it_says_so() -> None:
    page = Template("{% load charts %}{% interval_chart chart %}").render(
        Context({"chart": chart(Row("A", None, None, None))})
    )
    assert "No figures for this time yet." in page
    assert "<svg" not in page


def test_values_that_are_all_nought_still_have_an_axis() -> None:
    drawn = chart(Row("A", 0.0, 0.0, 0.0))
    assert len(drawn.ticks) >= 2
