"""The form builder without its HTML: what was posted becomes JSON, and JSON becomes rows to draw.

Every node has a name made of its parent's and a number (`when`, `when-0`, `when-0-2`), and its controls are named
below that: `-t` what it is, `-not`, `-k` all or any, `-f` field, `-o` operator, `-v` and `-w` values, `-m` measure.
Both directions take broken input as it is: the parser says what is wrong, and the rows show it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from .fields import OF_DAYS, Field, FieldType, Op, Relation, Subject, measure_ops
from .tree import MAX_DEPTH, Problem, measured_field

COMPARE, GROUP, ROWS = "compare", "group", "rows"
FIRST_DEPTH = 1


@dataclass(frozen=True, slots=True)
class Draft:
    """Conditions as they stand in the form: JSON that may not be valid yet, and the button that was pressed.

    An `action` other than "" means that staff are still editing: draw the form again and save nothing.
    """

    data: Any
    action: str = ""


@dataclass(frozen=True, slots=True)
class Posted:
    """Lists of posted values by control name, and the button pressed in this builder."""

    values: Mapping[str, Sequence[str]]
    button: str
    refreshed: list[str] = field(default_factory=list)

    def one(self, name: str) -> str:
        found = self.values.get(name) or [""]
        return found[-1].strip()

    def children(self, name: str) -> list[str]:
        """The nodes below `name` in their order; gaps in the numbers are rows taken away in the browser."""
        pattern = re.compile(re.escape(name) + r"-(\d{1,6})-t\Z")
        numbers = sorted(int(found[1]) for key in self.values if (found := pattern.match(key)))
        return [f"{name}-{number}" for number in numbers]


def read(values: Mapping[str, Sequence[str]], name: str, subject: Subject) -> Draft:
    """The conditions posted under `name`, after the button pressed (add, remove, check) did its work."""
    pressed = values.get(f"{name}-do") or [""]
    posted = Posted(values, pressed[-1])
    data = _read_node(posted, name, subject, FIRST_DEPTH)
    if data == {"all": []} or data == {"any": []}:
        data = {}
    action = posted.button.partition(":")[0] or ("refresh" if posted.refreshed else "")
    return Draft({} if data is None else data, action)


def _read_node(posted: Posted, name: str, subject: Subject, depth: int) -> Any:
    """One node's JSON; None for a node that the pressed button removes."""
    kind = posted.one(f"{name}-t")
    if posted.button == f"remove:{name}" or depth > MAX_DEPTH + 2:
        return None
    if kind.startswith(f"{ROWS}:"):
        data = _read_rows(posted, name, subject, kind.partition(":")[2], depth)
    elif kind == COMPARE:
        data = _read_comparison(posted, name, subject)
    else:
        data = _read_group(posted, name, subject, depth)
    return {"not": data} if posted.one(f"{name}-not") else data


def _read_group(posted: Posted, name: str, subject: Subject, depth: int) -> dict[str, Any]:
    found = [_read_node(posted, child, subject, depth + 1) for child in posted.children(name)]
    parts = [part for part in found if part is not None]
    prefix = f"add:{name}:"
    if posted.button.startswith(prefix):
        parts.append(blank(posted.button.removeprefix(prefix), subject))
    return {"any" if posted.one(f"{name}-k") == "any" else "all": parts}


def _read_comparison(posted: Posted, name: str, subject: Subject) -> dict[str, Any]:
    about = posted.one(f"{name}-f")
    asked = subject.field(about)
    if asked is None:
        return {"field": about, "op": "", "value": ""}
    return {"field": about, **_read_test(posted, name, asked, asked.ops)}


def _read_rows(posted: Posted, name: str, subject: Subject, relation_name: str, depth: int) -> dict[str, Any]:
    relation = subject.relation(relation_name)
    if relation is None:
        return {relation_name: {}}
    where = _read_node(posted, f"{name}-0", relation.subject, depth + 1)
    measure = relation.measure(posted.one(f"{name}-m"))
    if measure is None:
        return {relation_name: {"where": where}}
    asked = measured_field(relation, measure)
    test = _read_test(posted, name, asked, measure_ops(asked.type))
    return {relation_name: {"where": where, "measure": measure.name, **test}}


def _read_test(posted: Posted, name: str, asked: Field, ops: tuple[Op, ...]) -> dict[str, Any]:
    """Operator and value. An operator that this field lacks (another field was chosen) becomes its first one."""
    op = next((op for op in ops if op.value == posted.one(f"{name}-o")), None)
    if op is None:
        posted.refreshed.append(name)
        op = ops[0]
    if op is Op.IS_SET:
        return {"op": op.value}
    if op is Op.IN:
        raw = posted.values.get(f"{name}-v", ())
        parts = [part.strip() for text in raw for part in text.splitlines()]
        return {"op": op.value, "value": [_typed(asked.type, part) for part in parts if part]}
    kind = FieldType.INTEGER if op in OF_DAYS else asked.type
    value = _typed(kind, posted.one(f"{name}-v"))
    if op is Op.BETWEEN:
        return {"op": op.value, "value": [value, _typed(kind, posted.one(f"{name}-w"))]}
    return {"op": op.value, "value": value}


