"""Recording what members did, once per partner and external id, one or thousands at a time.

Called by ``rewards.earning`` (API, import, demo) inside its transaction; knows nothing of points.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.db import connection
from django.utils.translation import gettext as _

from loyalty.ids import new_public_id
from loyalty.prepared import fetch_prepared
from members import catalogue

COPY_FROM_LINES = 200
"""From this many lines on they go in by COPY; below, one INSERT costs less."""


@dataclass(frozen=True, slots=True)
class LineFacts:
    """One line as the partner sent it. ``quantity`` has three decimals at most, ``total`` two, in the currency."""

    sku: str
    category: str
    department: str
    quantity: Decimal
    total: Decimal
    brand: str = ""


@dataclass(frozen=True, slots=True)
class NewActivity:
    """An activity as a partner reports it, validated in form; ``total`` in ``currency``, ``occurred_at`` aware.

    A ``referral_code`` came with it at the till; it is not kept with the activity but told on (``activity.recorded``).
    So are ``fingerprints``, by kind and keyed hash (``members.fingerprints``); two reports may differ in them.
    """

    partner_id: int
    member_id: int
    external_id: str
    kind: str
    occurred_at: dt.datetime
    currency: str
    total: Decimal
    store: str = ""
    channel: str = ""
    lines: tuple[LineFacts, ...] = ()
    referral_code: str = ""
    fingerprints: tuple[tuple[str, str], ...] = ()

    def digest(self) -> bytes:
        """SHA-256 of the content: two reports are the same when their digests are."""
        parts = [
            str(self.member_id),
            self.kind,
            self.occurred_at.astimezone(dt.UTC).isoformat(),
            self.currency,
            f"{self.total:.2f}",
            self.store,
            self.channel,
        ]
        for line in self.lines:
            parts += (line.sku, line.category, line.department, f"{line.quantity:.3f}", f"{line.total:.2f}")
            parts += (line.brand,) if line.brand else ()
        parts += ("referral", self.referral_code) if self.referral_code else ()
        return hashlib.sha256("\x1f".join(parts).encode()).digest()


@dataclass(frozen=True, slots=True)
class Recorded:
    """An activity that now stands recorded. ``replayed``: it did before, with the same content."""

    id: int
    public_id: UUID
    replayed: bool


class ActivityConflict(Exception):
    """The partner has already recorded another activity under this external id; nothing was written."""

    def __init__(self, external_id: str) -> None:
        super().__init__(external_id)
        self.external_id = external_id

    def __str__(self) -> str:
        return _(
            "An activity with the external id “%(external_id)s” is already recorded with other content."
        ) % {"external_id": self.external_id}


def record_many(items: Sequence[NewActivity], *, at: dt.datetime) -> list[Recorded | ActivityConflict]:
    """Record activities with their lines; answers in the order of ``items``. Call inside a transaction.

    A partner's external id decides: the unique constraint makes a concurrent recorder of the same id wait, and then
    see the first's row. Same content is a replay, other content a conflict; neither writes. A few statements,
    however many items.
    """
    digests = [item.digest() for item in items]
    first: dict[tuple[int, str], int] = {}
    for position, item in enumerate(items):
        first.setdefault((item.partner_id, item.external_id), position)
    created = _insert(items, digests, list(first.values()), at=at)
    earlier = _earlier([items[position] for position in first.values() if position not in created])
    return [
        _answer(position, item, digest, first, created, digests, earlier)
        for position, (item, digest) in enumerate(zip(items, digests, strict=True))
    ]


def _answer(
    position: int,
    item: NewActivity,
    digest: bytes,
    first: dict[tuple[int, str], int],
    created: dict[int, tuple[int, UUID]],
    digests: list[bytes],
    earlier: dict[tuple[int, str], tuple[int, UUID, bytes]],
) -> Recorded | ActivityConflict:
    """Created now, a replay of what stood before (or earlier in this batch), or a conflict with it."""
    key = (item.partner_id, item.external_id)
    original = first[key]
    if original in created:
        id_, public_id = created[original]
        known = digests[original]
    else:
        id_, public_id, known = earlier[key]
    if known != digest:
        return ActivityConflict(item.external_id)
    return Recorded(id_, public_id, replayed=position not in created)


_INSERT = """
WITH given AS MATERIALIZED (
    SELECT nextval(pg_get_serial_sequence('members_activity', 'id')) AS id, *
    FROM json_to_recordset(%s::json) AS given(
        position int, public_id uuid, member_id bigint, partner_id bigint, external_id text, kind_id text,
        occurred_at timestamptz, store_id bigint, channel_id bigint, currency text, total numeric,
        content_digest bytea)
), created AS (
    INSERT INTO members_activity (id, public_id, member_id, partner_id, external_id, kind_id, occurred_at, recorded_at,
                                  store_id, channel_id, currency, total, content_digest)
    SELECT id, public_id, member_id, partner_id, external_id, kind_id, occurred_at, %s,
           store_id, channel_id, currency, total, content_digest
    FROM given ORDER BY partner_id, external_id
    ON CONFLICT (partner_id, external_id) DO NOTHING
    RETURNING id
), lines AS (
    INSERT INTO members_activityline (activity_id, position, member_id, product_id, category_id, quantity, total)
    SELECT given.id, line.position, given.member_id, line.product_id, line.category_id, line.quantity, line.total
    FROM json_to_recordset(%s::json) AS line(
        activity int, position int, product_id bigint, category_id bigint, quantity numeric, total numeric)
    JOIN given ON given.position = line.activity JOIN created ON created.id = given.id
)
SELECT given.position, given.id, given.public_id FROM given JOIN created USING (id)
"""

_COPY_LINES = """
COPY members_activityline (activity_id, position, member_id, product_id, category_id, quantity, total) FROM STDIN
"""

_LINE = ("activity", "position", "product_id", "category_id", "quantity", "total")
LineRow = tuple[int, int, int | None, int | None, Decimal, Decimal]
"""Position of the activity in the batch, of the line in it, product id, category id, quantity, total."""


def _insert(
    items: Sequence[NewActivity], digests: list[bytes], positions: list[int], *, at: dt.datetime
) -> dict[int, tuple[int, UUID]]:
    """Insert the activities at ``positions`` with their lines; gives (id, public id) of those that were new."""
    chosen = [items[position] for position in positions]
    lines = _line_rows(items, positions)
    copied = len(lines) >= COPY_FROM_LINES
    stores = catalogue.STORES.ids((item.partner_id, item.store) for item in chosen if item.store)
    channels = catalogue.CHANNELS.ids((item.channel,) for item in chosen if item.channel)
    rows = [
        {
            "position": position,
            "public_id": str(new_public_id()),
            "member_id": item.member_id,
            "partner_id": item.partner_id,
            "external_id": item.external_id,
            "kind_id": item.kind,
            "occurred_at": item.occurred_at.isoformat(),
            "store_id": stores[item.partner_id, item.store] if item.store else None,
            "channel_id": channels[item.channel,] if item.channel else None,
            "currency": item.currency,
            "total": str(item.total),
            "content_digest": f"\\x{digests[position].hex()}",
        }
        for position, item in zip(positions, chosen, strict=True)
    ]
    sent = [] if copied else [dict(zip(_LINE, line, strict=True)) for line in lines]
    # One JSON parameter for each table's rows is far cheaper to send than an array for each column.
    inserted = fetch_prepared(_INSERT, [json.dumps(rows), at, json.dumps(sent, default=str)])
    created = {position: (id_, public_id) for position, id_, public_id in inserted}
    if copied:
        with connection.cursor() as cursor, cursor.copy(_COPY_LINES) as copy:
            for activity, position, product_id, category_id, quantity, total in lines:
                if activity in created:
                    member_id = items[activity].member_id
                    copy.write_row(
                        (
                            created[activity][0],
                            position,
                            member_id,
                            product_id,
                            category_id,
                            quantity,
                            total,
                        )
                    )
    return created


def _line_rows(items: Sequence[NewActivity], positions: list[int]) -> list[LineRow]:
    """The lines of the activities at ``positions``, with products and categories resolved to ids."""
    given = [(position, items[position].partner_id, items[position].lines) for position in positions]
    categories = catalogue.CATEGORIES.ids(
        (line.category, line.department)
        for _position, _partner, lines in given
        for line in lines
        if line.category or line.department
    )
    products = catalogue.product_ids(
        (partner_id, line.sku, categories.get((line.category, line.department)), line.brand)
        for _position, partner_id, lines in given
        for line in lines
        if line.sku
    )
    return [
        (
            position,
            number,
            products[partner_id, line.sku] if line.sku else None,
            categories[line.category, line.department] if line.category or line.department else None,
            line.quantity,
            line.total,
        )
        for position, partner_id, lines in given
        for number, line in enumerate(lines, start=1)
    ]


def _earlier(items: Sequence[NewActivity]) -> dict[tuple[int, str], tuple[int, UUID, bytes]]:
    """What stands recorded under the external ids of ``items``: id, public id and digest of the content."""
    if not items:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT partner_id, external_id, id, public_id, content_digest FROM members_activity "
            "JOIN unnest(%s::bigint[], %s::text[]) AS asked(partner_id, external_id) USING (partner_id, external_id)",
            [[item.partner_id for item in items], [item.external_id for item in items]],
        )
        return {
            (partner_id, external_id): (id_, public_id, bytes(digest))
            for partner_id, external_id, id_, public_id, digest in cursor.fetchall()
        }
