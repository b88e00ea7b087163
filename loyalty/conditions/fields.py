"""What conditions can be about: subjects (a member, an activity, a line) and their declared fields.

Each floor registers its own at start-up (`AppConfig.ready`): ``subject("member").register(Field(...))``.
Nothing here reads data; parser, evaluator, compiler and form builder all ask these declarations.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

Choices: TypeAlias = Iterable[tuple[str, StrOrPromise]]
OrmExpression: TypeAlias = Callable[[str, datetime], Any]
"""Gives a Django expression, from the path prefix to the field's model ("" or "member__") and the moment."""


class FieldType(StrEnum):
    TEXT = "text"
    CHOICE = "choice"
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    TEXT_LIST = "text_list"


class Op(StrEnum):
    EQ = "eq"
    NE = "ne"
    LT = "lt"
    LE = "le"
    GT = "gt"
    GE = "ge"
    IN = "in"
    BETWEEN = "between"
    WITHIN_LAST = "within_last"
    WITHIN_NEXT = "within_next"
    CONTAINS = "contains"
    IS_SET = "is_set"


_ORDER = (Op.LT, Op.LE, Op.GT, Op.GE, Op.BETWEEN)
_NEAR = (Op.WITHIN_LAST, Op.WITHIN_NEXT)
OF_DAYS = frozenset(_NEAR)
"""Comparisons of a date or moment with now, whose value is a number of days."""

OPS: Mapping[FieldType, tuple[Op, ...]] = {
    FieldType.TEXT: (Op.EQ, Op.NE, Op.IN, Op.CONTAINS, Op.IS_SET),
    FieldType.CHOICE: (Op.EQ, Op.NE, Op.IN, Op.IS_SET),
    FieldType.INTEGER: (Op.EQ, Op.NE, *_ORDER, Op.IN, Op.IS_SET),
    FieldType.DECIMAL: (Op.EQ, Op.NE, *_ORDER, Op.IN, Op.IS_SET),
    FieldType.BOOLEAN: (Op.EQ, Op.IS_SET),
    FieldType.DATE: (Op.EQ, Op.NE, *_ORDER, *_NEAR, Op.IS_SET),
    FieldType.DATETIME: (*_ORDER, *_NEAR, Op.IS_SET),
    FieldType.TEXT_LIST: (Op.CONTAINS, Op.IN, Op.IS_SET),
}
"""Which comparisons each type of field offers, in the order the form builder lists them."""

MEASURE_OPS = (Op.EQ, Op.NE, *_ORDER)


def measure_ops(kind: FieldType) -> tuple[Op, ...]:
    """Which comparisons a measure of that type offers."""
    return tuple(op for op in OPS[kind] if op in MEASURE_OPS or op in OF_DAYS)


