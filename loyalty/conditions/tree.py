"""The condition as a typed tree: how JSON becomes one, with errors that name the path, and JSON again.

``{"all": [...]}``, ``{"any": [...]}``, ``{"not": {...}}``, ``{"field": "tier", "op": "eq", "value": 1}``,
``{"lines": {"where": {...}}}``, ``{"lines": {"where": {}, "measure": "total", "op": "ge", "value": "20"}}``.
An empty object (or an empty ``all`` at the root) always holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, TypeAlias

from django.utils.translation import gettext as _

from .fields import OF_DAYS, Field, FieldType, How, Measure, Op, Relation, Subject, measure_ops
from .values import InvalidValueError, read_value

MAX_DEPTH = 8
MAX_NODES = 200
MAX_VALUES = 1000
MAX_DAYS = 36500
MAX_ERRORS = 20


@dataclass(frozen=True, slots=True)
class AllOf:
    children: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    children: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    child: Node


@dataclass(frozen=True, slots=True)
class Comparison:
    """`value` has the field's type; `in`, `between`: a tuple; `within_last`, `within_next`: days; `is_set`: None."""

    field: Field
    op: Op
    value: Any


@dataclass(frozen=True, slots=True)
class AnyRow:
    relation: Relation
    where: Node


@dataclass(frozen=True, slots=True)
class RowMeasure:
    """The count of the rows that match `where`, or what the measure makes of one of their fields."""

    relation: Relation
    where: Node
    measure: Measure
    op: Op
    value: Any


Node: TypeAlias = AllOf | AnyOf | Not | Comparison | AnyRow | RowMeasure
Leaf: TypeAlias = Comparison | AnyRow | RowMeasure

ALWAYS = AllOf(())


