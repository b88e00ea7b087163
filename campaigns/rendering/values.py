"""Figures, money and days as the reader's language writes them, wherever a template puts them; and filters for others.

``Number``, ``Money`` and ``Day`` stay what they are for comparing and reckoning, and write themselves out in the
active language only where they are put into a text.
"""

import contextlib
import datetime as dt
from collections.abc import Iterator
from contextvars import ContextVar
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.formats import date_format, number_format
from django.utils.translation import get_language
from liquid.exceptions import FilterArgumentError

from loyalty import programme
from loyalty.templatetags.portal import MINUS
from loyalty.templatetags.portal import money as money_text

_currency: ContextVar[str] = ContextVar("currency")


@contextlib.contextmanager
def in_currency(code: str) -> Iterator[None]:
    """Amounts without a currency of their own are in this one, in this thread; nothing is read for it."""
    token = _currency.set(code)
    try:
        yield
    finally:
        _currency.reset(token)


class Number(int):
    """A whole number, such as points: 12 500."""

    def __str__(self) -> str:
        return _figure(int(self))


class Money(Decimal):
    """An amount in the base currency: 12,50 €."""

    def __str__(self) -> str:
        return money_text(Decimal(self), _base_currency())


class Day(dt.date):
    """A day: 22.11.2026."""

    def __str__(self) -> str:
        return _day_in_language(self.toordinal(), get_language())

    @classmethod
    def of(cls, moment: dt.datetime) -> "Day":
        """The day of a moment on the programme's calendar."""
        return cls.fromordinal(timezone.localtime(moment).toordinal())


def number(value: object, decimals: object = None) -> str:
    """``{{ event.amount | number }}``, ``{{ x | number: 2 }}``; empty for what is none."""
    found = _decimal(value)
    if found is None:
        return ""
    if isinstance(decimals, int) and 0 <= decimals <= 6:
        return _figure(round(found, decimals), decimals)
    return _figure(int(found) if found == found.to_integral_value() else found.normalize())


def points(value: object) -> str:
    """Whole points, rounded down: 1 240."""
    found = _decimal(value)
    return "" if found is None else _figure(int(found))


def money(value: object, currency: object = "") -> str:
    """An amount in the base currency or the one named: 12,50 €."""
    found = _decimal(value)
    code = currency if isinstance(currency, str) and currency else _base_currency()
    return "" if found is None else money_text(found, code)


def date(value: object, pattern: object = "") -> str:
    """A day or moment as the language writes it; with a pattern (“%d.%m.”) as that says. Empty for what is none."""
    found = _moment(value)
    if found is None:
        return ""
    if pattern:
        if len(str(pattern)) > 50:
            raise FilterArgumentError("the pattern is too long", token=None)
        return found.strftime(str(pattern))
    return date_format(found, "SHORT_DATE_FORMAT")


def web_address(value: object) -> str:
    """A web, mail or telephone address as it is, "" for anything else: no insert can make a link run a script."""
    text = "".join(str(value).split())
    return text if text.lower().startswith(("http://", "https://", "mailto:", "tel:")) else ""


FILTERS: dict[str, Any] = {
    "number": number,
    "points": points,
    "money": money,
    "date": date,
    "web_address": web_address,
}


def _base_currency() -> str:
    return _currency.get("") or programme.current().base_currency


def _figure(value: int | Decimal, decimals: int | None = None) -> str:
    return _in_language(value, decimals, get_language())


@lru_cache(maxsize=4096)
def _in_language(value: int | Decimal, decimals: int | None, language: str | None) -> str:
    size = value.copy_abs() if isinstance(value, Decimal) else abs(value)
    text = number_format(size, decimal_pos=decimals, use_l10n=True, force_grouping=True)
    return (MINUS if value < 0 else "") + text


@lru_cache(maxsize=1024)
def _day_in_language(ordinal: int, language: str | None) -> str:
    return date_format(dt.date.fromordinal(ordinal), "SHORT_DATE_FORMAT")


def _decimal(value: object) -> Decimal | None:
    """A finite number of sensible size, from a number or a text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        return None
    try:
        found = Decimal(int(value)) if isinstance(value, int) else Decimal(_bare(value))
    except (InvalidOperation, ValueError):
        return None
    return found if found.is_finite() and abs(found) < Decimal(10) ** 18 else None


def _bare(value: float | Decimal | str) -> Decimal | str:
    if isinstance(value, Decimal):
        return Decimal(value)
    return value.strip()[:40] if isinstance(value, str) else repr(value)


def _moment(value: object) -> dt.date | None:
    if isinstance(value, dt.datetime):
        return timezone.localtime(value) if timezone.is_aware(value) else value
    if isinstance(value, dt.date):
        return value
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        moment = parse_datetime(value.strip())
        return parse_date(value.strip()) if moment is None else _moment(moment)
    except ValueError:
        return None
