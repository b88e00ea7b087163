"""Reads the facts of many rows from the database, as the declared fields say where they are kept.

What `evaluate` judges in memory and `compile` asks in SQL thus comes from the same declarations.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from django.db.models import F, QuerySet
from django.utils import timezone

from .fields import Field, Relation, Rows, Subject

Facts = dict[str, Any]


def gather(
    queryset: QuerySet[Any], subject: Subject, *, at: datetime, names: Collection[str] | None = None
) -> dict[Any, Facts]:
    """The facts by primary key of the rows, of the fields and relations named (None: all that the database keeps).

    One statement for the rows themselves, and one for each list and relation.
    """
    rows = [values for values, _kept in _read(queryset, subject, at=at.astimezone(UTC), names=names)]
    return {facts.pop("pk"): facts for facts in rows}


def _read(
    queryset: QuerySet[Any], subject: Subject, *, at: datetime, names: Collection[str] | None, key: str = ""
) -> list[tuple[Facts, Any]]:
    """Each row's facts (with its ``pk``) and its ``key``, in no promised order."""

    def asked(name: str) -> bool:
        return names is None or name in names

    fields = [each for each in subject.kept_fields() if asked(each.name)]
    scalar = {f"fact_{place}": each for place, each in enumerate(fields) if each.orm is not None}
    lists = [each for each in fields if each.rows is not None]
    relations = [each for each in subject.relations() if each.rows is not None and asked(each.name)]
    outers = {rows.outer for rows in (*_rows(lists), *_rows(relations))} - {"pk"}
    columns: dict[str, Any] = {alias: _expression(each, at) for alias, each in scalar.items()}
    columns |= {f"outer_{name}": F(name) for name in outers}
    if key:
        columns["asked_key"] = F(key)
    found: list[tuple[Facts, Any]] = []
    raw = list(queryset.order_by().values("pk", **columns))
    for row in raw:
        facts: Facts = {"pk": row["pk"]}
        for alias, each in scalar.items():
            _put(facts, each.keys, _value(each, row[alias]))
        found.append((facts, row.get("asked_key")))
    belonging: list[tuple[tuple[str, ...], str, dict[Any, list[Any]]]] = []
    for listed in lists:
        outer = _outer(listed)
        belonging.append((listed.keys, outer, _listed(listed, raw, outer)))
    for relation in relations:
        outer = _outer(relation)
        belonging.append(((relation.name,), outer, _related(relation, raw, outer, at)))
    for keys, outer, inner in belonging:
        for (facts, _key), row in zip(found, raw, strict=True):
            _put(facts, keys, inner.get(row[outer], []))
    return found


def _outer(declared: Field | Relation) -> str:
    """The column of the rows that the belonging ones point to."""
    assert declared.rows is not None  # noqa: S101
    return "pk" if declared.rows.outer == "pk" else f"outer_{declared.rows.outer}"


def _rows(declared: Collection[Field] | Collection[Relation]) -> list[Rows]:
    return [each.rows for each in declared if each.rows is not None]


def _listed(field: Field, raw: list[dict[str, Any]], outer: str) -> dict[Any, list[str]]:
    rows = field.rows
    assert rows is not None  # noqa: S101
    found: dict[Any, list[str]] = defaultdict(list)
    belonging = rows.queryset().filter(**{f"{rows.inner}__in": [row[outer] for row in raw]})
    for key, text in belonging.order_by().values_list(rows.inner, rows.value):
        found[key].append(text)
    return found


def _related(
    relation: Relation, raw: list[dict[str, Any]], outer: str, at: datetime
) -> dict[Any, list[Facts]]:
    rows = relation.rows
    assert rows is not None  # noqa: S101
    found: dict[Any, list[Facts]] = defaultdict(list)
    belonging = rows.queryset().filter(**{f"{rows.inner}__in": [row[outer] for row in raw]})
    for facts, key in _read(belonging, relation.subject, at=at, names=None, key=rows.inner):
        found[key].append(facts)
    return found


def _expression(field: Field, at: datetime) -> Any:
    if isinstance(field.orm, str):
        return F(field.prefix + field.orm)
    assert field.orm is not None  # noqa: S101
    return field.orm(field.prefix, at)


def _value(field: Field, value: Any) -> Any:
    if field.of_moment and value is not None:
        return timezone.localtime(value, timezone.get_default_timezone()).date()
    return value


def _put(facts: Facts, keys: tuple[str, ...], value: Any) -> None:
    for key in keys[:-1]:
        facts = facts.setdefault(key, {})
    facts[keys[-1]] = value
