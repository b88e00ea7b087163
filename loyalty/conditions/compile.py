"""Turns a condition into a Django filter that holds for exactly the rows that `evaluate` accepts.

A positive comparison compiles to the plain lookup, so that indexes serve it: a NULL result excludes the row,
which is what "missing is false" asks. `not` is pushed down to the leaves and becomes ``(...) IS NOT TRUE``
there, so that a missing value satisfies it, again as in memory. PostgreSQL only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import EmptyResultSet, FullResultSet
from django.db import models
from django.db.models import Count, Exists, F, Func, Max, Min, OuterRef, Q, Subquery, Sum, Value
from django.db.models.functions import Coalesce
from django.db.models.lookups import GreaterThan
from django.utils import timezone

from .evaluate import FOLD_FROM, FOLD_TO, fold, judge
from .fields import OF_DAYS, Field, FieldType, How, Op, Relation, Rows
from .tree import AllOf, AnyOf, AnyRow, Comparison, Leaf, Node, Not, RowMeasure, measured_field

NEVER = Q(pk__in=[])
ONE_DAY = timedelta(days=1)


class NotQueryableError(Exception):
    """The condition asks about something that is known in memory only, not in the database."""


class NotTrue(Func):
    """``(condition) IS NOT TRUE``: NULL counts as not true."""

    template = "(%(expressions)s) IS NOT TRUE"
    output_field = models.BooleanField()
    arity = 1

    def as_sql(self, compiler: Any, connection: Any, **extra: Any) -> Any:  # type: ignore[override]
        """Django gives up early on conditions that no row, or every row, meets: turn those round as well."""
        try:
            return super().as_sql(compiler, connection, **extra)
        except EmptyResultSet:
            return "TRUE", ()
        except FullResultSet:
            return "FALSE", ()


class AmongGrouped(Func):
    """Whether a value is among the keys of a grouped query, which is run once for all rows.

    ``EXISTS`` over a derived table becomes a join, turned round or not, where ``IN`` over a grouped query would not.
    """

    template = "EXISTS (SELECT FROM %(expressions)s)"
    arg_joiner = " AS grouped_rows(key) WHERE grouped_rows.key = "
    output_field = models.BooleanField()
    arity = 2

    def as_sql(self, compiler: Any, connection: Any, **extra: Any) -> Any:  # type: ignore[override]
        """Among the keys of a query of which Django knows that it finds no row, there is nothing."""
        try:
            compiler.compile(self.get_source_expressions()[0])
        except EmptyResultSet:
            return "FALSE", ()
        return super().as_sql(compiler, connection, **extra)


_OUTPUT: Mapping[FieldType, models.Field[Any, Any]] = {
    FieldType.TEXT: models.TextField(),
    FieldType.CHOICE: models.TextField(),
    FieldType.INTEGER: models.BigIntegerField(),
    FieldType.DECIMAL: models.DecimalField(max_digits=40, decimal_places=6),
    FieldType.BOOLEAN: models.BooleanField(),
    FieldType.DATE: models.DateField(),
    FieldType.DATETIME: models.DateTimeField(),
    FieldType.TEXT_LIST: ArrayField(models.TextField()),
}

_LOOKUPS: Mapping[Op, str] = {
    Op.EQ: "exact",
    Op.LT: "lt",
    Op.LE: "lte",
    Op.GT: "gt",
    Op.GE: "gte",
}

_BLANKABLE = (FieldType.TEXT, FieldType.CHOICE)


def compile_node(node: Node, *, at: datetime, today: date, many: bool = False) -> Q:
    """The filter of a tree at a moment; raises NotQueryableError for a field that no table keeps.

    `many`: measures are grouped once for all rows, which pays when most of a table is judged; without it they are asked
    of each row by itself, through the indexes.
    """
    return _Compiler(at, today, many).node(node, negated=False)


@dataclass(frozen=True, slots=True)
class _Compiler:
    at: datetime
    today: date
    many: bool = False

    def node(self, node: Node, *, negated: bool) -> Q:
        match node:
            case Not(child):
                return self.node(child, negated=not negated)
            case AllOf(children) | AnyOf(children):
                conjunction = isinstance(node, AllOf) is not negated
                return self.group(children, conjunction=conjunction, negated=negated)
            case _:
                return self.negative(node) if negated else self.positive(node)

    def group(self, children: tuple[Node, ...], *, conjunction: bool, negated: bool) -> Q:
        if not children:
            return ~NEVER if conjunction else NEVER
        parts = [self.node(child, negated=negated) for child in children]
        return Q(*parts, _connector=Q.AND if conjunction else Q.OR)

    def positive(self, leaf: Leaf) -> Q:
        match leaf:
            case Comparison():
                return Q(self.comparison(leaf))
            case AnyRow(relation, where):
                return Q(Exists(self.matching(relation, where)))
            case RowMeasure():
                return self.measured(leaf)

    def negative(self, leaf: Leaf) -> Q:
        if isinstance(leaf, AnyRow):
            return Q(~Exists(self.matching(leaf.relation, leaf.where)))
        return Q(NotTrue(self.positive(leaf)))

    def comparison(self, leaf: Comparison) -> Any:
        field, op, value = leaf.field, leaf.op, leaf.value
        if field.rows is not None:
            return self.listed_rows(field, field.rows, op, value)
        source = _Source(field, self.at)
        if field.of_moment and op is not Op.IS_SET:
            return self.day(source, op, value)
        if field.type is FieldType.TEXT_LIST:
            return _listed(source, op, value)
        if op is Op.IS_SET:
            return _present(source)
        if op is Op.NE:
            unwanted = [value, ""] if field.type in _BLANKABLE else [value]
            return Q(source.lookup("isnull", False)) & Q(NotTrue(Q(source.lookup("in", unwanted))))
        if op is Op.IN:
            return source.lookup("in", list(value))
        if op is Op.CONTAINS:
            return _contains(source, value)
        if op is Op.BETWEEN or op in OF_DAYS:
            low, high = value if op is Op.BETWEEN else self.window(field.type, op, value)
            return Q(_compared(source, "gte", low)) & Q(_compared(source, "lte", high))
        return _compared(source, _LOOKUPS[op], value)

    def window(self, kind: FieldType, op: Op, days: int) -> tuple[Any, Any]:
        now: Any = self.today if kind is FieldType.DATE else self.at
        span = timedelta(days=days)
        return (now - span, now) if op is Op.WITHIN_LAST else (now, now + span)

    def day(self, source: _Source, op: Op, value: Any) -> Q:
        """Compares the day of a moment by the moments at which days begin, so that an index serves it."""
        if op is Op.NE:
            return Q(source.lookup("isnull", False)) & Q(NotTrue(self.day(source, Op.EQ, value)))
        if op in (Op.LT, Op.GE):
            return Q(source.lookup("lt" if op is Op.LT else "gte", _start(value)))
        if op in (Op.LE, Op.GT):
            return Q(source.lookup("lt" if op is Op.LE else "gte", _start(value + ONE_DAY)))
        if op is Op.EQ:
            low = high = value
        else:
            low, high = value if op is Op.BETWEEN else self.window(FieldType.DATE, op, value)
        return Q(source.lookup("gte", _start(low))) & Q(source.lookup("lt", _start(high + ONE_DAY)))

    def listed_rows(self, field: Field, rows: Rows, op: Op, value: Any) -> Exists:
        found = _rows_of(rows, field.prefix)
        if op is Op.CONTAINS:
            found = found.filter(**{rows.value: value})
        elif op is Op.IN:
            found = found.filter(**{f"{rows.value}__in": list(value)})
        return Exists(found)

    def matching(self, relation: Relation, where: Node, *, together: bool = False) -> models.QuerySet[Any]:
        """The rows that match: those of the row asked about, or (`together`) everybody's."""
        rows = _kept(relation)
        found = rows.queryset() if together else _rows_of(rows, "")
        return found.filter(self.node(where, negated=False))

    def measured(self, leaf: RowMeasure) -> Q:
        """Compares one aggregate of the matching rows; no rows count as 0, or as nothing for the least and greatest."""
        about = measured_field(leaf.relation, leaf.measure)
        rows, output = _kept(leaf.relation), _OUTPUT[about.type]
        grouped = (
            self.matching(leaf.relation, leaf.where, together=self.many)
            .order_by()
            .values(rows.inner)
            .annotate(measured_total=self.aggregate(leaf))
        )
        if self.many:
            return self.among(leaf, about, rows, grouped)
        number: Any = Subquery(grouped.values("measured_total"), output_field=output)
        if not leaf.measure.may_be_missing:
            number = Coalesce(number, Value(0, output), output_field=output)
        return self.compared(about, number, leaf.op, leaf.value)

    def among(self, leaf: RowMeasure, about: Field, rows: Rows, grouped: models.QuerySet[Any]) -> Q:
        """The same by one grouping of all rows. Who has no row is in no group: 0 may be what is asked for."""
        nothing = {about.name: None if leaf.measure.may_be_missing else 0}
        held = self.compared(about, F("measured_total"), leaf.op, leaf.value)
        if judge(Comparison(about, leaf.op, leaf.value))(nothing, self.at, self.today):
            keys = grouped.filter(NotTrue(held)).values(rows.inner)
            return ~Q(AmongGrouped(Subquery(keys), F(rows.outer)))
        return Q(AmongGrouped(Subquery(grouped.filter(held).values(rows.inner)), F(rows.outer)))

    def aggregate(self, leaf: RowMeasure) -> Any:
        inner = leaf.relation.subject.field(leaf.measure.of) if leaf.measure.of else None
        if inner is None:
            return Count("*")
        source = _Source(inner, self.at).expression()
        match leaf.measure.how:
            case How.DISTINCT:
                return Count(source, distinct=True)
            case How.LEAST:
                return Min(source)
            case How.GREATEST:
                return Max(source)
            case _:
                return Coalesce(Sum(source), Value(0, _OUTPUT[inner.type]), output_field=_OUTPUT[inner.type])

    def compared(self, about: Field, number: Any, op: Op, value: Any) -> Q:
        """The test of an aggregate; false where there is none."""
        output = _OUTPUT[about.type]
        if op is Op.BETWEEN or op in OF_DAYS:
            low, high = value if op is Op.BETWEEN else self.window(about.type, op, value)
            return Q(_look(number, output, "gte", low)) & Q(_look(number, output, "lte", high))
        if op is Op.NE:
            there = Q(_look(number, output, "isnull", False))
            return there & Q(NotTrue(Q(_look(number, output, "exact", value))))
        return Q(_look(number, output, _LOOKUPS[op], value))


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a field's value stands in the query: a path or an expression."""

    field: Field
    at: datetime

    def expression(self) -> Any:
        if self.field.orm is None:
            raise NotQueryableError(f"{self.field.name} is not kept in the database")
        if isinstance(self.field.orm, str):
            return F(self.field.prefix + self.field.orm)
        return self.field.orm(self.field.prefix, self.at)

    def lookup(self, name: str, value: Any) -> Any:
        if isinstance(self.field.orm, str):
            return Q(**{f"{self.field.prefix}{self.field.orm}__{name}": value})
        return _look(self.expression(), _OUTPUT[self.field.type], name, value)


