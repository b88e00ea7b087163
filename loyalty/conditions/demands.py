"""What a condition cannot do without, so that a caller with many conditions need judge only those that may hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from .fields import Field, FieldType, Op
from .tree import AllOf, AnyOf, AnyRow, Comparison, Node


@dataclass(frozen=True, slots=True)
class Demand:
    """The condition holds only if the fact `name` is one of `values`: in some row of `relation`, where given."""

    name: str
    values: frozenset[Any]
    relation: str = ""


_Place: TypeAlias = tuple[str, str]


def demands(node: Node) -> tuple[Demand, ...]:
    """The demands of a tree, of which each has to be met; none where nothing so simple can be said of it."""
    match node:
        case Comparison(field, Op.EQ, value) if _is_plain(field):
            return (Demand(field.name, frozenset((value,))),)
        case Comparison(field, Op.IN, values) if _is_plain(field):
            return (Demand(field.name, frozenset(values)),)
        case AllOf(children):
            return tuple(each for child in children for each in demands(child))
        case AnyOf(children):
            return _of_any([_by_place(child) for child in children])
        case AnyRow(relation, where):
            inner = (each for each in demands(where) if not each.relation)
            return tuple(Demand(each.name, each.values, relation.name) for each in inner)
    return ()


def _is_plain(field: Field) -> bool:
    """Whether the facts hold one value under the field's own name."""
    return field.type is not FieldType.TEXT_LIST and len(field.keys) == 1


def _by_place(node: Node) -> dict[_Place, frozenset[Any]]:
    """The narrowest demand on each fact."""
    found: dict[_Place, frozenset[Any]] = {}
    for each in demands(node):
        place = each.relation, each.name
        if place not in found or len(each.values) < len(found[place]):
            found[place] = each.values
    return found


def _of_any(choices: list[dict[_Place, frozenset[Any]]]) -> tuple[Demand, ...]:
    """Of alternatives only facts on which each makes a demand are demanded: to have what one of them wants."""
    if not choices:
        return ()
    shared = [place for place in choices[0] if all(place in each for each in choices)]
    return tuple(
        Demand(name, frozenset().union(*(each[relation, name] for each in choices)), relation)
        for relation, name in shared
    )
