"""What a segment is made of: its parsed conditions, what they look at, and which other segments they name."""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from django.db import transaction
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


# --- Staff's work -----------------------------------------------------------------------------------------------------

UsersOf = Callable[[str], list[str]]
"""Gives the names of what uses the segment of a code: rules, campaigns."""

_users: dict[str, UsersOf] = {}


def add_user(key: str, users_of: UsersOf) -> None:
    """Let a floor above say what of its own asks for a segment, which then cannot be archived."""
    _users[key] = users_of


def create(*, code: str, names: Mapping[str, str], kind: str, data: object, at: dt.datetime) -> Segment:
    """A new segment, to be filled by the next tick. Raises ConditionError; SegmentRefused for a code that is taken."""
    if Segment.objects.filter(code=code).exists():
        raise SegmentRefused("code", _("There is a segment of this code already."))
    of_list = kind == Segment.Kind.LIST
    conditions_ = {} if of_list else check(code=code, data=data).as_json()
    return Segment.objects.create(
        code=code,
        names=dict(names),
        kind=kind,
        conditions=conditions_,
        created_at=at,
        refreshed_at=at if of_list else None,
    )


def revise(*, segment_id: int, names: Mapping[str, str], data: object) -> Segment:
    """Give a segment other names or conditions; with others its members are looked for afresh.

    Raises ConditionError and SegmentRefused. Under the row lock, so that no refresh by the old conditions comes after.
    """
    with transaction.atomic():
        segment = Segment.objects.select_for_update(no_key=True).get(pk=segment_id)
        segment.names = dict(names)
        if segment.kind == Segment.Kind.CONDITIONS:
            wanted = check(code=segment.code, data=data).as_json()
            if wanted != segment.conditions:
                segment.conditions, segment.refreshed_at, segment.problem = wanted, None, ""
        segment.save()
    return segment


def archive(*, segment_id: int) -> Segment:
    """Take a segment out of use: it keeps its members and is refreshed no more. Raises SegmentRefused while used."""
    with transaction.atomic():
        segment = Segment.objects.select_for_update(no_key=True).get(pk=segment_id)
        users = users_of(segment.code)
        if users:
            raise SegmentRefused(
                "is_active", _("It is still used by: %(users)s.") % {"users": ", ".join(users)}
            )
        segment.is_active = False
        segment.save()
    return segment


def restore(*, segment_id: int) -> Segment:
    """Take an archived segment into use again; its members are looked for afresh."""
    with transaction.atomic():
        segment = Segment.objects.select_for_update(no_key=True).get(pk=segment_id)
        segment.is_active = True
        if segment.kind == Segment.Kind.CONDITIONS:
            segment.refreshed_at, segment.problem = None, ""
        segment.save()
    return segment


def users_of(code: str) -> list[str]:
    """What asks for the segment: other segments, and what the floors above name."""
    return [str(each) for each in named_by(code)] + [
        name for users in _users.values() for name in users(code)
    ]


def named_by(code: str) -> list[Segment]:
    """The segments in use whose conditions name this one."""
    active = Segment.objects.filter(kind="conditions", is_active=True).exclude(code=code)
    return [segment for segment in active if code in _references(segment)]