def _typed(kind: FieldType, text: str) -> Any:
    """The JSON of what a person typed; text that does not fit the type stays text, for the parser to refuse."""
    if kind is FieldType.INTEGER and re.fullmatch(r"[+-]?\d{1,20}", text):
        return int(text)
    if kind is FieldType.DECIMAL:
        return re.sub(r"[\s\u2212]", lambda found: "-" if found[0] == "\u2212" else "", text).replace(
            ",", "."
        )
    if kind is FieldType.BOOLEAN and text in ("true", "false"):
        return text == "true"
    if kind is FieldType.DATETIME:
        return _with_zone(text)
    return text


def _with_zone(text: str) -> str:
    """A browser's local date and time, taken to be in the current time zone."""
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else timezone.make_aware(moment)).isoformat()
    except (ValueError, OverflowError):
        return text


def blank(kind: str, subject: Subject) -> dict[str, Any]:
    """A new node of the kind that the pressed button names: a comparison, a group or a relation."""
    name = kind.partition(":")[2]
    if kind.startswith(f"{ROWS}:") and subject.relation(name):
        return {name: {"where": {"all": []}}}
    if kind == GROUP:
        return {"any": [blank(COMPARE, subject)]}
    return {"field": "", "op": "", "value": ""}


def draw(data: Any, subject: Subject, name: str, problems: Iterable[Problem] = ()) -> dict[str, Any]:
    """The tree of rows for the template, with what is wrong beside the row it is wrong in."""
    return _Drawing(name, list(problems)).group(data or {"all": []}, subject, name, path="", root=True)


@dataclass(frozen=True, slots=True)
class _Drawing:
    root: str
    problems: list[Problem]

    def node(self, data: Any, subject: Subject, name: str, path: str) -> dict[str, Any]:
        inner, inner_path, _negated = _unwrap(data, path)
        if isinstance(inner, Mapping):
            if "field" in inner:
                return self.comparison(data, subject, name, path)
            relation = next((found for key in inner if (found := subject.relation(str(key)))), None)
            if relation is not None:
                return self.rows(data, subject, relation, name, path)
            if inner.keys() & {"all", "any"}:
                return self.group(data, subject, name, path)
        return self.comparison({}, subject, name, inner_path)

    def group(
        self, data: Any, subject: Subject, name: str, path: str, *, root: bool = False, where: bool = False
    ) -> dict[str, Any]:
        """A group of rows. The outermost one is always a group, drawn around a lone comparison if need be."""
        inner, inner_path, negated = _unwrap(data, path)
        key = next((key for key in ("all", "any") if isinstance(inner, Mapping) and key in inner), None)
        if key is None:
            children, here = [(data, path)] if data else [], ""
            key, negated, own = "all", False, [] if data else [path]
        else:
            here = f"{inner_path}.{key}" if inner_path else key
            items = inner[key] if isinstance(inner[key], list) else []
            children = [(item, f"{here}[{index}]") for index, item in enumerate(items)]
            own = [inner_path, here]
        return {
            "kind": GROUP,
            "root_name": self.root,
            "name": name,
            "subject": subject.name,
            "negated": negated,
            "mode": key,
            "is_root": root,
            "is_where": where,
            "children": [
                self.node(item, subject, f"{name}-{index}", item_path)
                for index, (item, item_path) in enumerate(children)
            ],
            "relations": [(found.name, capfirst(str(found.label))) for found in subject.relations()],
            "problems": self.exactly(*own),
        }

    def comparison(self, data: Any, subject: Subject, name: str, path: str) -> dict[str, Any]:
        inner, inner_path, negated = _unwrap(data, path)
        chosen = subject.field(str(inner.get("field", "")))
        row = {
            "kind": COMPARE,
            "root_name": self.root,
            "name": name,
            "subject": subject.name,
            "negated": negated,
            "groups": _grouped(subject.fields(), chosen),
            "chosen": chosen,
            "problems": self.below(inner_path),
        }
        if chosen is None:
            row["problems"] = [_("choose what to compare")] if row["problems"] else []
            return row
        return row | _test_row(inner, chosen, chosen.ops, name)

    def rows(self, data: Any, subject: Subject, relation: Relation, name: str, path: str) -> dict[str, Any]:
        inner, inner_path, negated = _unwrap(data, path)
        here = f"{inner_path}.{relation.name}" if inner_path else relation.name
        asked = inner[relation.name] if isinstance(inner[relation.name], Mapping) else {}
        measure = relation.measure(str(asked.get("measure", "")))
        row = {
            "kind": ROWS,
            "root_name": self.root,
            "name": name,
            "subject": subject.name,
            "relation": relation,
            "negated": negated,
            "measures": [
                (found.name, capfirst(str(found.label)), found == measure) for found in relation.measures
            ],
            "measure": measure,
            "where": self.group(
                asked.get("where") or {"all": []}, relation.subject, f"{name}-0", f"{here}.where", where=True
            ),
            "problems": self.exactly(inner_path, here, *(f"{here}.{key}" for key in ("measure", "op")))
            + self.below(f"{here}.value"),
        }
        if measure is None:
            return row
        about = measured_field(relation, measure)
        return row | _test_row(asked, about, measure_ops(about.type), name)

    def exactly(self, *paths: str) -> list[str]:
        return [problem.message for problem in self.problems if problem.path in paths]

    def below(self, path: str) -> list[str]:
        return [
            problem.message
            for problem in self.problems
            if problem.path == path or problem.path.startswith((f"{path}.", f"{path}[")) or not path
        ]


