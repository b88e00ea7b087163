"""Stores, channels, products and categories, which come into being as they are first seen.

``members.activities`` asks for ids by name, many at a time. Ids never change, so each process remembers those it
has seen committed: a till's usual purchase needs no query here.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction

Key = tuple[Any, ...]

_KEPT_AT_MOST = 200_000


@dataclass(slots=True)
class Dimension:
    """One table of names: the columns that make a name unique, and the ids known so far."""

    table: str
    columns: tuple[str, ...]
    casts: tuple[str, ...]
    known: dict[Key, int] = field(default_factory=dict)

    def ids(self, keys: Iterable[Key]) -> Mapping[Key, int]:
        """The id of each key, creating rows for those not seen before. Call inside a transaction.

        A concurrent creator of the same name is waited for, so both get one row. New ids are remembered by the
        process only once the transaction has committed.
        """
        wanted = set(keys)
        found = {key: self.known[key] for key in wanted if key in self.known}
        if len(found) < len(wanted):
            fetched = self._fetch_or_create(sorted(wanted - found.keys()))
            transaction.on_commit(lambda: self._remember(fetched))
            found |= fetched
        return found

    def forget(self) -> None:
        self.known.clear()

    def _fetch_or_create(self, keys: list[Key]) -> dict[Key, int]:
        fetched = self._fetch(keys)
        if missing := [key for key in keys if key not in fetched]:
            self._create(missing)
            fetched |= self._fetch(missing)
        return fetched

    def _fetch(self, keys: list[Key]) -> dict[Key, int]:
        columns = ", ".join(self.columns)
        typed = ", ".join(f"{name} {cast}" for name, cast in zip(self.columns, self.casts, strict=True))
        wanted = json.dumps([dict(zip(self.columns, key, strict=True)) for key in keys])
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {columns}, id FROM {self.table} "  # noqa: S608
                f"JOIN json_to_recordset(%s::json) AS wanted({typed}) USING ({columns})",
                [wanted],
            )
            return {tuple(row[:-1]): row[-1] for row in cursor.fetchall()}

    def _create(self, keys: list[Key]) -> None:
        columns = ", ".join(self.columns)
        extra = "".join(f", {name}" for name in self._blank)
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {self.table} ({columns}{extra}) "  # noqa: S608
                f"SELECT {columns}{', %s' * len(self._blank)} "
                f"FROM unnest({self._arrays}) wanted({columns}) ON CONFLICT DO NOTHING",
                ["" for _ in self._blank] + list(map(list, zip(*keys, strict=True))),
            )

    @property
    def _arrays(self) -> str:
        return ", ".join(f"%s::{cast}[]" for cast in self.casts)

    @property
    def _blank(self) -> tuple[str, ...]:
        """Columns that get an empty text on creation: the display name, where the table has one."""
        return () if "name" in self.columns else ("name",)

    def _remember(self, fetched: Mapping[Key, int]) -> None:
        if len(self.known) + len(fetched) > _KEPT_AT_MOST:
            self.known.clear()
        self.known.update(fetched)


STORES = Dimension("members_store", ("partner_id", "code"), ("bigint", "text"))
CHANNELS = Dimension("members_saleschannel", ("code",), ("text",))
CATEGORIES = Dimension("members_category", ("name", "department"), ("text", "text"))
PRODUCTS = Dimension("members_product", ("partner_id", "sku"), ("bigint", "text"))


def product_ids(seen: Iterable[tuple[int, str, int | None, str]]) -> Mapping[Key, int]:
    """Ids by (partner id, SKU), of products seen with a category id and a brand; a product takes the first of each."""
    details = {(partner_id, sku): (category_id, brand) for partner_id, sku, category_id, brand in seen}
    unknown = details.keys() - PRODUCTS.known.keys()
    ids = PRODUCTS.ids(details)
    described = [(ids[key], *details[key]) for key in unknown if details[key] != (None, "")]
    if described:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE members_product SET category_id = coalesce(members_product.category_id, seen.category_id), "
                "brand = CASE WHEN members_product.brand = '' THEN seen.brand ELSE members_product.brand END "
                "FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS seen(id, category_id, brand) "
                "WHERE members_product.id = seen.id AND (members_product.category_id IS NULL AND "
                "seen.category_id IS NOT NULL OR members_product.brand = '' AND seen.brand <> '')",
                list(map(list, zip(*described, strict=True))),
            )
    return ids


def forget() -> None:
    """Drop all remembered ids (between tests that truncate tables)."""
    for dimension in (STORES, CHANNELS, CATEGORIES, PRODUCTS):
        dimension.forget()
