"""What a replay reads of the activities of its period: in which order the ledger judged them, and what it gave."""

import datetime as dt
from array import array
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from members.activities import LineFacts, NewActivity
from members.models import Category, Product, SalesChannel, Store


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of time, by the time of the activities: from ``starts_at``, before ``ends_at``."""

    starts_at: dt.datetime
    ends_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Place:
    """Where an activity stands in the order of the ledger: ``first`` is the first transfer it led to, if any."""

    at: dt.datetime
    activity_id: int
    first: int | None

    def is_after(self, transfer_id: int | None, posted_at: dt.datetime, activity_id: int | None) -> bool:
        """Whether something posted by a transfer, or for an activity of its own, came before this activity."""
        if self.first is not None and transfer_id is not None:
            return transfer_id < self.first
        if posted_at == self.at and activity_id is not None:
            return activity_id < self.activity_id
        return posted_at <= self.at


@dataclass(frozen=True, slots=True)
class Recorded:
    """The activities of a period in the order in which the ledger judged them, eight bytes each, and their members.

    Two of one member that were recorded side by side may have been judged in the other order than they were numbered:
    ``blind_from`` then says from which number on an activity did not see what had been recorded before it.
    """

    period: Period
    ids: "array[int]" = field(default_factory=lambda: array("q"))
    members: list[int] = field(default_factory=list)
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    """The first and the last moment of recording; None in a period without activities."""
    blind_from: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """An activity as it stands in its table, with the tier that it was judged at."""

    id: int
    public_id: UUID
    member_id: int
    partner_id: int
    external_id: str
    kind: str
    occurred_at: dt.datetime
    recorded_at: dt.datetime
    currency: str
    total: Decimal
    store_id: int | None
    channel_id: int | None
    tier_id: int | None


@dataclass(frozen=True, slots=True)
class Given:
    """What the ledger gave for an activity, by rule revision, and the first transfer of it."""

    points: dict[int, int] = field(default_factory=dict)
    first: int | None = None


NOTHING = Given()


def fetch(statement: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    """All rows of a statement."""
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return cursor.fetchall()


_IN_ORDER = """
WITH found AS (
    SELECT a.id, a.member_id, min(t.id) AS first
    FROM members_activity a
    LEFT JOIN rewards_transfer t
        ON t.activity_id = a.id AND t.reverses_id IS NULL AND t.rule_revision_id IS NOT NULL
    WHERE a.occurred_at >= %s AND a.occurred_at < %s GROUP BY a.id
), placed AS (
    SELECT id, member_id, coalesce(first, max(first) OVER (ORDER BY id), 0) AS place FROM found
)
SELECT id, min(id) OVER (PARTITION BY member_id ORDER BY place DESC, id DESC) FROM placed ORDER BY place, id
"""

_MEMBERS = """
SELECT member_id, min(recorded_at), max(recorded_at) FROM members_activity
WHERE occurred_at >= %s AND occurred_at < %s GROUP BY member_id
"""


def recorded_in(period: Period) -> Recorded:
    """The activities of a period. The ledger's order is that of its transfers, written under the members' locks.

    An activity that gave nothing has none, and comes after those numbered before it.
    """
    ids: array[int] = array("q")
    blind_from: dict[int, int] = {}
    asked = [period.starts_at, period.ends_at]
    with connection.cursor() as cursor:
        cursor.execute(_IN_ORDER, asked)
        while rows := cursor.fetchmany(50_000):
            ids.extend(row[0] for row in rows)
            blind_from.update(row for row in rows if row[0] != row[1])
    members = fetch(_MEMBERS, asked)
    return Recorded(
        period=period,
        ids=ids,
        members=[row[0] for row in members],
        since=min((row[1] for row in members), default=None),
        until=max((row[2] for row in members), default=None),
        blind_from=blind_from,
    )


_ACTIVITIES = """
SELECT a.id, a.public_id, a.member_id, a.partner_id, a.external_id, a.kind_id, a.occurred_at, a.recorded_at, a.currency,
       a.total, a.store_id, a.channel_id, j.tier_id
FROM members_activity a LEFT JOIN rewards_judgement j ON j.activity_id = a.id
WHERE a.id = ANY(%s)
"""

_LINES = """
SELECT activity_id, product_id, category_id, quantity, total FROM members_activityline
WHERE activity_id = ANY(%s) ORDER BY activity_id, position
"""

_GIVEN = """
SELECT activity_id, rule_revision_id, sum(points)::bigint, min(id) FROM rewards_transfer
WHERE activity_id = ANY(%s) AND reverses_id IS NULL AND rule_revision_id IS NOT NULL
GROUP BY activity_id, rule_revision_id
"""


def activities(ids: Sequence[int]) -> list[Row]:
    """The activities, in the order of ``ids``."""
    found = {row[0]: Row(*row) for row in fetch(_ACTIVITIES, [ids])}
    return [found[id_] for id_ in ids]


def given(ids: Sequence[int]) -> dict[int, Given]:
    """What the ledger gave for activities; those it gave nothing for are left out."""
    found: dict[int, dict[int, int]] = defaultdict(dict)
    first: dict[int, int] = {}
    for activity_id, revision_id, points, transfer_id in fetch(_GIVEN, [ids]):
        found[activity_id][revision_id] = points
        first[activity_id] = min(transfer_id, first.get(activity_id, transfer_id))
    return {id_: Given(points, first[id_]) for id_, points in found.items()}


class Catalogue:
    """Names of stores, channels, products and categories, read as they are met."""

    def __init__(self) -> None:
        self.stores = dict(Store.objects.values_list("pk", "code"))
        self.channels = dict(SalesChannel.objects.values_list("pk", "code"))
        self.categories: dict[int | None, tuple[str, str]] = {None: ("", "")}
        for pk, name, department in Category.objects.values_list("pk", "name", "department"):
            self.categories[pk] = (name, department)
        self.products: dict[int | None, tuple[str, str]] = {None: ("", "")}

    def activity(self, row: Row, lines: Sequence[LineFacts]) -> NewActivity:
        """The activity as it was reported."""
        return NewActivity(
            row.partner_id,
            row.member_id,
            row.external_id,
            row.kind,
            row.occurred_at,
            row.currency,
            row.total,
            self.stores[row.store_id] if row.store_id else "",
            self.channels[row.channel_id] if row.channel_id else "",
            tuple(lines),
        )

    def lines(self, ids: Sequence[int]) -> dict[int, list[LineFacts]]:
        """The lines of activities, in order."""
        rows = fetch(_LINES, [ids])
        unseen = {row[1] for row in rows} - self.products.keys()
        if unseen:
            for pk, sku, brand in Product.objects.filter(pk__in=unseen).values_list("pk", "sku", "brand"):
                self.products[pk] = (sku, brand)
        found: dict[int, list[LineFacts]] = defaultdict(list)
        products, categories = self.products, self.categories
        for activity_id, product_id, category_id, quantity, total in rows:
            sku, brand = products[product_id]
            category, department = categories[category_id]
            found[activity_id].append(LineFacts(sku, category, department, quantity, total, brand))
        return found
