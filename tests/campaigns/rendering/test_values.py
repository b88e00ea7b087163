"""Figures, money and days in texts, as each language writes them."""

import datetime as dt
from decimal import Decimal

import pytest
from django.utils import translation

from campaigns.rendering import liquid
from campaigns.rendering.values import Day, Money, Number

pytestmark = pytest.mark.django_db


def given(source: str, language: str = "fi", **inserts: object) -> str:
    with translation.override(language):
        return liquid.written(liquid.compiled(source), inserts)


def test_numbers_money_and_days_write_themselves_as_the_language_does() -> None:
    values = {"n": Number(12500), "m": Money("1234.5"), "d": Day(2026, 6, 5)}
    for language, decimal in (("fi", ","), ("sv", ","), ("en", ".")):
        expected = f"12\xa0500|1\xa0234{decimal}50\xa0€|5.6.2026"
        assert given("{{ n }}|{{ m }}|{{ d }}", language, **values) == expected


def test_they_can_be_compared_and_reckoned_with() -> None:
    source = "{% if n > 9 %}yes{% endif %} {{ n | plus: 5000 | points }}"
    assert given(source, n=Number(12500)) == "yes 17\xa0500"


@pytest.mark.parametrize(
    ("source", "value", "expected"),
    [
        ("{{ x | number }}", 1234567, "1\xa0234\xa0567"),
        ("{{ x | number }}", "2.50", "2,5"),
        ("{{ x | number: 2 }}", 3, "3,00"),
        ("{{ x | number }}", -7, "\N{MINUS SIGN}7"),
        ("{{ x | points }}", "1240.9", "1\xa0240"),
        ("{{ x | money }}", "12.5", "12,50\xa0€"),
        ("{{ x | money: 'SEK' }}", Decimal("12.5"), "12,50\xa0kr"),
        ("{{ x | date }}", "2026-06-30T21:00:00+00:00", "1.7.2026"),
        ("{{ x | date }}", "2026-06-30", "30.6.2026"),
        ("{{ x | date: '%d.%m.' }}", dt.date(2026, 6, 5), "05.06."),
        ("{{ x | web_address }}", " https://shop.fi/a b", "https://shop.fi/ab"),
    ],
)
def test_filters_write_other_values(source: str, value: object, expected: str) -> None:
    assert given(source, x=value) == expected


@pytest.mark.parametrize(
    "value", ["", "abc", None, True, "NaN", "1e999999", float("inf"), [1], {"a": 1}, "9" * 50]
)
@pytest.mark.parametrize("name", ["number", "points", "money", "date", "web_address"])
def test_filters_leave_nothing_of_what_they_cannot_take(name: str, value: object) -> None:
    assert given(f"{{{{ x | {name} }}}}", x=value) == ""
