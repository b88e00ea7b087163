"""Products a member may like: what sells best in the categories they buy from, that they have not bought yet.

Chosen by a member's own purchases only where they agreed to that (profiling and purchase lines); the others are told
what sells best of all, which says nothing about them. Nobody is told of what they said they never want.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.cache import cache
from django.db import connection

from members.models.consent import Purpose
from rewards.models import MemberAversion

MOST = 3
LOOK_BACK = dt.timedelta(days=365)
SELLING = dt.timedelta(days=90)
KEPT_SECONDS = 3_600
_KEY = "campaigns.best_sellers"
_PER_CATEGORY = 12
_NEEDED = (Purpose.PROFILING, Purpose.PURCHASE_LINES)


@dataclass(frozen=True, slots=True)
class Product:
    id: int
    sku: str
    name: str
    brand: str
    category_id: int | None
    category: str


@dataclass(frozen=True, slots=True)
class Habits:
    """What a member bought: their categories, the most frequent first, and the products."""

    categories: list[int] = field(default_factory=list)
    products: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Aversion:
    """SKUs and names of categories that a member said they never want."""

    skus: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()

    def has(self, sku: str, category: str = "") -> bool:
        return sku in self.skus or (bool(category) and category in self.categories)


class Aversions(dict[int, Aversion]):
    def of(self, member_id: int) -> Aversion:
        return self.get(member_id, Aversion())


def for_members(member_ids: Sequence[int], *, at: dt.datetime) -> dict[int, list[dict[str, Any]]]:
    """Up to three products for each member, as plain dicts. Two statements, and one an hour for what sells."""
    selling = best_sellers(at=at)
    habits = _habits(member_ids, at)
    averse = unwanted(member_ids)
    return {
        member_id: [
            {"name": product.name, "category": product.category, "brand": product.brand}
            for product in choose(selling, habits.get(member_id, Habits()), averse.of(member_id))
        ]
        for member_id in member_ids
    }


def choose(selling: Sequence[Product], habits: Habits, averse: Aversion) -> list[Product]:
    """The best sellers of the member's categories in turn, then of all; none bought before or unwanted. Pure."""
    fits = [
        product
        for product in selling
        if product.id not in habits.products and not averse.has(product.sku, product.category)
    ]
    by_category: dict[int | None, list[Product]] = defaultdict(list)
    for product in fits:
        by_category[product.category_id].append(product)
    liked = list(_in_turn([by_category[category] for category in habits.categories]))
    return list(dict.fromkeys([*liked, *fits]))[:MOST]


def _in_turn(lists: Iterable[list[Product]]) -> Iterable[Product]:
    waiting = [list(each) for each in lists if each]
    while waiting:
        for each in waiting:
            yield each.pop(0)
        waiting = [each for each in waiting if each]


def best_sellers(*, at: dt.datetime) -> list[Product]:
    """What was in most purchases of the last 90 days, up to twelve of a category; looked up once an hour."""
    found = cache.get(_KEY)
    if found is None:
        with connection.cursor() as cursor:
            cursor.execute(_SELLING, {"since": at - SELLING, "at": at, "most": _PER_CATEGORY})
            found = cursor.fetchall()
        cache.set(_KEY, found, KEPT_SECONDS)
    return [Product(*row) for row in found]


def unwanted(member_ids: Collection[int]) -> Aversions:
    """What members said they never want, in one statement."""
    rows = MemberAversion.objects.filter(member__in=member_ids)
    skus: dict[int, set[str]] = defaultdict(set)
    categories: dict[int, set[str]] = defaultdict(set)
    for member_id, kind_skus, kind_categories in rows.values_list(
        "member_id", "kind__skus", "kind__categories"
    ):
        skus[member_id].update(kind_skus)
        categories[member_id].update(kind_categories)
    return Aversions(
        {
            member_id: Aversion(frozenset(skus[member_id]), frozenset(categories[member_id]))
            for member_id in skus
        }
    )


def _habits(member_ids: Sequence[int], at: dt.datetime) -> Mapping[int, Habits]:
    """What the members bought in a year, of those who agreed that it chooses what they are offered."""
    with connection.cursor() as cursor:
        cursor.execute(
            _BOUGHT,
            {
                "members": list(member_ids),
                "since": at - LOOK_BACK,
                "at": at,
                "needed": [str(purpose) for purpose in _NEEDED],
                "count": len(_NEEDED),
            },
        )
        return {
            member_id: Habits(list(categories or ()), frozenset(products or ()))
            for member_id, categories, products in cursor.fetchall()
        }


_SELLING = """
SELECT id, sku, name, brand, category_id, category FROM (
    SELECT p.id, p.sku, p.name, p.brand, p.category_id, coalesce(c.name, '') AS category, sold.purchases,
           row_number() OVER (PARTITION BY p.category_id ORDER BY sold.purchases DESC, p.id) AS place
    FROM (
        SELECT l.product_id, count(*) AS purchases
        FROM members_activity a JOIN members_activityline l ON l.activity_id = a.id
        WHERE a.occurred_at > %(since)s AND a.occurred_at <= %(at)s AND l.product_id IS NOT NULL AND l.quantity > 0
        GROUP BY l.product_id
    ) sold
    JOIN members_product p ON p.id = sold.product_id
    LEFT JOIN members_category c ON c.id = p.category_id
    WHERE p.name <> ''
) ranked WHERE place <= %(most)s ORDER BY purchases DESC, id
"""

_BOUGHT = """
WITH agreed AS (
    SELECT member_id FROM members_consent
    WHERE member_id = ANY(%(members)s) AND channel = 'any' AND granted AND purpose = ANY(%(needed)s)
    GROUP BY member_id HAVING count(*) = %(count)s
), bought AS (
    SELECT a.member_id, p.id AS product_id, p.category_id, count(*) AS times
    FROM agreed
    JOIN members_activity a ON a.member_id = agreed.member_id
    JOIN members_activityline l ON l.activity_id = a.id
    JOIN members_product p ON p.id = l.product_id
    WHERE a.occurred_at > %(since)s AND a.occurred_at <= %(at)s
    GROUP BY a.member_id, p.id, p.category_id
), liked AS (
    SELECT member_id, category_id, sum(times) AS times FROM bought WHERE category_id IS NOT NULL
    GROUP BY member_id, category_id
)
SELECT bought.member_id,
       (SELECT array_agg(liked.category_id ORDER BY liked.times DESC, liked.category_id)
        FROM liked WHERE liked.member_id = bought.member_id),
       array_agg(DISTINCT bought.product_id)
FROM bought GROUP BY bought.member_id
"""
