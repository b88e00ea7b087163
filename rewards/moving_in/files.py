"""The three CSV files of a move, read as streams: rows that can be taken, and rows that cannot with the reason.

Pure: no database and no clock. ``staging`` is the caller.
"""

import csv
import datetime as dt
import gzip
import io
import re
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Generic, TypeVar, cast

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from loyalty import clock
from members.contacts import InvalidPhone, normal_email, normal_phone
from members.former_cards import former_number
from members.models.consent import ConsentChannel, Purpose
from rewards.purchases.blocks import FileRefused
from rewards.purchases.values import BadValue

MEMBERS, LOTS, TIERS = "members", "lots", "tiers"
REQUIRED = {
    MEMBERS: ("member_id",),
    LOTS: ("member_id", "points", "earned_on", "expires_on"),
    TIERS: ("member_id", "tier"),
}
OPTIONAL = {
    MEMBERS: (
        "email",
        "phone",
        "first_name",
        "last_name",
        "birth_date",
        "language",
        "joined_on",
        "card_number",
        "consents",
    ),
    LOTS: ("lot_id", "wallet", "pending_until", "qualifying_points"),
    TIERS: ("held_since", "held_until", "qualifying_points"),
}
NEVER = "never"
MAX_LINE = 16 * 1024
MAX_CARDS = 10
TEXT_LIMIT = 100
EARLIEST = dt.date(1900, 1, 1)

_POINTS = re.compile(r"\d{1,12}", re.ASCII)
_FINNISH = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NOT_UTF8 = re.compile(r"[\ud800-\udfff]")
_SEPARATORS = ",;\t"


@dataclass(frozen=True)
class Sources:
    """Where the files are. Lots and tiers may be missing."""

    members: Path
    lots: Path | None = None
    tiers: Path | None = None

    def paths(self) -> dict[str, Path]:
        found = {MEMBERS: self.members, LOTS: self.lots, TIERS: self.tiers}
        return {name: path for name, path in found.items() if path is not None}


@dataclass(frozen=True)
class Frame:
    """What values are judged by: the moment of the move, the programme's zone and what its codes mean."""

    at: dt.datetime
    time_zone: str
    languages: Collection[str]
    tiers: Mapping[str, int]
    wallets: Mapping[str, int]
    default_wallet: str


