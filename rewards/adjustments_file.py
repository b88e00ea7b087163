"""Reading a CSV file of adjustments: pure text in, rows out, each with what is wrong with it. No database.

Columns ``member``, ``points``, ``note`` (also in Finnish and Swedish), in any order, separated by commas or semicolons.
"""

import csv
import io
from dataclasses import dataclass

from django.utils.translation import gettext as _

MOST_ROWS = 20_000
MOST_BYTES = 4_000_000
MOST_POINTS = 1_000_000
_NAMES = {
    "member": ("member", "jäsen", "medlem", "card_number", "email"),
    "points": ("points", "pisteet", "poäng"),
    "note": ("note", "reason", "syy", "selite", "orsak", "anledning"),
}


class FileRefused(Exception):
    """The file as a whole cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class ReadRow:
    """One line of the file. ``points`` is signed; ``problem`` says why the line cannot be used ("" when it can)."""

    line: int
    reference: str
    points: int | None
    note: str
    problem: str = ""


def read(data: bytes) -> list[ReadRow]:
    """The rows of a file in UTF-8 (with or without a mark) or Windows-1252; raises FileRefused."""
    if len(data) > MOST_BYTES:
        raise FileRefused(_("The file is larger than 4 MB. Split it."))
    text = _decoded(data)
    if "\0" in text:
        raise FileRefused(_("This is not a text file."))
    header, _newline, _rest = text.partition("\n")
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        columns = _columns(next(reader, []))
        rows = []
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append(_row(reader.line_num, cells, columns))
            if len(rows) > MOST_ROWS:
                raise FileRefused(_("The file has more than 20 000 rows. Split it."))
    except csv.Error as error:
        raise FileRefused(_("Line %(line)s cannot be read as CSV.") % {"line": reader.line_num}) from error
    if not rows:
        raise FileRefused(_("The file has no rows."))
    return rows


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _columns(header: list[str]) -> dict[str, int]:
    """Where each of the three columns stands."""
    found: dict[str, int] = {}
    for place, cell in enumerate(header):
        for name, names in _NAMES.items():
            if cell.strip().casefold() in names:
                found.setdefault(name, place)
    missing = [name for name in _NAMES if name not in found]
    if missing:
        raise FileRefused(
            _("The first line has to name the columns member, points and note. Missing: %(names)s.")
            % {"names": ", ".join(missing)}
        )
    return found


def _row(line: int, cells: list[str], columns: dict[str, int]) -> ReadRow:
    def cell(name: str) -> str:
        place = columns[name]
        return cells[place].strip() if place < len(cells) else ""

    reference, note = cell("member").removeprefix("'")[:300], cell("note")
    points, problem = _points(cell("points"))
    if not reference:
        problem = _("There is no member.")
    elif not problem and not note:
        problem = _("There is no reason.")
    elif not problem and len(note) > 300:
        problem = _("The reason is longer than 300 characters.")
    return ReadRow(line, reference, points, note[:300], problem)


def _points(text: str) -> tuple[int | None, str]:
    """Signed whole points; blanks that group digits and a true minus are understood."""
    plain = (
        text.removeprefix("'")
        .replace("\u2212", "-")
        .replace("\xa0", "")
        .replace("\u202f", "")
        .replace(" ", "")
    )
    digits = plain.removeprefix("-").removeprefix("+")
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > 9:
        return None, _("The points are not a whole number.")
    points = int(plain)
    if points == 0:
        return None, _("0 points change nothing.")
    if abs(points) > MOST_POINTS:
        return None, _("More than 1 000 000 points.")
    return points, ""
