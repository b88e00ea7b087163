"""The files laid side by side in temporary tables, so that each row is checked against all others and our members.

Memory stays constant however large the files are, and nothing that stays is written. A member is whole or refused: one
bad row among a member's points would give a wrong balance, so it holds the member back.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any, TypeVar

from django.db import connection
from django.utils.translation import gettext as _

from loyalty.models import Partner
from rewards.moving_in.checks import CHECKS, SHARED_PHONES, Check
from rewards.moving_in.files import (
    MEMBERS,
    Frame,
    LotRow,
    MemberRow,
    Numbered,
    Refused,
    Sources,
    TierRow,
    read_lots,
    read_members,
    read_tiers,
)

AT_ONCE = 5_000
OCCASION_LIMIT = 100

_TABLES = ("moving_member", "moving_card", "moving_lot", "moving_tier", "moving_refusal")
_CREATE = """
CREATE TEMPORARY TABLE moving_member (
    line integer PRIMARY KEY, member_id text, email text, phone text, data jsonb, refused boolean DEFAULT false);
CREATE TEMPORARY TABLE moving_card (line integer, member_id text, number text);
CREATE TEMPORARY TABLE moving_lot (
    line integer, member_id text, ref text, occasion text, wallet_id bigint, points bigint, qualifying bigint,
    earned_at timestamptz, expires_at timestamptz, available_at timestamptz);
CREATE TEMPORARY TABLE moving_tier (
    line integer, member_id text, tier_id bigint, since timestamptz, until timestamptz, qualifying bigint);
