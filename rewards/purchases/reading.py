"""The purchases of the canonical CSV that can be recorded, and the rows that cannot. ``importing`` is the caller."""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from members.activities import LineFacts
from rewards.purchases.blocks import MAX_LINE_BYTES, TooLong, blocks, open_purchases
from rewards.purchases.values import (
    COLUMNS,
    HEAD,
    BadValue,
    cells_of,
    parse_line,
    parse_time,
    plain,
    required,
)

MAX_ROWS_OF_PURCHASE = 2_000  # this and the numbers' sizes as in the API
REMEMBERED = 100_000  # distinct lines kept parsed; a shop sells the same thing many times


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
            yield from self._purchases(blocks(stream))

    def _purchases(self, texts: Iterator[list[str]]) -> Iterator[Purchase | Refusal]:
        """The loop that every row passes, kept lean: a known line costs one split and one look-up."""
        known: dict[str, LineFacts] = {}
        group = _Group([])
        number = 0
        for block in texts:
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
        if isinstance(text, TooLong):
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
            required("activity_id", activity),
            self._known(required, "member_id", member),
            parse_time(occurred_at, not_after=self.not_after),
            self._known(plain, "store", store),
            self._known(plain, "channel", channel),
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
