"""Codes as files, for a printer or a partner: CSV or Excel. Cells that a sheet would run are made harmless."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponseBase
from django.utils.translation import gettext as _

from loyalty.exports import csv_response
from loyalty.workbook import xlsx_response
from rewards.models import Voucher
from rewards.vouchers.queries import shown_code, state_at

FORMATS = ("csv", "xlsx")


def download(
    vouchers: QuerySet[Voucher], *, name: str, file_format: str, at: dt.datetime
) -> HttpResponseBase:
    """The vouchers as a file ``name``.csv or .xlsx, oldest first, read as it is written."""
    respond = xlsx_response if file_format == "xlsx" else csv_response
    return respond(filename=f"{name}.{file_format}", header=_header(), rows=_rows(vouchers, at))


def _header() -> list[str]:
    return [
        _("Code"),
        _("Kind of voucher"),
        _("State"),
        _("Value"),
        _("Left of it"),
        _("Uses left"),
        _("Issued at"),
        _("Valid from"),
        _("Expires at"),
    ]


def _rows(vouchers: QuerySet[Voucher], at: dt.datetime) -> Iterator[list[Any]]:
    for each in vouchers.select_related("family").order_by("pk").iterator(chunk_size=2000):
        yield [
            shown_code(each),
            each.family.name or each.family.code,
            state_at(each, at).label,
            each.value,
            each.remaining,
            each.uses_left,
            each.issued_at,
            each.valid_from,
            each.expires_at,
        ]