def _start(day: date) -> datetime:
    """The first moment of a day in the installation's time zone."""
    return datetime.combine(day, time.min, tzinfo=timezone.get_default_timezone())


def _look(expression: Any, output: models.Field[Any, Any], name: str, value: Any) -> Any:
    wrapped = models.ExpressionWrapper(expression, output_field=output)
    return output.get_lookup(name)(wrapped, value)  # type: ignore[misc]


def _compared(source: _Source, lookup: str, value: Any) -> Any:
    """Rule NULL out first: beyond the range of an integer column Django says "every row", NULL too."""
    if source.field.type is FieldType.INTEGER and lookup != "exact":
        return Q(source.lookup("isnull", False)) & Q(source.lookup(lookup, value))
    return source.lookup(lookup, value)


def _present(source: _Source) -> Any:
    there = Q(source.lookup("isnull", False))
    if source.field.type in _BLANKABLE:
        return there & Q(NotTrue(Q(source.lookup("exact", ""))))
    return there


def _contains(source: _Source, needle: str) -> Any:
    text, table = source.expression(), (Value(FOLD_FROM), Value(FOLD_TO))
    folded = Func(text, *table, function="translate", output_field=models.TextField())
    position = Func(folded, Value(fold(needle)), function="strpos", output_field=models.IntegerField())
    return GreaterThan(position, 0)


def _listed(source: _Source, op: Op, value: Any) -> Any:
    if op is Op.CONTAINS:
        return source.lookup("contains", [value])
    if op is Op.IN:
        return source.lookup("overlap", list(value))
    size = Func(source.expression(), function="cardinality", output_field=models.IntegerField())
    return GreaterThan(size, 0)


def _kept(relation: Relation) -> Rows:
    if relation.rows is None:
        raise NotQueryableError(f"{relation.name} is not kept in the database")
    return relation.rows


def _rows_of(rows: Rows, prefix: str) -> models.QuerySet[Any]:
    return rows.queryset().filter(**{rows.inner: OuterRef(prefix + rows.outer)})