@dataclass(frozen=True, slots=True)
class MemberRow:
    member_id: str
    email: str
    phone: str
    first_name: str
    last_name: str
    birth_date: dt.date | None
    language: str
    joined_at: dt.datetime | None
    cards: tuple[str, ...]
    consents: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class LotRow:
    """Points that expire together. ``qualifying``: how many points of this earning count towards a tier."""

    member_id: str
    ref: str
    wallet_id: int
    points: int
    qualifying: int
    earned_at: dt.datetime
    expires_at: dt.datetime | None
    available_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class TierRow:
    member_id: str
    tier_id: int
    since: dt.datetime | None
    until: dt.datetime | None
    qualifying: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that cannot be taken: its file and line, whose it is as far as one can tell, why, and the row itself."""

    file: str
    line: int
    member_id: str
    reason: str
    row: str = ""


RowT = TypeVar("RowT", MemberRow, LotRow, TierRow)


@dataclass(frozen=True, slots=True)
class Numbered(Generic[RowT]):
    line: int
    row: RowT


def read_members(path: Path, frame: Frame) -> Iterator[Numbered[MemberRow] | Refused]:
    """The members of the file, in its order. Raises FileRefused when the file as a whole cannot be read."""
    return _rows(MEMBERS, path, lambda cells: _member(cells, frame))


def read_lots(path: Path, frame: Frame) -> Iterator[Numbered[LotRow] | Refused]:
    """The lots of the file, in its order. Raises FileRefused."""
    return _rows(LOTS, path, lambda cells: _lot(cells, frame))


def read_tiers(path: Path, frame: Frame) -> Iterator[Numbered[TierRow] | Refused]:
    """The tiers of the file, in its order. Raises FileRefused."""
    return _rows(TIERS, path, lambda cells: _tier(cells, frame))


# --- Rows -------------------------------------------------------------------------------------------------------------


def _rows(
    name: str, path: Path, parse: Callable[[Mapping[str, str]], RowT]
) -> Iterator[Numbered[RowT] | Refused]:
    with io.TextIOWrapper(_opened(path), "utf-8-sig", "surrogateescape", newline=None) as stream:
        lines = _lines(path, stream)
        _number, heading = next(lines, (1, ""))
        separator, columns = _heading(name, path, heading)
        for number, text in lines:
            if not text.strip(" " + separator):
                continue
            cells: dict[str, str] = {}
            try:
                cells = _cells(text, separator, columns)
                yield Numbered(number, parse(cells))
            except BadValue as bad:
                whose = _CONTROL.sub("", cells.get("member_id", "").strip())[:TEXT_LIMIT]
                yield Refused(name, number, _printable(whose), str(bad), _printable(text[:500]))


def _opened(path: Path) -> IO[Any]:
    """The file as bytes, unpacked when it is gzip (told by its content, not by its name)."""
    try:
        with path.open("rb") as raw:
            start = raw.read(3)
        if start.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise FileRefused(_("%(file)s is UTF-16: save it as CSV in UTF-8.") % {"file": path.name})
        return cast(IO[Any], gzip.open(path, "rb")) if start.startswith(b"\x1f\x8b") else path.open("rb")
    except OSError as error:
        raise FileRefused(
            _("%(file)s cannot be opened: %(why)s.") % {"file": path.name, "why": error.strerror or error}
        ) from error


def _lines(path: Path, text: IO[str]) -> Iterator[tuple[int, str]]:
    """Each line with its number. One that is too long is cut, and then has the wrong number of columns."""
    number = 0
    while True:
        try:
            line = text.readline(MAX_LINE)
            number += 1
            yielded = line
            while line and not line.endswith("\n") and len(line) >= MAX_LINE:
                line = text.readline(MAX_LINE)
        except (OSError, EOFError, zlib.error) as error:
            raise FileRefused(
                _("%(file)s cannot be read to its end (%(why)s): fetch or copy it again.")
                % {"file": path.name, "why": error}
            ) from error
        if not yielded:
            return
        yield number, yielded.rstrip("\r\n")


def _heading(name: str, path: Path, text: str) -> tuple[str, list[str]]:
    """The separator and the columns. Raises FileRefused for a column that is missing or unknown."""
    separator = max(_SEPARATORS, key=text.count)
    columns = [cell.strip(' "').lower() for cell in text.split(separator)]
    expected = _("It may have: %(columns)s.") % {"columns": ", ".join((*REQUIRED[name], *OPTIONAL[name]))}
    if missing := [column for column in REQUIRED[name] if column not in columns]:
        raise FileRefused(
            _("%(file)s has no column %(columns)s in its first line.")
            % {"file": path.name, "columns": ", ".join(missing)}
            + f" {expected}"
        )
    if unknown := [column for column in columns if column not in REQUIRED[name] + OPTIONAL[name]]:
        named = ", ".join(_printable(column)[:40] or "?" for column in unknown[:10])
        raise FileRefused(
            _("%(file)s has a column that is not known: %(columns)s. Leave it out or rename it.")
            % {"file": path.name, "columns": named}
            + f" {expected}"
        )
    if len(set(columns)) < len(columns):
        raise FileRefused(_("%(file)s has a column twice.") % {"file": path.name} + f" {expected}")
    return separator, columns


def _cells(text: str, separator: str, columns: list[str]) -> dict[str, str]:
    """The cells by column. A quoted cell ends on its line, so an open quotation mark spoils one row only."""
    try:
        cells = next(csv.reader([text], delimiter=separator, strict=True)) if '"' in text else None
    except csv.Error as error:
        raise BadValue(_("The quotation marks do not pair up.")) from error
    found = text.split(separator) if cells is None else cells
    if len(found) != len(columns):
        raise BadValue(
            _("The row has %(found)s columns instead of %(expected)s: quote a text that holds the separator.")
            % {"found": len(found), "expected": len(columns)}
        )
    return dict(zip(columns, found, strict=True))


def _printable(text: str) -> str:
    return _NOT_UTF8.sub("\N{REPLACEMENT CHARACTER}", _CONTROL.sub(" ", text))


# --- Values -----------------------------------------------------------------------------------------------------------


def _member(cells: Mapping[str, str], frame: Frame) -> MemberRow:
    language = _text(cells, "language").lower()
    if language and language not in frame.languages:
        raise BadValue(
            _("language %(code)s is not offered: use one of %(known)s, or leave it empty.")
            % {"code": language[:10], "known": ", ".join(sorted(frame.languages))}
        )
    return MemberRow(
        member_id=_named(cells),
        email=_email(cells),
        phone=_phone(cells),
        first_name=_text(cells, "first_name"),
        last_name=_text(cells, "last_name"),
        birth_date=_past_day(cells, "birth_date", frame),
        language=language,
        joined_at=_start(_past_day(cells, "joined_on", frame), frame),
        cards=_cards(cells),
        consents=_consents(cells),
    )


def _lot(cells: Mapping[str, str], frame: Frame) -> LotRow:
    earned_on = _past_day(cells, "earned_on", frame)
    earned_at = _start(earned_on, frame)
    if earned_on is None or earned_at is None:
        raise BadValue(_("earned_on is empty: write the day, for example 2026-03-01."))
    expires_on = _expiry(cells)
    expires_at = _start(expires_on and expires_on + dt.timedelta(days=1), frame)
    if expires_on is not None and expires_on < earned_on:
        raise BadValue(_("The points expire before they were earned."))
    points, qualifying = _points(cells, "points", required=True), _points(cells, "qualifying_points")
    if not points and not qualifying:
        raise BadValue(_("The lot has no points: leave the row out."))
    available_at = _start(_day(cells, "pending_until"), frame)
    if expires_at is not None and available_at is not None and available_at >= expires_at:
        raise BadValue(_("The points would expire before they become available."))
    wallet = _text(cells, "wallet") or frame.default_wallet
    if wallet not in frame.wallets:
        raise BadValue(
            _("There is no wallet %(code)s: use one of %(known)s.")
            % {"code": wallet, "known": ", ".join(sorted(frame.wallets))}
        )
    expiry = expires_on.isoformat() if expires_on else NEVER
    return LotRow(
        member_id=_named(cells),
        ref=_text(cells, "lot_id") or f"{wallet}/{earned_on.isoformat()}/{expiry}",
        wallet_id=frame.wallets[wallet],
        points=points,
        qualifying=qualifying,
        earned_at=earned_at,
        expires_at=expires_at,
        available_at=available_at if available_at is not None and available_at > frame.at else None,
    )


def _tier(cells: Mapping[str, str], frame: Frame) -> TierRow:
    code = _text(cells, "tier")
    if code not in frame.tiers:
        raise BadValue(
            _("There is no tier %(code)s on offer: use one of %(known)s.")
            % {"code": code or "“”", "known": ", ".join(frame.tiers)}
        )
    until = _day(cells, "held_until")
    return TierRow(
        member_id=_named(cells),
        tier_id=frame.tiers[code],
        since=_start(_past_day(cells, "held_since", frame), frame),
        until=_start(until and until + dt.timedelta(days=1), frame),
        qualifying=_points(cells, "qualifying_points"),
    )


def _text(cells: Mapping[str, str], name: str, limit: int = TEXT_LIMIT) -> str:
    value = cells.get(name, "").strip()
    if len(value) > limit:
        raise BadValue(
            _("%(column)s is longer than %(limit)s characters.") % {"column": name, "limit": limit}
        )
    if _NOT_UTF8.search(value):
        raise BadValue(_("%(column)s is not UTF-8: save the file as UTF-8.") % {"column": name})
    if _CONTROL.search(value):
        raise BadValue(_("%(column)s holds a control character: remove it.") % {"column": name})
    return value


def _named(cells: Mapping[str, str]) -> str:
    if value := _text(cells, "member_id"):
        return value
    raise BadValue(_("member_id is empty."))


def _email(cells: Mapping[str, str]) -> str:
    address = normal_email(_text(cells, "email", 254))
    if address:
        try:
            validate_email(address)
        except ValidationError as error:
            raise BadValue(_("email is not an e-mail address: correct it, or leave it empty.")) from error
    return address


def _phone(cells: Mapping[str, str]) -> str:
    try:
        return normal_phone(_text(cells, "phone"))
    except InvalidPhone as error:
        raise BadValue(_("phone is not a phone number: correct it, or leave it empty.")) from error


def _cards(cells: Mapping[str, str]) -> tuple[str, ...]:
    given = [part for part in _text(cells, "card_number", 300).split("|") if part.strip()]
    numbers = tuple(dict.fromkeys(former_number(part) for part in given))
    if "" in numbers or len(numbers) > MAX_CARDS:
        raise BadValue(
            _("card_number: 4 to 25 letters and digits, several with | between them (at most %(most)s).")
            % {"most": MAX_CARDS}
        )
    return numbers


def _consents(cells: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Consents given, as “marketing:email|profiling”; the purposes and channels are the API's."""
    found = []
    for part in _text(cells, "consents", 500).lower().split("|"):
        if not part.strip():
            continue
        purpose, _colon, channel = part.strip().partition(":")
        channel = channel or str(ConsentChannel.ANY)
        if purpose not in Purpose.values or channel not in ConsentChannel.values:
            raise BadValue(
                _("There is no consent %(text)s: write marketing:email or one of %(known)s.")
                % {"text": part.strip()[:60], "known": ", ".join(Purpose.values)}
            )
        found.append((purpose, channel))
    return tuple(dict.fromkeys(found))


