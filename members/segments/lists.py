"""Lists of members from files: read, every row checked, and taken in whole or not at all.

A file names members by any of the columns ``member`` (card number, e-mail address or id), ``card_number``, ``email``,
``id`` and ``external_id`` (a partner's own, so the partner has to be given). Called by the admin and the API.
"""

import csv
import datetime as dt
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from django.db import transaction
from django.utils.translation import gettext as _

from loyalty.partners.models import Partner
from members.identification import KEYS, find_member_ids
from members.models import Segment
from members.segments.definition import SegmentRefused
from members.segments.membership import Found, Moves, move

MOST_ROWS = 200_000
MOST_BYTES = 20_000_000
_NAMES = {
    "member": ("member", "jäsen", "medlem"),
    "card_number": ("card_number", "card", "card number", "korttinumero", "kortnummer"),
    "email": ("email", "e-mail", "sähköposti", "e-post"),
    "id": ("id",),
    "external_id": ("external_id", "external id", "ulkoinen tunniste", "externt id"),
}


class Mode(StrEnum):
    """What a file does to the list."""

    ADD = "add"
    REMOVE = "remove"
    REPLACE = "replace"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a file, or one place in a request: who is meant, by exactly one of ``identification.KEYS``."""

    line: int
    reference: Mapping[str, str]
    shown: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a file comes to: the members it names, and the rows that name nobody, with the reason."""

    member_ids: Sequence[int]
    bad: Sequence[Row]
    rows: int


class FileRefused(Exception):
    """The file as a whole cannot be read; the message says why."""


class RowsRefused(Exception):
    """Some rows name nobody; nothing was written. ``rows`` say which and why."""

    def __init__(self, rows: Sequence[Row]) -> None:
        super().__init__(_("%(count)s rows cannot be used.") % {"count": len(rows)})
        self.rows = rows


def read(data: bytes, *, partner: Partner | None = None) -> list[Row]:
    """The rows of a CSV file in UTF-8 or Windows-1252; raises FileRefused."""
    if len(data) > MOST_BYTES:
        raise FileRefused(_("The file is larger than 20 MB. Split it."))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
    if "\0" in text:
        raise FileRefused(_("This is not a text file."))
    header, _newline, _rest = text.partition("\n")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=header.count))
    try:
        columns = _columns(next(reader, []), partner)
        rows: list[Row] = []
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append(_row(reader.line_num, cells, columns))
            if len(rows) > MOST_ROWS:
                raise FileRefused(_("The file has more than 200 000 rows. Split it."))
    except csv.Error as error:
        raise FileRefused(_("Line %(line)s cannot be read as CSV.") % {"line": reader.line_num}) from error
    if not rows:
        raise FileRefused(_("The file has no rows."))
    return rows


def _columns(header: Sequence[str], partner: Partner | None) -> dict[str, int]:
    found: dict[str, int] = {}
    for place, cell in enumerate(header):
        for name, spellings in _NAMES.items():
            if cell.strip().casefold() in spellings:
                found.setdefault(name, place)
    if not found:
        known = ", ".join(_NAMES)
        raise FileRefused(_("The first line has to name one of the columns %(names)s.") % {"names": known})
    if set(found) == {"external_id"} and partner is None:
        raise FileRefused(_("Choose the partner whose external ids these are."))
    return found


def _row(line: int, cells: Sequence[str], columns: Mapping[str, int]) -> Row:
    """The first column that says anything names the member."""
    for name in _NAMES:
        place = columns.get(name)
        text = (
            cells[place].strip().removeprefix("'")[:254] if place is not None and place < len(cells) else ""
        )
        if text:
            return Row(line, {_kind_of(text) if name == "member" else name: text}, text)
    return Row(line, {}, "", _("There is no member."))


def _kind_of(text: str) -> str:
    if "@" in text:
        return "email"
    return "id" if text.count("-") == 4 and len(text) == 36 else "card_number"


def check(rows: Sequence[Row], *, partner: Partner | None) -> Checked:
    """Find the members of all rows, in a statement for each way of naming them."""
    known = [row for row in rows if len(row.reference) == 1 and next(iter(row.reference)) in KEYS]
    found = find_member_ids({row.line: row.reference for row in known}, partner=partner or Partner())
    bad = [
        row
        if row.problem
        else Row(row.line, row.reference, row.shown, _("No active member is known by this."))
        for row in rows
        if row.line not in found
    ]
    return Checked(sorted(set(found.values())), bad, len(rows))


def take_in(
    *, segment_id: int, checked: Checked, mode: str, at: dt.datetime, leave_out_bad: bool = False
) -> Moves:
    """Put the members on the list, take them off it, or let the list be exactly them; all in one statement.

    Raises RowsRefused when rows name nobody (unless those are to be left out), SegmentRefused for a segment that is no
    list or is archived; nothing is written then.
    """
    if checked.bad and not leave_out_bad:
        raise RowsRefused(checked.bad)
    with transaction.atomic():
        segment = Segment.objects.select_for_update(no_key=True).get(pk=segment_id)
        if segment.kind != Segment.Kind.LIST:
            raise SegmentRefused("kind", _("The members of this segment follow from its conditions."))
        if not segment.is_active:
            raise SegmentRefused("is_active", _("This segment is archived."))
        named = list(checked.member_ids)
        wanted = [] if mode == Mode.REMOVE else named
        found = Found(
            "SELECT member.id FROM members_member AS member "
            "WHERE member.id = ANY(%s::bigint[]) AND member.status <> 'erased'",
            [wanted],
        )
        moves = move(segment, found, at=at, among=None if mode == Mode.REPLACE else named)
        Segment.objects.filter(pk=segment_id).update(
            refreshed_at=at, joined_count=moves.joined, left_count=moves.left
        )
    return moves