def _unwrap(data: Any, path: str) -> tuple[Any, str, bool]:
    """What stands inside any `not`s, its path, and whether they turn it round."""
    negated = False
    while isinstance(data, Mapping) and set(data) == {"not"}:
        data, path, negated = data["not"], f"{path}.not" if path else "not", not negated
    return data, path, negated


def _grouped(fields: list[Field], chosen: Field | None) -> list[tuple[str, list[tuple[str, str, bool]]]]:
    """The fields as options under the headings of the subjects they belong to."""
    groups: dict[str, list[tuple[str, str, bool]]] = {}
    for each in fields:
        option = (each.name, capfirst(str(each.label)), each == chosen)
        groups.setdefault(str(each.group), []).append(option)
    return list(groups.items())


def _test_row(asked: Mapping[str, Any], about: Field, ops: tuple[Op, ...], name: str) -> dict[str, Any]:
    op = next((op for op in ops if op.value == asked.get("op")), ops[0])
    value = asked.get("value")
    return {
        "ops": [(each.value, str(about.op_label(each)), each is op) for each in ops],
        "editors": _editors(about, op, value, name),
        "unit": str(about.unit),
        "help_text": str(about.help_text),
    }


def _editors(about: Field, op: Op, value: Any, name: str) -> list[dict[str, Any]]:
    """The controls for a value: none, one, or two for a range."""
    if op is Op.IS_SET:
        return []
    values = value if isinstance(value, list) else [value]
    if op is Op.IN:
        return [_editor(about, "many" if about.choices else "lines", values, f"{name}-v")]
    kind = "days" if op in OF_DAYS else "one" if about.choices else about.type.value
    first = _editor(about, kind, values[:1], f"{name}-v")
    return [first, _editor(about, kind, values[1:2], f"{name}-w")] if op is Op.BETWEEN else [first]


def _editor(about: Field, kind: str, values: Sequence[Any], name: str) -> dict[str, Any]:
    shown = [_shown(about.type, value) for value in values if value is not None]
    labels = {code: str(label) for code, label in about.options()}
    known = [(code, label, code in shown) for code, label in labels.items()]
    withdrawn = [(code, code, True) for code in shown if labels and code and code not in labels]
    return {"kind": kind, "name": name, "value": "\n".join(shown), "options": known + withdrawn}


def _shown(kind: FieldType, value: Any) -> str:
    """A JSON value as its control wants it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if kind is FieldType.DATETIME and isinstance(value, str):
        try:
            return timezone.localtime(datetime.fromisoformat(value)).strftime("%Y-%m-%dT%H:%M:%S")
        except (ValueError, OverflowError):
            return value
    return str(value)


def catalogue(subject: Subject) -> dict[str, Any]:
    """What the browser needs to draw rows by itself: the fields of the subject and of its relations' subjects."""
    found: dict[str, Any] = {}
    waiting = [subject]
    while waiting:
        each = waiting.pop()
        if each.name in found:
            continue
        found[each.name] = {
            "fields": {field.name: _for_browser(field, field.ops) for field in each.fields()},
            "relations": {
                relation.name: {
                    measure.name: _for_browser(about, measure_ops(about.type))
                    for measure in relation.measures
                    for about in (measured_field(relation, measure),)
                }
                for relation in each.relations()
            },
        }
        waiting += [relation.subject for relation in each.relations()]
    return found


def _for_browser(about: Field, ops: tuple[Op, ...]) -> dict[str, Any]:
    return {
        "type": about.type.value,
        "unit": str(about.unit),
        "help": str(about.help_text),
        "ops": [[op.value, str(about.op_label(op))] for op in ops],
        "options": [[code, str(label)] for code, label in about.options()],
    }


def blanks(subject: Subject, name: str) -> list[dict[str, Any]]:
    """One empty row of each kind and subject, named so that the browser can put the real name in."""
    found, waiting, seen = [], [subject], set()
    while waiting:
        each = waiting.pop()
        if each.name in seen:
            continue
        seen.add(each.name)
        kinds = [COMPARE, GROUP, *(f"{ROWS}:{relation.name}" for relation in each.relations())]
        for kind in kinds:
            row = _Drawing(name, []).node(blank(kind, each), each, f"{name}-NEW", "")
            found.append({"kind": kind, "subject": each.name, "node": row})
        waiting += [relation.subject for relation in each.relations()]
    return found
