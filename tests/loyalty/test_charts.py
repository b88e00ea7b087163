"""Charts: true geometry, gaps where figures are missing, and the same numbers for those who do not see them."""

from xml.etree import ElementTree

import pytest
from django.template import Context, Template
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from loyalty import charts
from loyalty.charts import Series, nice_step

VALUES = st.lists(st.none() | st.integers(-(10**9), 10**9), min_size=1, max_size=60)


def rendered(chart: charts.Chart) -> ElementTree.Element:
    text = Template("{% load charts %}{% chart chart %}").render(Context({"chart": chart}))
    return ElementTree.fromstring(text.replace("&nbsp;", " "))


@pytest.mark.parametrize(
    ("span", "step"), [(4, 1), (10, 2.5), (17, 5), (100, 25), (0.3, 0.1), (90_000, 25_000)]
)
def test_steps_are_round(span: float, step: float) -> None:
    assert nice_step(span) == pytest.approx(step)


@given(VALUES, st.sampled_from(["line", "bars"]))
def test_everything_drawn_lies_in_the_box(values: list[int | None], kind: str) -> None:
    labels = [str(number) for number in range(len(values))]
    chart = getattr(charts, kind)(key="k", title="T", labels=labels, series=[Series("S", values)])
    known = [value for value in values if value is not None]
    assert len(chart.series[0].marks) == len(known)
    for mark in chart.series[0].marks:
        assert charts.LEFT <= mark.x <= charts.WIDTH
        assert charts.TOP - 0.1 <= mark.y <= mark.y + mark.height <= charts.HEIGHT - charts.BOTTOM + 0.1
    assert chart.is_empty == (not known)


def test_a_missing_figure_breaks_the_line_and_is_no_zero() -> None:
    chart = charts.line(key="k", title="T", labels=list("abcd"), series=[Series("S", [1, None, 3, 4])])
    assert len(chart.series[0].paths) == 2
    assert [row[1] for row in chart.rows] == [("1",), ("–",), ("3",), ("4",)]


def test_the_figure_says_in_words_and_in_a_table_what_it_shows() -> None:
    series = [Series("Earned <b>", [10, 2500]), Series("Spent", [None, None])]
    with translation.override("en"):
        root = rendered(
            charts.bars(key="points", title="Points & more", labels=["1.6.", "2.6."], series=series)
        )
    svg = root.find("svg")
    assert svg is not None
    assert svg.attrib["role"] == "img"
    titles = {element.attrib["id"]: element.text for element in svg if "id" in element.attrib}
    assert [titles[name] for name in svg.attrib["aria-labelledby"].split()] == [
        "Points & more",
        "Earned <b>: from 10 to 2\xa0500, highest 2\xa0500 (2.6.). Spent: no figures.",
    ]
    cells = [[cell.text for cell in row] for row in root.iter("tr")]
    assert cells == [["Time", "Earned <b>", "Spent"], ["1.6.", "10", "–"], ["2.6.", "2\xa0500", "–"]]
    assert "style" not in {name for element in root.iter() for name in element.attrib}


def test_an_empty_chart_says_so() -> None:
    with translation.override("en"):
        root = rendered(charts.line(key="k", title="T", labels=["a"], series=[Series("S", [None])]))
    assert root.find("svg") is None
    assert "No figures" in "".join(root.itertext())