@dataclass(frozen=True, slots=True)
class Problem:
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class ConditionError(ValueError):
    """The JSON is not a condition on this subject; `problems` name each path and what to mend there."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(str(problem) for problem in problems))


def parse_node(data: object, subject: Subject, *, check_choices: bool = True) -> Node:
    """Read JSON (already decoded) into a tree; raises ConditionError listing up to 20 problems.

    `check_choices=False` is for stored conditions, whose choice may have been removed since: they still load.
    """
    parser = _Parser(check_choices=check_choices)
    node = ALWAYS if data == {} else parser.node(data, subject, path="", depth=1, root=True)
    if parser.problems:
        raise ConditionError(parser.problems[:MAX_ERRORS])
    return node or ALWAYS


class _Parser:
    """One reading of one document; keeps the problems found and the count of nodes."""

    def __init__(self, *, check_choices: bool) -> None:
        self.check_choices = check_choices
        self.problems: list[Problem] = []
        self.nodes = 0

    def bad(self, path: str, message: str) -> None:
        self.problems.append(Problem(path, message))

    def node(
        self, data: object, subject: Subject, *, path: str, depth: int, root: bool = False
    ) -> Node | None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            if self.nodes == MAX_NODES + 1:
                self.bad(path, _("too many conditions; the limit is %(limit)s") % {"limit": MAX_NODES})
            return None
        if depth > MAX_DEPTH:
            self.bad(path, _("nested too deep; the limit is %(limit)s levels") % {"limit": MAX_DEPTH})
            return None
        if not isinstance(data, Mapping):
            self.bad(path, _("must be an object"))
            return None
        if "field" in data:
            return self.comparison(data, subject, path)
        if len(data) != 1:
            self.bad(path, _('must be a comparison ("field", "op", "value") or have exactly one key'))
            return None
        [(key, inner)] = data.items()
        here = f"{path}.{key}" if path else str(key)
        if key in ("all", "any"):
            return self.group(str(key), inner, subject, path=here, depth=depth, root=root)
        if key == "not":
            child = self.node(inner, subject, path=here, depth=depth + 1)
            return Not(child) if child else None
        relation = subject.relation(key) if isinstance(key, str) else None
        if relation is None:
            self.bad(here, _("is unknown"))
            return None
        return self.rows(relation, inner, path=here, depth=depth)

    def group(
        self, key: str, items: object, subject: Subject, *, path: str, depth: int, root: bool
    ) -> AllOf | AnyOf | None:
        if not isinstance(items, list):
            self.bad(path, _("must be a list"))
            return None
        if not items and not (root and key == "all"):
            self.bad(path, _("add at least one condition"))
            return None
        found = []
        for index, item in enumerate(items):
            if self.nodes > MAX_NODES:
                break
            found.append(self.node(item, subject, path=f"{path}[{index}]", depth=depth + 1))
        children = tuple(child for child in found if child is not None)
        return AllOf(children) if key == "all" else AnyOf(children)

    def comparison(self, data: Mapping[str, Any], subject: Subject, path: str) -> Comparison | None:
        dot = f"{path}." if path else ""
        name = data["field"]
        field = subject.field(name) if isinstance(name, str) else None
        if field is None:
            self.bad(f"{dot}field", _("is unknown"))
            return None
        op = self.op(data.get("op"), field.ops, f"{dot}op")
        if op is None:
            return None
        expected = {"field", "op"} if op is Op.IS_SET else {"field", "op", "value"}
        if not self.keys(data, expected, path):
            return None
        try:
            return Comparison(field, op, self.value(field, op, data.get("value"), f"{dot}value"))
        except InvalidValueError:
            return None

    def rows(self, relation: Relation, data: object, *, path: str, depth: int) -> Node | None:
        if not isinstance(data, Mapping):
            self.bad(path, _("must be an object"))
            return None
        measured = "measure" in data
        if not self.keys(data, {"measure", "op", "value"} if measured else set(), path, optional={"where"}):
            return None
        where = self.where(relation, data.get("where"), path=f"{path}.where", depth=depth)
        if not measured:
            return AnyRow(relation, where) if where else None
        name = data["measure"]
        measure = relation.measure(name) if isinstance(name, str) else None
        if measure is None:
            self.bad(f"{path}.measure", _("is unknown"))
            return None
        asked = measured_field(relation, measure)
        op = self.op(data["op"], measure_ops(asked.type), f"{path}.op")
        if op is None:
            return None
        try:
            value = self.value(asked, op, data["value"], f"{path}.value")
        except InvalidValueError:
            return None
        return RowMeasure(relation, where, measure, op, value) if where else None

    def where(self, relation: Relation, data: object, *, path: str, depth: int) -> Node | None:
        if data is None or data == {} or data == {"all": []}:
            return ALWAYS
        return self.node(data, relation.subject, path=path, depth=depth + 1)

    def keys(
        self, data: Mapping[str, Any], expected: set[str], path: str, optional: set[str] | None = None
    ) -> bool:
        dot = f"{path}." if path else ""
        unknown = [key for key in data if key not in expected | (optional or set())]
        missing = sorted(expected - data.keys())
        for key in unknown:
            self.bad(f"{dot}{key}", _("does not belong here"))
        for key in missing:
            self.bad(f"{dot}{key}", _("is missing"))
        return not unknown and not missing

    def op(self, raw: object, allowed: tuple[Op, ...], path: str) -> Op | None:
        for op in allowed:
            if op.value == raw:
                return op
        self.bad(path, _("must be one of: %(names)s") % {"names": ", ".join(op.value for op in allowed)})
        return None

    def value(self, field: Field, op: Op, raw: object, path: str) -> Any:
        """The typed value of a comparison; records what is wrong and raises InvalidValueError."""
        if op is Op.IS_SET:
            return None
        if op in OF_DAYS:
            return self.days(raw, path)
        if op is Op.BETWEEN:
            return self.bounds(field, raw, path)
        if op is Op.IN:
            return self.many(field, raw, path)
        return self.scalar(field, raw, path)

    def days(self, raw: object, path: str) -> int:
        if isinstance(raw, int) and not isinstance(raw, bool) and 1 <= raw <= MAX_DAYS:
            return raw
        self.bad(path, _("must be a whole number of days between 1 and %(limit)s") % {"limit": MAX_DAYS})
        raise InvalidValueError(path)

    def bounds(self, field: Field, raw: object, path: str) -> tuple[Any, Any]:
        if not isinstance(raw, list) or len(raw) != 2:
            self.bad(path, _("must be a list of two values, the lower one first"))
            raise InvalidValueError(path)
        low, high = (self.scalar(field, item, f"{path}[{index}]") for index, item in enumerate(raw))
        if high < low:
            self.bad(path, _("the first value must not be greater than the second"))
            raise InvalidValueError(path)
        return low, high

    def many(self, field: Field, raw: object, path: str) -> tuple[Any, ...]:
        if not isinstance(raw, list) or not 1 <= len(raw) <= MAX_VALUES:
            self.bad(path, _("must be a list of 1 to %(limit)s values") % {"limit": MAX_VALUES})
            raise InvalidValueError(path)
        known = self.known_options(field)
        values = (self.scalar(field, item, f"{path}[{index}]", known) for index, item in enumerate(raw))
        return tuple(dict.fromkeys(values))

    def scalar(self, field: Field, raw: object, path: str, known: set[str] | None = None) -> Any:
        try:
            value = read_value(field.type, raw)
        except InvalidValueError as error:
            self.bad(path, str(error))
            raise
        if known is None:
            known = self.known_options(field)
        if known and value not in known:
            self.bad(path, _("“%(value)s” is not one of the choices") % {"value": value})
            raise InvalidValueError(path)
        return value

    def known_options(self, field: Field) -> set[str]:
        return {code for code, _label in field.options()} if self.check_choices and field.choices else set()


def measured_field(relation: Relation, measure: Measure) -> Field:
    """What a measure gives, as a field: a count, or something of the inner field's type."""
    counts = not measure.of or measure.how is How.DISTINCT
    inner = None if counts else relation.subject.field(measure.of)
    kind = inner.type if inner else FieldType.INTEGER
    return Field(measure.name, kind, measure.label, unit=measure.unit or (inner.unit if inner else ""))


def to_json(node: Node) -> dict[str, Any]:
    """The canonical JSON of a tree; parsing it gives the same tree."""
    match node:
        case AllOf(children):
            return {"all": [to_json(child) for child in children]}
        case AnyOf(children):
            return {"any": [to_json(child) for child in children]}
        case Not(child):
            return {"not": to_json(child)}
        case Comparison(field, op, value):
            value_part = {} if op is Op.IS_SET else {"value": _plain(value)}
            return {"field": field.name, "op": op.value, **value_part}
        case AnyRow(relation, where):
            return {relation.name: {"where": to_json(where)}}
        case RowMeasure(relation, where, measure, op, value):
            inner = {"where": to_json(where), "measure": measure.name, "op": op.value, "value": _plain(value)}
            return {relation.name: inner}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    return value