def _points(cells: Mapping[str, str], name: str, *, required: bool = False) -> int:
    value = _text(cells, name)
    if not value and not required:
        return 0
    if value.startswith("-"):
        raise BadValue(
            _("%(column)s is negative (%(value)s): settle what the member owes before moving.")
            % {"column": name, "value": value[:20]}
        )
    if not _POINTS.fullmatch(value):
        raise BadValue(
            _("%(column)s is not a whole number of points (%(value)s): digits only.")
            % {"column": name, "value": value[:20]}
        )
    return int(value)


def _expiry(cells: Mapping[str, str]) -> dt.date | None:
    value = _text(cells, "expires_on")
    if value.lower() == NEVER:
        return None
    if not value:
        raise BadValue(_("expires_on is empty: write the last day on which the points are good, or never."))
    return _day(cells, "expires_on")


def _past_day(cells: Mapping[str, str], name: str, frame: Frame) -> dt.date | None:
    day = _day(cells, name)
    if day is not None and day > clock.local_date(frame.at, frame.time_zone):
        raise BadValue(_("%(column)s lies in the future.") % {"column": name})
    return day


def _day(cells: Mapping[str, str], name: str) -> dt.date | None:
    """A day as 2026-03-01 or 1.3.2026; None when the cell is empty. Raises BadValue."""
    value = _text(cells, name)
    if not value:
        return None
    try:
        if finnish := _FINNISH.fullmatch(value):
            day = dt.date(int(finnish[3]), int(finnish[2]), int(finnish[1]))
        else:
            day = dt.date.fromisoformat(value[:10] if "T" in value or " " in value else value)
    except ValueError as error:
        raise BadValue(
            _("%(column)s is not a day (%(value)s): write it as 2026-03-01.")
            % {"column": name, "value": value[:30]}
        ) from error
    if not EARLIEST <= day <= dt.date(9000, 1, 1):
        raise BadValue(_("%(column)s is too far away (%(value)s).") % {"column": name, "value": value[:30]})
    return day


def _start(day: dt.date | None, frame: Frame) -> dt.datetime | None:
    return None if day is None else clock.start_of_day(day, frame.time_zone)
