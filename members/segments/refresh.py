"""Keeping segments true: for everybody each night, and after events for the members they are about.

A full refresh is one statement for each segment, in an order in which segments that others name come first. After an
event only those segments are asked again whose conditions look at something that it can have changed (``touches``),
and then those that name a segment somebody joined or left.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import structlog
from django.core.exceptions import EmptyResultSet
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import QuerySet

from loyalty.conditions import ConditionError, NotQueryableError
from loyalty.events.models import Event
from loyalty.runs.record import RunRecorder
from members.models import Member, Segment
from members.segments import value
from members.segments.definition import OF_SEGMENTS, Definition, define, in_order
from members.segments.membership import NOBODY, Found, Moves, move

logger = structlog.get_logger("kantis.members")

WORK_MEMORY = "128MB"
"""For one statement over all members and their purchases: what is joined and grouped should fit."""

EVERYTHING: frozenset[str] = frozenset({"*"})
_touched: dict[str, frozenset[str]] = {}


def touches(event: str, *names: str) -> None:
    """Declare what an event can change: names of fields and relations of the member. Without names: everything.

    The floor that announces the event, or declares the fields, says so while it starts.
    """
    _touched[event] = _touched.get(event, frozenset()) | (frozenset(names) or EVERYTHING)


def touched_by(event: str) -> frozenset[str]:
    return _touched.get(event, frozenset())


# --- Everybody --------------------------------------------------------------------------------------------------------


def refresh_all(*, at: dt.datetime, run: RunRecorder) -> None:
    """Refresh every segment in use, each in a transaction of its own; one that fails says why, the others are done."""
    value.compute(at=at)
    segments = list(Segment.objects.filter(is_active=True, kind=Segment.Kind.CONDITIONS))
    run.row.total = len(segments)
    for segment_id in _ordered(segments):
        if refresh(segment_id=segment_id, at=at) is None:
            run.progress(failed=1)
        else:
            run.progress(done=1)


def refresh(*, segment_id: int, at: dt.datetime) -> Moves | None:
    """Find everybody who belongs in a segment by its conditions; None where that cannot be done, which the row tells.

    The segment's row lock lets one evaluation at a time write.
    """
    try:
        with transaction.atomic():
            return _refresh(Segment.objects.select_for_update(no_key=True).get(pk=segment_id), at=at)
    except (InterfaceError, OperationalError):
        raise
    except (ConditionError, NotQueryableError) as unreadable:
        problem = str(unreadable)
    except Exception as error:
        logger.exception("segment_not_refreshed", segment_id=segment_id)
        problem = repr(error)[:1000]
    Segment.objects.filter(pk=segment_id).update(problem=problem)
    return None


def _refresh(segment: Segment, *, at: dt.datetime) -> Moves:
    defined = define(segment)
    found = defined.condition.filter(defined.candidates(), at=at, many=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('work_mem', %s, TRUE)", [WORK_MEMORY])
    moves = move(segment, found_by(found), at=at, filling=segment.refreshed_at is None)
    Segment.objects.filter(pk=segment.pk).update(
        refreshed_at=at,
        member_count=moves.count,
        joined_count=moves.joined,
        left_count=moves.left,
        problem="",
    )
    return moves


def found_by(members: QuerySet[Member]) -> Found:
    """The ids of these members as a query; one that cannot find anybody finds nobody."""
    try:
        sql, params = members.order_by().values("id").query.sql_with_params()
    except EmptyResultSet:
        return NOBODY
    return Found(sql, params)


def new_segments() -> list[int]:
    """Segments in use that nobody has looked for members of yet, or not since their conditions were changed."""
    waiting = Segment.objects.filter(is_active=True, kind=Segment.Kind.CONDITIONS, refreshed_at=None)
    return _ordered(list(waiting.filter(problem="")))


def _ordered(segments: Iterable[Segment]) -> list[int]:
    """Ids of the segments, those that others name first; what cannot be read comes last, to be told of."""
    readable, unreadable = [], []
    for segment in segments:
        try:
            readable.append(define(segment))
        except ConditionError:
            unreadable.append(segment.pk)
    return [each.segment.pk for each in in_order(readable)] + unreadable


# --- A few, after events ----------------------------------------------------------------------------------------------


def keep_fresh(events: Sequence[Event], *, at: dt.datetime) -> None:
    """Ask again about the members of these events, of the segments that the events can touch."""
    members: dict[str, set[int]] = defaultdict(set)
    for event in events:
        if event.member_id is not None:
            members[event.name].add(event.member_id)
    reconsider({touched_by(name): ids for name, ids in members.items()}, at=at)


def reconsider(members: Mapping[frozenset[str], Iterable[int]], *, at: dt.datetime) -> None:
    """Ask again whether these members belong in the segments that look at what changed of them.

    ``members`` gives their ids by the names of fields and relations that changed (EVERYTHING: any). One statement for
    each segment; who moves is looked at again for the segments that name it.
    """
    definitions = _in_use()
    waiting: dict[str, set[int]] = {each.segment.code: set() for each in definitions}
    for names, ids in members.items():
        for each in definitions:
            if names & EVERYTHING or names & each.condition.fact_names:
                waiting[each.segment.code] |= set(ids)
    with transaction.atomic():
        _hold(definitions, waiting)
        for each in definitions:
            concerned = waiting[each.segment.code]
            if concerned:
                moved = _ask_again(each, concerned, at=at)
                for other in definitions:
                    if each.segment.code in other.references:
                        waiting[other.segment.code] |= moved


def _in_use() -> list[Definition]:
    """The segments that are in use and filled, in the order in which they are asked."""
    definitions = []
    segments = Segment.objects.filter(is_active=True, kind=Segment.Kind.CONDITIONS)
    for segment in segments.filter(refreshed_at__isnull=False):
        try:
            definitions.append(define(segment))
        except ConditionError:
            continue  # the nightly refresh tells of it
    return in_order(definitions)


def _hold(definitions: Sequence[Definition], waiting: Mapping[str, set[int]]) -> None:
    """Lock the segments that are or may come to be asked, in primary-key order."""
    concerned = {
        each.segment.pk for each in definitions if waiting[each.segment.code] or OF_SEGMENTS in _names(each)
    }
    held = Segment.objects.select_for_update(no_key=True).filter(pk__in=concerned).order_by("pk")
    list(held.values_list("pk", flat=True))


def _names(definition: Definition) -> frozenset[str]:
    return definition.condition.fact_names


def _ask_again(definition: Definition, members: Iterable[int], *, at: dt.datetime) -> frozenset[int]:
    """Those of the members who joined or left."""
    among = sorted(members)
    found = definition.condition.filter(definition.candidates().filter(pk__in=among), at=at)
    return move(definition.segment, found_by(found), at=at, among=among).members