CREATE TEMPORARY TABLE moving_refusal (file text, line integer, member_id text, reason text, row_text text);
"""
_INDEX = """
CREATE INDEX ON moving_member (member_id); CREATE INDEX ON moving_card (number);
CREATE INDEX ON moving_lot (member_id); CREATE INDEX ON moving_tier (member_id);
ANALYZE moving_member; ANALYZE moving_card; ANALYZE moving_lot; ANALYZE moving_tier;
"""

T = TypeVar("T")


@dataclass(frozen=True)
class Staged:
    """A member of the files with everything that belongs to them."""

    line: int
    member: MemberRow
    refused: bool
    lots: list[LotRow] = field(default_factory=list)
    tier: TierRow | None = None


def occasion(kind: str, partner: Partner, member_id: str, ref: str) -> str:
    """What makes an opening transfer happen once: “moving-in:shop:c-17:lot-3”, digested where that is too long."""
    text = ":".join((kind, partner.slug, _escaped(member_id), ref))
    if len(text) <= OCCASION_LIMIT:
        return text
    return f"{kind}:{partner.slug[:30]}:~{hashlib.sha256(text.encode()).hexdigest()[:50]}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace(":", "%3A")


class Staging:
    """The temporary tables of one move. Use as ``with Staging(partner, frame) as staging``."""

    def __init__(self, partner: Partner, frame: Frame) -> None:
        self.partner = partner
        self.frame = frame

    def __enter__(self) -> "Staging":
        self._drop()
        with connection.cursor() as cursor:
            cursor.execute(_CREATE)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        if kind is None:
            self._drop()

    @staticmethod
    def _drop() -> None:
        with connection.cursor() as cursor:
            cursor.execute("".join(f"DROP TABLE IF EXISTS pg_temp.{name};" for name in _TABLES))

    # --- Filling ------------------------------------------------------------------------------------------------------

    def load(self, sources: Sources, *, moved: Callable[[int], None]) -> None:
        """Read the files in and find what cannot be taken. Raises FileRefused for a file that cannot be read at all."""
        self._load(read_members(sources.members, self.frame), self._put_members, moved)
        if sources.lots is not None:
            self._load(read_lots(sources.lots, self.frame), self._put_lots, moved)
        if sources.tiers is not None:
            self._load(read_tiers(sources.tiers, self.frame), self._put_tiers, moved)
        with connection.cursor() as cursor:
            cursor.execute(_INDEX)
        for check in CHECKS:
            self._refuse_found(check)
        self._hold_back()

    def _load(
        self,
        rows: Iterable[Numbered[Any] | Refused],
        put: Callable[[list[Numbered[Any]]], None],
        moved: Callable[[int], None],
    ) -> None:
        for chunk in chunks(rows, AT_ONCE):
            put([row for row in chunk if isinstance(row, Numbered)])
            self.refuse([row for row in chunk if isinstance(row, Refused)])
            moved(len(chunk))

    def _put_members(self, rows: list[Numbered[MemberRow]]) -> None:
        _insert(
            "moving_member (line, member_id, email, phone, data)",
            "int[], text[], text[], text[], jsonb[]",
            [
                (each.line, each.row.member_id, each.row.email, each.row.phone, _as_json(each.row))
                for each in rows
            ],
        )
        _insert(
            "moving_card (line, member_id, number)",
            "int[], text[], text[]",
            [(each.line, each.row.member_id, number) for each in rows for number in each.row.cards],
        )

    def _put_lots(self, rows: list[Numbered[LotRow]]) -> None:
        _insert(
            "moving_lot (line, member_id, ref, occasion, wallet_id, points, qualifying, earned_at, expires_at, "
            "available_at)",
            "int[], text[], text[], text[], bigint[], bigint[], bigint[], timestamptz[], timestamptz[], timestamptz[]",
            [
                (
                    each.line,
                    each.row.member_id,
                    each.row.ref,
                    occasion("moving-in", self.partner, each.row.member_id, each.row.ref),
                    each.row.wallet_id,
                    each.row.points,
                    each.row.qualifying,
                    each.row.earned_at,
                    each.row.expires_at,
                    each.row.available_at,
                )
                for each in rows
            ],
        )

    @staticmethod
    def _put_tiers(rows: list[Numbered[TierRow]]) -> None:
        _insert(
            "moving_tier (line, member_id, tier_id, since, until, qualifying)",
            "int[], text[], bigint[], timestamptz[], timestamptz[], bigint[]",
            [
                (
                    each.line,
                    each.row.member_id,
                    each.row.tier_id,
                    each.row.since,
                    each.row.until,
                    each.row.qualifying,
                )
                for each in rows
            ],
        )

    @staticmethod
    def refuse(rows: Sequence[Refused]) -> None:
        """Note rows that cannot be taken."""
        _insert(
            "moving_refusal (file, line, member_id, reason, row_text)",
            "text[], int[], text[], text[], text[]",
            [(each.file, each.line, each.member_id, each.reason, each.row) for each in rows],
        )

    # --- Checking -----------------------------------------------------------------------------------------------------

    def _refuse_found(self, check: Check) -> None:
        with connection.cursor() as cursor:
            cursor.execute(check.sql, {"partner": self.partner.pk})
            found = cursor.fetchall()
        for rows in chunks(found, AT_ONCE):
            self.refuse(
                [Refused(check.file, line, whose, check.reason(detail)) for line, whose, detail in rows]
            )

    def _hold_back(self) -> None:
        """Refuse the members of whom any row is refused."""
        held = _("Held back whole, because of %(file)s line %(line)s.")
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE moving_member m SET refused = true FROM moving_refusal r WHERE r.member_id = m.member_id"
            )
            cursor.execute(
                "SELECT m.line, m.member_id, r.file, r.line FROM moving_member m JOIN LATERAL "
                "(SELECT file, line FROM moving_refusal r WHERE r.member_id = m.member_id ORDER BY file, line LIMIT 1) "
                "r ON true WHERE m.refused AND NOT EXISTS "
                "(SELECT 1 FROM moving_refusal o WHERE o.file = 'members' AND o.line = m.line)"
            )
            found = cursor.fetchall()
        for rows in chunks(found, AT_ONCE):
            self.refuse(
                [
                    Refused(MEMBERS, line, whose, held % {"file": f"{file}.csv", "line": at_line})
                    for line, whose, file, at_line in rows
                ]
            )

    def hold_back_email(self, email: str) -> None:
        """Refuse the member with an address that somebody took while the move was under way."""
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE moving_member SET refused = true WHERE email = %s AND NOT refused RETURNING line, member_id",
                [email],
            )
            found = cursor.fetchall()
        reason = _("Another member has this e-mail address already.")
        self.refuse([Refused(MEMBERS, line, whose, reason) for line, whose in found])

    # --- Reading ------------------------------------------------------------------------------------------------------

    def count(self) -> int:
        """How many members the files have, refused ones included."""
        return int(_rows("SELECT count(*) FROM moving_member")[0][0])

    def batch(self, after_line: int, limit: int) -> list[Staged]:
        """The next members in the order of the file, with their lots and tiers; three statements."""
        found = _rows(
            "SELECT line, data, refused FROM moving_member WHERE line > %s ORDER BY line LIMIT %s",
            [after_line, limit],
        )
        staged: dict[str, Staged] = {}
        twice: list[Staged] = []
        for line, data, refused in found:
            each = Staged(line, _from_json(data), refused)
            if staged.setdefault(each.member.member_id, each) is not each:
                twice.append(each)
        for row in _rows(
            "SELECT member_id, ref, wallet_id, points, qualifying, earned_at, expires_at, available_at "
            "FROM moving_lot WHERE member_id = ANY(%s) ORDER BY expires_at NULLS LAST, line",
            [list(staged)],
        ):
            staged[row[0]].lots.append(LotRow(*row))
        tiers = _rows(
            "SELECT member_id, tier_id, since, until, qualifying FROM moving_tier WHERE member_id = ANY(%s) "
            "ORDER BY line DESC",
            [list(staged)],
        )
        kept = {row[0]: TierRow(*row) for row in tiers}
        whole = [
            Staged(each.line, each.member, each.refused, each.lots, kept.get(member_id))
            for member_id, each in staged.items()
        ]
        return sorted(whole + twice, key=lambda each: each.line)

    def refusals(self) -> Iterator[Refused]:
        """All rows that cannot be taken, in the order of the files."""
        after: tuple[int, int, int] = (-1, 0, 0)
        while found := _rows(
            "SELECT rank, line, number, file, member_id, reason, row_text FROM (SELECT *, "
            "array_position(ARRAY['members', 'lots', 'tiers'], file) AS rank, row_number() OVER () AS number "
            "FROM moving_refusal) r WHERE (rank, line, number) > (%s, %s, %s) ORDER BY 1, 2, 3 LIMIT %s",
            [*after, AT_ONCE],
        ):
            for _rank, line, _number, file, member_id, reason, text in found:
                yield Refused(file, line, member_id, reason, text)
            after = found[-1][:3]

    def shared_phones(self) -> int:
        """How many members of the files have a phone number that another of them, or another member here, has."""
        return int(_rows(SHARED_PHONES, [self.partner.pk])[0][0])

    def points_left_out(self) -> dict[int, tuple[int, int]]:
        """Lots and points, by wallet, that belong to refused or unknown members."""
        return {
            wallet_id: (lots, int(points))
            for wallet_id, lots, points in _rows(
                "SELECT l.wallet_id, count(*), sum(l.points) FROM moving_lot l LEFT JOIN "
                "(SELECT DISTINCT member_id FROM moving_member WHERE NOT refused) m ON m.member_id = l.member_id "
                "WHERE m.member_id IS NULL GROUP BY l.wallet_id"
            )
        }


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in lists of at most that size."""
    source = iter(items)
    while chunk := list(islice(source, size)):
        yield chunk


def _insert(into: str, types: str, rows: Sequence[tuple[Any, ...]]) -> None:
    if not rows:
        return
    casts = ", ".join(f"%s::{each}" for each in types.split(", "))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {into} SELECT * FROM unnest({casts})",  # noqa: S608
            [list(column) for column in zip(*rows, strict=True)],
        )


def _rows(sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


def _as_json(row: MemberRow) -> str:
    return json.dumps(asdict(row), default=lambda value: value.isoformat())


def _from_json(data: Any) -> MemberRow:
    facts: dict[str, Any] = json.loads(data) if isinstance(data, str) else data
    born, joined = facts["birth_date"], facts["joined_at"]
    return MemberRow(
        **{
            **facts,
            "birth_date": dt.date.fromisoformat(born) if born else None,
            "joined_at": dt.datetime.fromisoformat(joined) if joined else None,
            "cards": tuple(facts["cards"]),
            "consents": tuple((purpose, channel) for purpose, channel in facts["consents"]),
        }
    )
