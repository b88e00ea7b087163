"""The canonical purchase CSV, read as a stream: the purchases that can be recorded, and the rows that cannot.

Pure: no database and no clock. ``survey`` looks through the whole file first (is it readable to its end, do the
rows of each purchase stand together?); ``read`` then gives the purchases one by one in constant memory, each row
that is refused with its line number and what to do about it. ``rewards.purchases_import`` is the caller.
"""

import csv
import datetime as dt
import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

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
MAX_ROWS_OF_PURCHASE = 2_000  # this and the numbers' sizes as in the API
MAX_LINE_BYTES = 64 * 1024
BLOCK_BYTES = 1024 * 1024
REMEMBERED = 100_000  # distinct lines kept parsed; a shop sells the same thing many times
MARKS = 2**27  # bits with which `survey` remembers the purchases it has passed (16 MB)

_QUANTITY = re.compile(r"\d{1,6}(\.\d{1,3})?", re.ASCII)
_MONEY = re.compile(r"\d{1,10}(\.\d{1,2})?", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NOT_UTF8 = re.compile(r"[\ud800-\udfff]")


class FileRefused(Exception):
    """The file as a whole cannot be read, with the reason; nothing of it is taken."""


class BadValue(Exception):
    """One value cannot be taken; the message says why and what to do."""


class RefusedRow(NamedTuple):
    """A row that does not go in: its line in the file, the reason, and its cells as they stand there."""

    line: int
    reason: str
    cells: list[str]


class Row(NamedTuple):
    line: int
    text: str


class Purchase(NamedTuple):
    """The adjacent rows of one activity, checked. ``rows`` are kept for the case that it is refused later on."""

    external_id: str
    member: str
    occurred_at: dt.datetime
    store: str
    channel: str
    currency: str
    total: Decimal
    lines: tuple[LineFacts, ...]
    rows: list[Row]

    def refused(self, reason: str) -> "Refusal":
        """This purchase as a refusal of all its rows for one reason."""
        return Refusal(
            [RefusedRow(row.line, reason, cells_of(row.text)) for row in self.rows], len(self.rows)
        )


class Refusal(NamedTuple):
    """All rows of one activity, refused: half a purchase would give the wrong points."""

    rows: list[RefusedRow]
    lines: int
    continued: bool = False  # more rows of an activity that was refused before


@dataclass(frozen=True)
class Survey:
    """What a first look through the file shows."""

    lines: int
    split: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Activities whose rows stand apart: where they start, and where they start again."""


class _TooLong(str):
    """The beginning of a line that is too long to be taken."""


# --- The bytes --------------------------------------------------------------------------------------------------


def open_purchases(path: Path) -> BinaryIO:
    """The file's bytes, unpacked when it is gzip (told by its content, not by its name)."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
        return cast(BinaryIO, gzip.open(path, "rb")) if packed else path.open("rb")
    except OSError as error:
        raise FileRefused(f"Cannot open {path}: {error.strerror or error}.") from error


def _blocks(stream: BinaryIO) -> Iterator[list[str]]:
    """The lines of the file, a block at a time; a line that is too long arrives cut short, as ``_TooLong``."""
    rest, skipping, first = b"", False, True
    while block := _read(stream):
        if first:
            block, first = _without_mark(block), False
        if skipping:
            _dropped, newline, block = block.partition(b"\n")
            skipping = not newline
        complete, newline, tail = block.rpartition(b"\n")
        if newline:
            yield _texts(rest + complete)
            rest = tail
        else:
            rest += tail
        if len(rest) > MAX_LINE_BYTES:
            yield [_TooLong(_text(rest[:200].partition(b",")[0]))]
            rest, skipping = b"", True
    if rest:
        yield _texts(rest)


def _read(stream: BinaryIO) -> bytes:
    try:
        return stream.read(BLOCK_BYTES)
    except EOFError as error:
        raise FileRefused("The gzip file is cut off before its end: fetch or copy it again.") from error
    except (OSError, zlib.error) as error:
        raise FileRefused(f"The file cannot be read to its end ({error}): fetch or copy it again.") from error


def _without_mark(block: bytes) -> bytes:
    """The first block without a UTF-8 byte order mark; UTF-16 is refused by its own mark."""
    if block.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FileRefused("The file is UTF-16: save it as CSV in UTF-8.")
    return block.removeprefix(b"\xef\xbb\xbf")


def _texts(block: bytes) -> list[str]:
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n").removesuffix(b"\r")
    texts = _text(block).split("\n")
    if len(block) > MAX_LINE_BYTES and max(map(len, texts)) > MAX_LINE_BYTES:
        return [_TooLong(t[:200].partition(",")[0]) if len(t) > MAX_LINE_BYTES else t for t in texts]
    return texts


def _text(block: bytes) -> str:
    return block.decode("utf-8", "surrogateescape")


# --- The first look ---------------------------------------------------------------------------------------------


def survey(path: Path) -> Survey:
    """Look through the whole file: check its header, count its lines and find activities whose rows stand apart.

    Raises FileRefused. Memory stays constant: two bits per activity tell "perhaps seen before", and only those are
    looked for exactly, in a second pass that hardly ever has anything to do.
    """
    marks = bytearray(MARKS // 8)
    suspects: set[str] = set()
    lines = 0
    for _line, activity, starts in _starts(path):
        lines += 1
        if starts:
            number = hash(activity)
            one, two = number % MARKS, (number >> 32) % MARKS
            if marks[one >> 3] & 1 << (one & 7) and marks[two >> 3] & 1 << (two & 7):
                suspects.add(activity)
            marks[one >> 3] |= 1 << (one & 7)
            marks[two >> 3] |= 1 << (two & 7)
    return Survey(lines, _split(path, suspects) if suspects else {})


def _split(path: Path, suspects: set[str]) -> dict[str, tuple[int, int]]:
    first: dict[str, int] = {}
    split: dict[str, tuple[int, int]] = {}
    for line, activity, starts in _starts(path):
        if starts and activity in suspects:
            if activity in first:
                split.setdefault(activity, (first[activity], line))
            else:
                first[activity] = line
    return split


def _starts(path: Path) -> Iterator[tuple[int, str, bool]]:
    """Each data row's line number and activity id, and whether a new activity starts there."""
    previous = ""
    number = 0
    with open_purchases(path) as stream:
        for block in _blocks(stream):
            for text in block:
                number += 1
                if number == 1:
                    check_header(text)
                elif text:
                    activity = text.partition(",")[0].strip(' "')
                    yield number, activity, activity != previous or not activity
                    previous = activity
    if not number:
        raise FileRefused(f"The file is empty. Its first line should be: {','.join(COLUMNS)}")


def check_header(text: str) -> None:
    """Raise FileRefused unless the first line names exactly our columns in their order."""
    try:
        names = tuple(name.strip().lower() for name in cells_of(text))
    except BadValue:
        names = (text,)
    if names == COLUMNS:
        return
    expected = f"The first line should be: {','.join(COLUMNS)}"
    if missing := [name for name in COLUMNS if name not in names]:
        separator = next((sign for sign in ";\t|" if len(text.split(sign)) >= len(COLUMNS)), "")
        if separator:
            raise FileRefused(
                f"Line 1: the columns are separated by {separator!r}: save the file with commas. {expected}"
            )
        raise FileRefused(f"Line 1: no column {', '.join(missing)}. {expected}")
    if unknown := [name for name in names if name not in COLUMNS]:
        raise FileRefused(f"Line 1: unknown column {', '.join(unknown)[:200]}. {expected}")
    raise FileRefused(f"Line 1: the columns stand in another order or twice. {expected}")


# --- The values -------------------------------------------------------------------------------------------------


def cells_of(text: str) -> list[str]:
    """The cells of one line. A quoted cell ends on its line, so an open quotation mark spoils one row only."""
    if '"' not in text:
        return text.split(",")
    try:
        return next(csv.reader([text], strict=True))
    except csv.Error as error:
        raise BadValue(f"The quotation marks do not pair up ({error}): quote or double them.") from error


def _plain(name: str, value: str) -> str:
    """A text without blanks around it. Raises BadValue for what no column can hold."""
    value = value.strip(" ")
    if len(value) > TEXT_LIMITS.get(name, TEXT_LIMIT):
        raise BadValue(f"{name} is longer than {TEXT_LIMITS.get(name, TEXT_LIMIT)} characters.")
    if _NOT_UTF8.search(value):
        raise BadValue(f"{name} is not UTF-8: save the file as UTF-8.")
    if _CONTROL.search(value):
        raise BadValue(f"{name} holds a control character (NUL, tab …): remove it.")
    return value


def _required(name: str, value: str) -> str:
    if text := _plain(name, value):
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
        _plain("sku", sku),
        _plain("category", category),
        _plain("department", department),
        _number("quantity", quantity, _QUANTITY, 3),
        _number("line_total", total, _MONEY, 2),
    )


# --- The purchases ----------------------------------------------------------------------------------------------


@dataclass
class _Group:
    """The adjacent rows of one activity while they are being read."""

    head: list[str]
    rows: list[Row] = field(default_factory=list)
    lines: list[LineFacts] = field(default_factory=list)
    errors: dict[int, str] = field(default_factory=dict)
    continued: bool = False


class PurchasesFile:
    """Reads one file once. Give it what the file alone cannot tell: the currencies taken and the latest time."""

    def __init__(
        self,
        *,
        currencies: frozenset[str],
        not_after: dt.datetime,
        split: dict[str, tuple[int, int]] | None = None,
    ) -> None:
        self.currencies = currencies
        self.not_after = not_after
        self.split = split or {}
        self._texts: dict[tuple[str, str], str] = {}

    def read(self, path: Path) -> Iterator[Purchase | Refusal]:
        """The purchases of the file in its order, and the refusals between them. Raises FileRefused."""
        with open_purchases(path) as stream:
            yield from self._purchases(_blocks(stream))

    def _purchases(self, blocks: Iterator[list[str]]) -> Iterator[Purchase | Refusal]:
        """The loop that every row passes, kept lean: a known line costs one split and one look-up."""
        known: dict[str, LineFacts] = {}
        group = _Group([])
        number = 0
        for block in blocks:
            for text in block:
                number += 1
                if not text or number == 1:
                    continue
                cells = text.split(",", HEAD)
                problem = ""
                if len(cells) > HEAD and '"' not in text:
                    rest = cells.pop()
                    if (facts := known.get(rest)) is None:
                        facts, problem = self._line(rest.split(","))
                        if facts is not None and len(known) < REMEMBERED:
                            known[rest] = facts
                else:
                    cells, facts, problem = self._row(text)
                if cells != group.head:
                    if not group.head or cells[0] != group.head[0] or not cells[0]:
                        if group.rows:
                            yield self._finish(group)
                        group = _Group(cells)
                    else:
                        problem = problem or self._difference(cells, group)
                group.rows.append(Row(number, text))
                if facts is not None:
                    group.lines.append(facts)
                if problem:
                    group.errors[number] = problem
                if len(group.rows) == MAX_ROWS_OF_PURCHASE:
                    group.errors[number] = f"A purchase has {MAX_ROWS_OF_PURCHASE - 1} rows at most."
                    yield self._finish(group)
                    group = _Group(group.head, errors=group.errors, continued=True)
        if group.rows:
            yield self._finish(group)

    def _row(self, text: str) -> tuple[list[str], LineFacts | None, str]:
        """A row that is quoted, too long or of another width: its first cells, its line, and what is wrong."""
        activity = text.partition(",")[0].strip(' "')
        if isinstance(text, _TooLong):
            return [activity], None, f"The line is longer than {MAX_LINE_BYTES // 1024} kB."
        try:
            cells = cells_of(text)
        except BadValue as error:
            return [activity], None, str(error)
        if len(cells) != len(COLUMNS):
            return [activity], None, self._width(len(cells))
        return cells[:HEAD], *self._line(cells[HEAD:])

    def _line(self, cells: list[str]) -> tuple[LineFacts | None, str]:
        if len(cells) != len(COLUMNS) - HEAD:
            return None, self._width(len(cells) + HEAD)
        try:
            return parse_line(cells), ""
        except BadValue as error:
            return None, str(error)

    @staticmethod
    def _width(count: int) -> str:
        return (
            f"The row has {count} columns instead of {len(COLUMNS)}: quote a text that holds a comma, and write "
            "decimals with a point."
        )

    @staticmethod
    def _difference(cells: list[str], group: _Group) -> str:
        """In which column a row contradicts the first row of its purchase."""
        if len(group.head) != HEAD:  # the first row is refused for its own fault
            return ""
        name = next(
            name for name, ours, first in zip(COLUMNS, cells, group.head, strict=False) if ours != first
        )
        where = f" (line {group.rows[0].line})" if group.rows else ""
        return f"{name} differs from the first row of the same purchase{where}."

    def _finish(self, group: _Group) -> Purchase | Refusal:
        first = group.rows[0].line
        if where := self.split.get(group.head[0].strip(' "')):
            group.errors[first] = (
                f"The rows of this purchase stand apart (lines {where[0]} and {where[1]}), or it is in the file "
                "twice: sort the file by activity_id or remove the repetition."
            )
        if not group.errors:
            try:
                return self._purchase(group)
            except BadValue as error:
                group.errors[first] = str(error)
        return self._refusal(group)

    def _purchase(self, group: _Group) -> Purchase:
        """Check the columns that all rows of a purchase share. Raises BadValue."""
        activity, member, occurred_at, store, channel, currency = group.head
        total = sum([line.total for line in group.lines], Decimal(0))
        if total >= 10**10:
            raise BadValue("The lines of this purchase add up to ten thousand million or more.")
        if (currency := currency.strip(" ")) not in self.currencies:
            taken = ", ".join(sorted(self.currencies))
            raise BadValue(f"currency {currency[:10]!r} is not taken here: convert the amounts to {taken}.")
        return Purchase(
            _required("activity_id", activity),
            self._known(_required, "member_id", member),
            parse_time(occurred_at, not_after=self.not_after),
            self._known(_plain, "store", store),
            self._known(_plain, "channel", channel),
            currency,
            total,
            tuple(group.lines),
            group.rows,
        )

    def _known(self, check: Callable[[str, str], str], name: str, value: str) -> str:
        """``check(name, value)``, remembered: members, stores and channels come again and again."""
        text = self._texts.get((name, value))
        if text is None:
            text = check(name, value)
            if len(self._texts) < REMEMBERED:
                self._texts[name, value] = text
        return text

    @staticmethod
    def _refusal(group: _Group) -> Refusal:
        """Every row of the purchase: the faulty ones with their reason, the others pointing at them."""
        culprit = min(group.errors)
        rows = []
        for row in group.rows:
            reason = group.errors.get(row.line, f"Refused together with line {culprit} of the same purchase.")
            try:
                cells = cells_of(row.text)
            except BadValue:
                cells = [row.text]
            rows.append(RefusedRow(row.line, reason, cells))
        return Refusal(rows, len(rows), group.continued)
