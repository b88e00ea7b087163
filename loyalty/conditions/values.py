"""Reads one JSON value as the type of its field, with bounds: what a condition may be compared with."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from .fields import FieldType

MAX_TEXT = 200
MAX_INTEGER = 2**53 - 1
MAX_WHOLE_DIGITS = 15
MAX_DECIMAL_PLACES = 6
YEARS = range(1900, 2200)


class InvalidValueError(ValueError):
    """The value does not have the field's type; the message says what is wanted."""


def read_value(kind: FieldType, raw: object) -> Any:
    """The typed value, or InvalidValueError with a message in the active language."""
    reader, wanted = _READERS[kind]
    try:
        return reader(raw)
    except InvalidValueError:
        raise InvalidValueError(str(wanted)) from None


def _text(raw: object) -> str:
    if not isinstance(raw, str) or not 1 <= len(raw) <= MAX_TEXT or "\0" in raw:
        raise InvalidValueError
    try:
        raw.encode()
    except UnicodeEncodeError:
        raise InvalidValueError from None
    return raw


def _integer(raw: object) -> int:
    if isinstance(raw, int) and not isinstance(raw, bool) and abs(raw) <= MAX_INTEGER:
        return raw
    raise InvalidValueError


def _decimal(raw: object) -> Decimal:
    """Text or a JSON number (a float is read as it prints); up to 15 digits before the point, 6 after."""
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        raise InvalidValueError
    if (isinstance(raw, str) and len(raw) > 40) or (isinstance(raw, float) and not math.isfinite(raw)):
        raise InvalidValueError
    if isinstance(raw, int) and abs(raw) >= 10**MAX_WHOLE_DIGITS:
        raise InvalidValueError
    try:
        value = Decimal(str(raw))
    except InvalidOperation:
        raise InvalidValueError from None
    if not value.is_finite() or value.adjusted() >= MAX_WHOLE_DIGITS:
        raise InvalidValueError
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -MAX_DECIMAL_PLACES:
        raise InvalidValueError
    return value


def _boolean(raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    raise InvalidValueError


def _date(raw: object) -> date:
    if not isinstance(raw, str) or len(raw) != 10:
        raise InvalidValueError
    try:
        value = date.fromisoformat(raw)
    except ValueError:
        raise InvalidValueError from None
    if value.year not in YEARS:
        raise InvalidValueError
    return value


def _datetime(raw: object) -> datetime:
    """ISO 8601 with a zone, kept in UTC."""
    if not isinstance(raw, str) or len(raw) > 40:
        raise InvalidValueError
    try:
        value = datetime.fromisoformat(raw)
        if value.tzinfo is None:
            raise InvalidValueError
        value = value.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidValueError from None
    if value.year not in YEARS:
        raise InvalidValueError
    return value


_TEXT_WANTED = _("must be a text of 1 to 200 characters")
_READERS: Mapping[FieldType, tuple[Callable[[object], Any], StrOrPromise]] = {
    FieldType.TEXT: (_text, _TEXT_WANTED),
    FieldType.CHOICE: (_text, _TEXT_WANTED),
    FieldType.TEXT_LIST: (_text, _TEXT_WANTED),
    FieldType.INTEGER: (_integer, _("must be a whole number")),
    FieldType.DECIMAL: (_decimal, _("must be a number with at most 6 decimals")),
    FieldType.BOOLEAN: (_boolean, _("must be yes or no (true or false)")),
    FieldType.DATE: (_date, _("must be a date (YYYY-MM-DD) between 1900 and 2199")),
    FieldType.DATETIME: (
        _datetime,
        _("must be a date and time with its zone, between 1900 and 2199"),
    ),
}
