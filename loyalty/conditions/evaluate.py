"""Judges a condition on facts in memory. A tree becomes one Python function, built once, called many times.

The logic has two values. A missing fact (None, no key, a blank text, an empty list) makes every comparison
false, `ne` included, and `not` of it true. `compile` says the same in SQL; a property test compares them.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, TypeAlias

from .fields import OF_DAYS, FieldType, How, Measure, Op
from .tree import AllOf, AnyOf, AnyRow, Comparison, Node, Not, RowMeasure, measured_field

Facts: TypeAlias = Mapping[str, Any]
Judge: TypeAlias = Callable[[Facts, datetime, date], bool]
"""Takes the facts, the moment in UTC and the date that is "today" at that moment."""

Test: TypeAlias = Callable[[Any], bool]

_UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞŠŽŐŰŁĄĘĆŃŚŹŻČĎĚŇŘŤŮĀĒĢĪĶĻŅŪĖĮŲ"
FOLD_FROM, FOLD_TO = _UPPER, _UPPER.lower()
_FOLD = str.maketrans(FOLD_FROM, FOLD_TO)


def fold(text: str) -> str:
    """Lower case by a fixed table, which SQL's translate() repeats exactly whatever the database's locale."""
    return text.translate(_FOLD)


def judge(node: Node) -> Judge:
    """Build the function that judges facts by this tree."""
    match node:
        case AllOf(children):
            return _all_of(tuple(judge(child) for child in children))
        case AnyOf(children):
            judges = tuple(judge(child) for child in children)
            return lambda facts, at, today: any(each(facts, at, today) for each in judges)
        case Not(child):
            inner = judge(child)
            return lambda facts, at, today: not inner(facts, at, today)
        case Comparison():
            return _comparison(node)
        case AnyRow(relation, where):
            return _any_row(relation.name, judge(where))
        case RowMeasure():
            return _row_measure(node)


def _all_of(judges: tuple[Judge, ...]) -> Judge:
    """Plain loops here and below: rules ask these thousands of times for one purchase."""

    def holds(facts: Facts, at: datetime, today: date) -> bool:
        for each in judges:  # noqa: SIM110
            if not each(facts, at, today):
                return False
        return True

    return holds


def _any_row(name: str, inner: Judge) -> Judge:
    def found(facts: Facts, at: datetime, today: date) -> bool:
        for row in facts.get(name) or ():  # noqa: SIM110
            if inner(row, at, today):
                return True
        return False

    return found


def _comparison(node: Comparison) -> Judge:
    if node.op is Op.EQ and node.field.type is not FieldType.TEXT_LIST and len(node.field.keys) == 1:
        return _equal(node.field.keys[0], node.value)
    find = _finder(node.field.keys)
    if node.op in OF_DAYS:
        return _near(find, node.op, timedelta(days=node.value), dates=node.field.type is FieldType.DATE)
    test = _test(node.field.type, node.op, node.value)

    def compared(facts: Facts, _at: datetime, _today: date) -> bool:
        value = find(facts)
        return value is not None and test(value)

    return compared


def _equal(name: str, wanted: Any) -> Judge:
    """By far the most common comparison. What is wanted is never None, so a missing fact is never equal."""
    return lambda facts, _at, _today: bool(facts.get(name) == wanted)


def _near(find: Callable[[Facts], Any], op: Op, span: timedelta, *, dates: bool) -> Judge:
    """Whether a value lies within a time before (or after) now."""
    before, after = (span, timedelta()) if op is Op.WITHIN_LAST else (timedelta(), span)

    def near(facts: Facts, at: datetime, today: date) -> bool:
        value, now = find(facts), today if dates else at
        return value is not None and bool(now - before <= value <= now + after)

    return near


def _finder(keys: tuple[str, ...]) -> Callable[[Facts], Any]:
    """Looks a value up, through the mappings of included subjects if need be."""
    if len(keys) == 1:
        [only] = keys
        return lambda facts: facts.get(only)

    def nested(facts: Facts) -> Any:
        value: Any = facts
        for key in keys:
            value = value.get(key)
            if value is None:
                return None
        return value

    return nested


def _row_measure(node: RowMeasure) -> Judge:
    name, measure, inner = node.relation.name, node.measure, judge(node.where)
    compared = _comparison(Comparison(measured_field(node.relation, measure), node.op, node.value))

    def measured(facts: Facts, at: datetime, today: date) -> bool:
        matching = [row for row in facts.get(name) or () if inner(row, at, today)]
        return compared({measure.name: _measured(measure, matching)}, at, today)

    return measured


def _measured(measure: Measure, rows: list[Facts]) -> Any:
    """The measure of these rows; None when there is none."""
    if not measure.of:
        return len(rows)
    values = [value for row in rows if (value := row.get(measure.of)) is not None]
    if measure.how is How.DISTINCT:
        return len(set(values))
    if measure.how is How.SUM:
        return sum(values)
    return (min if measure.how is How.LEAST else max)(values, default=None)


_ORDER: Mapping[Op, Callable[[Any, Any], bool]] = {
    Op.LT: operator.lt,
    Op.LE: operator.le,
    Op.GT: operator.gt,
    Op.GE: operator.ge,
}


def _test(kind: FieldType, op: Op, wanted: Any) -> Test:
    """The test of a value that is there (never None)."""
    if kind is FieldType.TEXT_LIST:
        return _list_test(op, wanted)
    if op is Op.EQ:
        return lambda value: bool(value == wanted)
    if op is Op.NE:
        return lambda value: bool(value != wanted and value != "")
    if op in _ORDER:
        compare = _ORDER[op]
        return lambda value: compare(value, wanted)
    if op is Op.BETWEEN:
        low, high = wanted
        return lambda value: bool(low <= value <= high)
    if op is Op.IN:
        members = frozenset(wanted)
        return lambda value: value in members
    if op is Op.CONTAINS:
        needle = fold(wanted)
        return lambda value: needle in fold(value)
    return lambda value: bool(value != "")


def _list_test(op: Op, wanted: Any) -> Test:
    if op is Op.CONTAINS:
        return lambda value: wanted in value
    if op is Op.IN:
        members = frozenset(wanted)
        return lambda value: not members.isdisjoint(value)
    return lambda value: len(value) > 0


def fact_fields(node: Node) -> frozenset[str]:
    """The names a caller must put into the facts: fields (dotted when included) and relations."""
    match node:
        case AllOf(children) | AnyOf(children):
            return frozenset().union(*(fact_fields(child) for child in children))
        case Not(child):
            return fact_fields(child)
        case Comparison(field):
            return frozenset({field.name})
        case AnyRow(relation) | RowMeasure(relation):
            return frozenset({relation.name})
