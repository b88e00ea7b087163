"""CSV files for spreadsheets: written as rows are read, cells that a sheet would run as a formula made harmless."""

import csv
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.http import StreamingHttpResponse
from django.utils import timezone

from loyalty.spreadsheet import safe_cell

__all__ = ["csv_lines", "csv_response", "safe_cell"]


def _cell(value: Any) -> Any:
    """The cell as it goes into the file: times in local time with their offset, numbers as they are."""
    if isinstance(value, datetime):
        return timezone.localtime(value).isoformat(timespec="seconds")
    if value is None or isinstance(value, int | float | Decimal):
        return value
    return safe_cell(str(value))


class _Echo:
    """What csv writes to: hands every line back."""

    def write(self, line: str) -> str:
        return line


def csv_lines(header: Iterable[Any], rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    """The file line by line, with a byte order mark first (without it Excel reads ä and ö wrongly)."""
    writer = csv.writer(_Echo())
    yield "\ufeff" + writer.writerow([_cell(cell) for cell in header])
    for row in rows:
        yield writer.writerow([_cell(cell) for cell in row])


def csv_response(
    *, filename: str, header: Iterable[Any], rows: Iterable[Iterable[Any]]
) -> StreamingHttpResponse:
    """A download that holds a few rows in memory at a time, however many there are."""
    return StreamingHttpResponse(
        csv_lines(header, rows),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{filename}"', "Cache-Control": "no-store"},
    )