@dataclass(frozen=True, slots=True)
class Rows:
    """Where the database keeps a list-of-text field or a relation: rows of another table that point back.

    `queryset` gives all rows, `inner` is the path in them that equals `outer` of the row asked about, and
    `value` (list-of-text only) is the path of the text itself.
    """

    queryset: Callable[[], QuerySet[Any]]
    inner: str
    outer: str = "pk"
    value: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """One thing a condition may ask about.

    `label` is a nominative noun phrase in lower case, for it opens sentences such as "tier is Gold".
    `orm` is a path over single-valued relations, or a function giving an expression; without it (and without
    `rows`) the field can be judged in memory only. `phrases` replaces the sentence of an operator:
    ``{"within_last": _("birthday was within the last %(value)s")}``; "not within_last" is its negation.
    `op_labels` limits the operators to those it names, with their words in the form builder.
    `choices` given as a function are asked for when staff write or read a condition, not when one is judged.
    `of_moment` is for dates whose `orm` path leads to a moment: the day it falls on in the installation's time zone.
    A `hidden` field is there to be measured and offered to nobody.
    """

    name: str
    type: FieldType
    label: StrOrPromise
    choices: Sequence[tuple[str, StrOrPromise]] | Callable[[], Choices] = ()
    orm: str | OrmExpression | None = None
    rows: Rows | None = None
    unit: StrOrPromise = ""
    help_text: StrOrPromise = ""
    phrases: Mapping[str, StrOrPromise] = field(default_factory=dict)
    op_labels: Mapping[Op, StrOrPromise] = field(default_factory=dict)
    of_moment: bool = False
    hidden: bool = False
    path: tuple[str, ...] = ()
    prefix: str = ""
    group: StrOrPromise = ""

    @property
    def ops(self) -> tuple[Op, ...]:
        return tuple(self.op_labels) or OPS[self.type]

    def op_label(self, op: Op) -> StrOrPromise:
        """The operator's words in the form builder."""
        return self.op_labels.get(op) or op_label(self.type, op)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that lead to the value in the facts, outermost first."""
        return self.path or (self.name,)

    def options(self) -> list[tuple[str, StrOrPromise]]:
        """The choices as they stand now (a callable may read the database)."""
        return list(self.choices() if callable(self.choices) else self.choices)


class How(StrEnum):
    """What a measure makes of the values of a field. Without rows: 0, and no least and no greatest."""

    SUM = "sum"
    DISTINCT = "distinct"
    LEAST = "least"
    GREATEST = "greatest"


@dataclass(frozen=True, slots=True)
class Measure:
    """A value taken of the matching rows of a relation: how many, or what `how` makes of one of their fields.

    An empty `of` counts rows. `label` is a nominative noun phrase: "total of the purchase lines".
    """

    name: str
    label: StrOrPromise
    of: str = ""
    unit: StrOrPromise = ""
    how: How = How.SUM

    @property
    def may_be_missing(self) -> bool:
        """Whether there is no such value when no row matches."""
        return self.how in (How.LEAST, How.GREATEST)


@dataclass(frozen=True, slots=True)
class Relation:
    """Many rows that belong to the subject, such as a purchase's lines: any of them, or a measure of them.

    `some` and `none` are sentences: "there is at least one purchase line", "there is no purchase line".
    """

    name: str
    subject: Subject
    label: StrOrPromise
    some: StrOrPromise
    none: StrOrPromise
    measures: tuple[Measure, ...] = ()
    rows: Rows | None = None

    def measure(self, name: str) -> Measure | None:
        return next((measure for measure in self.measures if measure.name == name), None)


@dataclass(frozen=True, slots=True)
class Included:
    subject: Subject
    label: StrOrPromise
    prefix: str
    only: frozenset[str] | None = None

    def field(self, name: str) -> Field | None:
        return self.subject.field(name) if self.only is None or name in self.only else None

    def fields(self) -> list[Field]:
        return [each for each in self.subject.fields() if self.only is None or each.name in self.only]


_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_RESERVED = frozenset({"all", "any", "not", "field", "op", "value", "where", "measure"})


class Subject:
    """What a condition is about, with the fields and relations that the floors declared for it."""

    def __init__(self, name: str, label: StrOrPromise = "") -> None:
        self.name = name
        self.label = label or name
        self._fields: dict[str, Field] = {}
        self._relations: dict[str, Relation] = {}
        self._included: dict[str, Included] = {}

    def __repr__(self) -> str:
        return f"<Subject {self.name}>"

    def register(self, *fields: Field) -> None:
        """Declare fields; a name already taken is a programming error."""
        for declared in fields:
            self._claim(declared.name)
            if declared.type is FieldType.CHOICE and not declared.choices:
                raise ValueError(f"{self.name}.{declared.name}: a choice field needs choices")
            self._fields[declared.name] = declared

    def relate(self, relation: Relation) -> None:
        """Declare rows that belong to this subject."""
        self._claim(relation.name)
        self._relations[relation.name] = relation

    def include(
        self,
        name: str,
        subject: Subject,
        *,
        label: StrOrPromise,
        orm: str = "",
        only: Collection[str] | None = None,
    ) -> None:
        """Offer every field of `subject` as ``name.field``, also those registered later, or `only` those named.

        Facts hold them in a mapping under `name`; `orm` is the path from this subject's model to the other.
        """
        self._claim(name)
        self._included[name] = Included(
            subject=subject,
            label=label,
            prefix=f"{orm or name}__",
            only=None if only is None else frozenset(only),
        )

    def field(self, name: str) -> Field | None:
        outer, dot, inner = name.partition(".")
        if not dot:
            return self._fields.get(name)
        included = self._included.get(outer)
        found = included.field(inner) if included else None
        return _reach(found, outer, included) if found and included else None

    def relation(self, name: str) -> Relation | None:
        return self._relations.get(name)

    def fields(self) -> list[Field]:
        """Own fields in the order of registration, then those of included subjects; hidden ones left out."""
        found = [each for each in self._fields.values() if not each.hidden]
        for name, included in self._included.items():
            found += [_reach(inner, name, included) for inner in included.fields()]
        return found

    def kept_fields(self) -> list[Field]:
        """Every field that the database keeps, hidden ones too."""
        hidden = [each for each in self._fields.values() if each.hidden]
        return [each for each in (*self.fields(), *hidden) if each.orm is not None or each.rows is not None]

    def relations(self) -> list[Relation]:
        return list(self._relations.values())

    def _claim(self, name: str) -> None:
        if not _NAME.match(name) or name in _RESERVED:
            raise ValueError(f"{self.name}: {name!r} cannot name a field")
        if name in self._fields or name in self._relations or name in self._included:
            raise ValueError(f"{self.name}: {name!r} is registered twice")


def _reach(inner: Field, name: str, included: Included) -> Field:
    """The field of an included subject, as seen from the outer one."""
    return dataclasses.replace(
        inner,
        name=f"{name}.{inner.name}",
        path=(name, *inner.keys),
        prefix=included.prefix + inner.prefix,
        group=inner.group or included.label,
    )


_subjects: dict[str, Subject] = {}


def subject(name: str) -> Subject:
    """The subject of this name, made on first use, so that floors may register in any order."""
    if name not in _subjects:
        _subjects[name] = Subject(name)
    return _subjects[name]


OP_LABELS: Mapping[Op, StrOrPromise] = {
    Op.EQ: _("is"),
    Op.NE: _("is something other than"),
    Op.LT: _("is less than"),
    Op.LE: _("is at most"),
    Op.GT: _("is more than"),
    Op.GE: _("is at least"),
    Op.IN: _("is one of"),
    Op.BETWEEN: _("is between"),
    Op.WITHIN_LAST: _("is within the last (days)"),
    Op.WITHIN_NEXT: _("is within the next (days)"),
    Op.CONTAINS: _("contains"),
    Op.IS_SET: _("is known"),
}

MOMENT_OP_LABELS: Mapping[Op, StrOrPromise] = {
    Op.LT: _("is before"),
    Op.LE: _("is no later than"),
    Op.GT: _("is after"),
    Op.GE: _("is no earlier than"),
}


def op_label(field_type: FieldType, op: Op) -> StrOrPromise:
    """The operator's words in the form builder."""
    if field_type in (FieldType.DATE, FieldType.DATETIME):
        return MOMENT_OP_LABELS.get(op, OP_LABELS[op])
    if field_type is FieldType.TEXT_LIST and op is Op.IN:
        return _("contains one of")
    return OP_LABELS[op]
