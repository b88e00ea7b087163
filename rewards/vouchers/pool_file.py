"""Files of codes for a pool: CSV with a heading, ``code`` and perhaps ``expires`` (the last good day, 2027-12-31)."""

import csv
import datetime as dt
import io
from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from loyalty import clock, programme
from rewards.vouchers import codes

MOST_BYTES = 32 * 1024 * 1024
MOST_ROWS = 1_000_000
LONGEST_SPELLING = 60

WHY = {
    "empty": gettext_lazy("There is no code."),
    "long": gettext_lazy("The code is longer than 40 characters."),
    "characters": gettext_lazy("The code has other than letters, digits, blanks, hyphens, dots and slashes."),
    "date": gettext_lazy("The date is none: write it as 2027-12-31."),
    "past": gettext_lazy("The code has expired already."),
    "known": gettext_lazy(
        "The code is here already, or stands in the file twice (case and hyphens do not count)."
    ),
}
"""Why a row is refused, by what the batch keeps of it: never the code itself."""


class FileRefused(ValueError):
    """The file cannot be read at all. The text may be shown."""


@dataclass(frozen=True, slots=True)
class PoolRow:
    """A row of the file: its line, the code (canonical and as spelt), when it ends, and why it is refused, if it is."""

    line: int
    code: str = ""
    spelling: str = ""
    ends_at: dt.datetime | None = None
    why: str = ""


def count(data: bytes) -> int:
    """How many rows the file has; raises FileRefused when it cannot be read."""
    if len(data) > MOST_BYTES:
        raise FileRefused(_("The file is larger than 32 MB. Split it."))
    rows = sum(1 for _row in _rows(data))
    if not rows:
        raise FileRefused(_("The file has a heading and no codes."))
    if rows > MOST_ROWS:
        raise FileRefused(_("The file has more than a million codes. Split it."))
    return rows


def read(data: bytes, *, at: dt.datetime) -> list[PoolRow]:
    """Every row, judged at ``at``; whether a code is known already is for the database to say."""
    zone = programme.current().time_zone
    return [_judged(line, row, at=at, zone=zone) for line, row in _rows(data)]


def _rows(data: bytes) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and cells by heading (in small letters) of every row that is not empty."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FileRefused(_("The file is not in UTF-8. Save it as “CSV UTF-8”.")) from None
    if "\0" in text:
        raise FileRefused(_("The file is not a CSV file."))
    heading = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if ";" in heading else ",")
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        if "code" not in names:
            raise FileRefused(_("The first line has to name the columns: code, and perhaps expires."))
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, dict(zip(names, cells, strict=False))
    except csv.Error as error:
        raise FileRefused(_("Line %(line)s cannot be read.") % {"line": reader.line_num}) from error


def _judged(line: int, row: dict[str, str], *, at: dt.datetime, zone: str) -> PoolRow:
    spelling = row.get("code", "").strip()
    code = codes.canonical(spelling)
    if not code:
        why = "empty" if not spelling else "long" if len(spelling) > codes.LONGEST else "characters"
        return PoolRow(line, why=why)
    if len(spelling) > LONGEST_SPELLING:
        return PoolRow(line, why="long")
    ends_at = None
    if last_day := row.get("expires", "").strip():
        try:
            day = dt.date.fromisoformat(last_day)
            ends_at = clock.start_of_day(day + dt.timedelta(days=1), zone)
        except (ValueError, OverflowError):
            return PoolRow(line, why="date")
        if ends_at <= at:
            return PoolRow(line, why="past")
    return PoolRow(line, code, spelling if spelling.isascii() else "", ends_at)
