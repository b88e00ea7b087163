"""The columns of the canonical purchase CSV, and the values in them: taken, or refused with the reason."""

import csv
import datetime as dt
import re
from decimal import Decimal

from members.activities import LineFacts

COLUMNS = (
    "activity_id",
    "member_id",
    "occurred_at",
    "store",
    "channel",
    "currency",
    "sku",
    "category",
    "department",
    "quantity",
    "line_total",
)
HEAD = 6  # the first columns belong to the purchase, the others to the line
TEXT_LIMITS = {"channel": 50}
TEXT_LIMIT = 100
EARLIEST = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

_QUANTITY = re.compile(r"\d{1,6}(\.\d{1,3})?", re.ASCII)
_MONEY = re.compile(r"\d{1,10}(\.\d{1,2})?", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NOT_UTF8 = re.compile(r"[\ud800-\udfff]")


class BadValue(Exception):
    """One value cannot be taken; the message says why and what to do."""


def cells_of(text: str) -> list[str]:
    """The cells of one line. A quoted cell ends on its line, so an open quotation mark spoils one row only."""
    if '"' not in text:
        return text.split(",")
    try:
        return next(csv.reader([text], strict=True))
    except csv.Error as error:
        raise BadValue(f"The quotation marks do not pair up ({error}): quote or double them.") from error


def plain(name: str, value: str) -> str:
    """A text without blanks around it. Raises BadValue for what no column can hold."""
    value = value.strip(" ")
    if len(value) > TEXT_LIMITS.get(name, TEXT_LIMIT):
        raise BadValue(f"{name} is longer than {TEXT_LIMITS.get(name, TEXT_LIMIT)} characters.")
    if value.isprintable():  # as nearly every text is; what the two patterns look for never is
        return value
    if _NOT_UTF8.search(value):
        raise BadValue(f"{name} is not UTF-8: save the file as UTF-8.")
    if _CONTROL.search(value):
        raise BadValue(f"{name} holds a control character (NUL, tab …): remove it.")
    return value


def required(name: str, value: str) -> str:
    """A text that may not be empty. Raises BadValue."""
    if text := plain(name, value):
        return text
    raise BadValue(f"{name} is empty.")


def _number(name: str, value: str, shape: re.Pattern[str], decimals: int) -> Decimal:
    value = value.strip(" ")
    if shape.fullmatch(value):
        return Decimal(value)
    if value.startswith("-"):
        raise BadValue(f"{name} is negative ({value[:40]}): refunds are not part of this file.")
    if "," in value:
        raise BadValue(f"{name} has a comma ({value[:40]}): write 1234.50.")
    raise BadValue(
        f"{name} is not a number that can be taken ({value[:40]!r}): digits, a point and at most {decimals} "
        f"decimals, below {'a million' if decimals == 3 else 'ten thousand million'}."
    )


def parse_time(value: str, *, not_after: dt.datetime) -> dt.datetime:
    """An ISO 8601 time with its zone, as UTC, between 1970 and ``not_after``. Raises BadValue."""
    value = value.strip(" ")
    try:
        moment = dt.datetime.fromisoformat(value)
    except ValueError:
        raise BadValue(
            f"occurred_at is not an ISO 8601 time ({value[:40]!r}): write 2026-03-01T14:30:00+02:00."
        ) from None
    if moment.tzinfo is None:
        raise BadValue(f"occurred_at has no time zone ({value[:40]}): add Z or an offset such as +02:00.")
    try:
        moment = moment.astimezone(dt.UTC)
    except OverflowError:
        raise BadValue(f"occurred_at is out of range ({value[:40]}).") from None
    if moment < EARLIEST:
        raise BadValue(f"occurred_at is before 1970 ({value[:40]}).")
    if moment > not_after:
        raise BadValue(f"occurred_at is in the future ({value[:40]}): check the date and its zone.")
    return moment


def parse_line(cells: list[str]) -> LineFacts:
    """The last five cells of a row. Raises BadValue."""
    sku, category, department, quantity, total = cells
    return LineFacts(
        plain("sku", sku),
        plain("category", category),
        plain("department", department),
        _number("quantity", quantity, _QUANTITY, 3),
        _number("line_total", total, _MONEY, 2),
    )
