"""What a segment is made of: its parsed conditions, what they look at, and which other segments they name."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from loyalty import conditions
from loyalty.conditions.tree import AllOf, AnyOf, AnyRow, Comparison, Node, Not, RowMeasure
from members.models import Member, Segment

SUBJECT = "member"
OF_SEGMENTS = "segments"


class SegmentRefused(Exception):
    """The segment cannot be so; the message says why. ``field`` is what to mend."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, eq=False)
class Definition:
    """A segment by conditions, ready to be asked for. ``references`` are the codes of segments its conditions name."""

    segment: Segment
    condition: conditions.Condition
    references: frozenset[str]

    def candidates(self) -> QuerySet[Member]:
        return candidates(self.condition)


def define(segment: Segment) -> Definition:
    """Parse a stored segment; raises ConditionError where its conditions can no longer be read."""
    condition = conditions.parse(segment.conditions or {}, SUBJECT, check_choices=False)
    return Definition(segment, condition, frozenset(codes_in(condition.node)))


def candidates(condition: conditions.Condition) -> QuerySet[Member]:
    """Who can be in: active members, or all but the erased when the conditions ask for the status themselves."""
    if "status" in condition.fact_names:
        return Member.objects.exclude(status=Member.Status.ERASED)
    return Member.objects.filter(status=Member.Status.ACTIVE)


def codes_in(node: Node, field: str = OF_SEGMENTS) -> Iterator[str]:
    """The codes of segments that a condition names, by ``segments`` of its subject or (dotted) of an included one."""
    match node:
        case AllOf(children) | AnyOf(children):
            for child in children:
                yield from codes_in(child, field)
        case Not(child):
            yield from codes_in(child, field)
        case Comparison(asked, _op, value) if asked.name.rpartition(".")[2] == field:
            yield from (value,) if isinstance(value, str) else value or ()
        case AnyRow(_relation, where) | RowMeasure(_relation, where):
            yield from codes_in(where, field)


def in_order(definitions: Iterable[Definition]) -> list[Definition]:
    """Each after those it names. A circle, which ``check`` refuses, comes last as it is."""
    by_code = {each.segment.code: each for each in definitions}
    sorter = TopologicalSorter({code: each.references & by_code.keys() for code, each in by_code.items()})
    try:
        return [by_code[code] for code in sorter.static_order()]
    except CycleError:
        return list(by_code.values())


def check(*, code: str, data: object) -> conditions.Condition:
    """The parsed conditions of a segment to be saved under ``code``.

    Raises ConditionError, and SegmentRefused when they lead back to the segment itself through those they name.
    """
    condition = conditions.parse(data or {}, SUBJECT)
    graph = {segment.code: _references(segment) for segment in Segment.objects.filter(kind="conditions")}
    graph[code] = set(codes_in(condition.node))
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        way: Sequence[str] = circle.args[1]
        if code in way:
            message = _("The segments would go round in a circle: %(way)s.") % {"way": " → ".join(way)}
            raise SegmentRefused("conditions", message) from None
    return condition


def _references(segment: Segment) -> set[str]:
    try:
        return set(define(segment).references)
    except conditions.ConditionError:
        return set()


def named_by(code: str) -> list[Segment]:
    """The segments in use whose conditions name this one."""
    active = Segment.objects.filter(kind="conditions", is_active=True).exclude(code=code)
    return [segment for segment in active if code in _references(segment)]
