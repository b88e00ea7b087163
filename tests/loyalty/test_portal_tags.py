"""How the portal writes points, money, dates and devices, in each language."""

import datetime as dt
import zoneinfo
from decimal import Decimal

import pytest
from django.utils import formats, translation

from loyalty.icons import ICONS
from loyalty.spreadsheet import safe_cell
from loyalty.templatetags import portal

MOMENT = dt.datetime(2026, 11, 21, 14, 30, tzinfo=zoneinfo.ZoneInfo("Europe/Helsinki"))


def written(text: str) -> str:
    """With plain blanks, so that the expectation can be read."""
    return text.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("language", "date", "moment", "money"),
    [
        ("fi", "21.11.2026", "21.11.2026 klo 14.30", "1 234,50 €"),
        ("sv", "21.11.2026", "21.11.2026 kl. 14.30", "1 234,50 €"),
        ("en", "21.11.2026", "21.11.2026 14:30", "1 234.50 €"),
    ],
)
def test_finlands_forms(language: str, date: str, moment: str, money: str) -> None:
    with translation.override(language):
        assert formats.date_format(MOMENT, "SHORT_DATE_FORMAT") == date
        assert formats.date_format(MOMENT, "SHORT_DATETIME_FORMAT") == moment
        assert written(portal.money(Decimal("1234.5"), "EUR")) == money
        assert written(portal.points(12345)) == "12 345"


@pytest.mark.parametrize(("change", "text"), [(42, "+42"), (0, "0"), (-1240, "−1 240"), (None, "0")])
def test_changes_carry_their_sign(change: int | None, text: str) -> None:
    with translation.override("fi"):
        assert written(portal.signed(change)) == text


def test_an_unknown_currency_is_said_by_its_code() -> None:
    with translation.override("fi"):
        assert written(portal.money(Decimal("-5"), "ISK")) == "−5,00 ISK"


@pytest.mark.parametrize(
    ("value", "text"), [("1.000", "1"), ("0.455", "0,455"), ("100.000", "100"), ("0.000", "0")]
)
def test_quantities_have_no_needless_decimals(value: str, text: str) -> None:
    with translation.override("fi"):
        assert portal.quantity(Decimal(value)) == text


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (
            "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36",
            "Chrome, Android",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0) AppleWebKit/605 Version/18.0 Safari/604.1",
            "Safari, iPhone",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64) AppleWebKit/537.36 Chrome/130 Safari/537.36 Edg/130",
            "Edge, Windows",
        ),
        ("curl/7.88.1", "curl/7.88.1"),
    ],
)
def test_devices_are_named_in_words_people_know(user_agent: str, name: str) -> None:
    assert portal.device(user_agent) == name


@pytest.mark.parametrize("name", sorted(ICONS))
def test_icons_are_drawn_by_paths_alone(name: str) -> None:
    import xml.etree.ElementTree as ElementTree

    drawing = ElementTree.fromstring(str(portal.icon(name)))
    assert {child.tag for child in drawing} <= {"path", "circle"}
    assert drawing.get("aria-hidden") == "true"


@pytest.mark.parametrize("cell", ["=1+1", "+358", "-x", "@x", "\tx", "\rx"])
def test_texts_that_a_sheet_would_run_are_quoted(cell: str) -> None:
    assert safe_cell(cell) == "'" + cell


def test_numbers_stay_numbers() -> None:
    assert [safe_cell(cell) for cell in (-10, Decimal("-1.50"), "10", "")] == [
        -10,
        Decimal("-1.50"),
        "10",
        "",
    ]
