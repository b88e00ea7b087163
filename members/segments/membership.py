"""Who is in a segment: one statement writes who came and who went, with its history and announcements.

Called by ``refresh`` and ``lists``, under the segment's row lock: of two evaluations the later one sees what the
earlier one wrote. Members are never told of one by one: a million go in by one INSERT.
"""

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import F

from loyalty.events import bus
from members.models import Segment

JOINED, LEFT = "segment.joined", "segment.left"


@dataclass(frozen=True, slots=True)
class Moves:
    """What an evaluation changed. ``count``: how many it found; ``members``: who moved, when only a few were asked."""

    joined: int
    left: int
    count: int
    members: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Found:
    """A query for the ids of those who belong in, as SQL with its parameters."""

    sql: str
    params: Sequence[Any] = ()


NOBODY = Found("SELECT NULL::bigint AS id WHERE FALSE")

_MOVE = """
WITH found AS MATERIALIZED ({found}),
went AS (
    DELETE FROM members_segmentmember AS old
     WHERE old.segment_id = %s {among} AND NOT EXISTS (SELECT FROM found WHERE found.id = old.member_id)
    RETURNING old.member_id
),
came AS (
    INSERT INTO members_segmentmember (segment_id, member_id, joined_at)
    SELECT %s, found.id, %s FROM found
     WHERE NOT EXISTS (
         SELECT FROM members_segmentmember AS old WHERE old.segment_id = %s AND old.member_id = found.id
     )
    ON CONFLICT DO NOTHING
    RETURNING member_id
),
moved AS (SELECT member_id, FALSE AS joined FROM went UNION ALL SELECT member_id, TRUE FROM came),
noted AS (
    INSERT INTO members_segmentchange (segment_id, member_id, joined, changed_at)
    SELECT %s, member_id, joined, %s FROM moved
),
told AS ({told})
SELECT count(*) FILTER (WHERE joined), count(*) FILTER (WHERE NOT joined), (SELECT count(*) FROM found), {who}
  FROM moved
"""
_TOLD = f"SELECT CASE WHEN joined THEN '{JOINED}' ELSE '{LEFT}' END, member_id, %s::jsonb, %s FROM moved"  # noqa: S608


def move(
    segment: Segment,
    found: Found,
    *,
    at: dt.datetime,
    among: Sequence[int] | None = None,
    filling: bool = False,
) -> Moves:
    """Let those found be in the segment and nobody else, or nobody else ``among`` those looked at.

    Writes memberships, history and events (``segment.joined``, ``segment.left``). ``filling`` marks the events of a
    segment whose conditions are new: its members did not come one by one. Inside a transaction that holds the segment.
    """
    facts = json.dumps({"segment": segment.code, "filling": filling})
    statement = _MOVE.format(
        found=found.sql,
        among="" if among is None else "AND old.member_id = ANY(%s)",
        told=bus.announcing(_TOLD),
        who="NULL" if among is None else "array_agg(member_id)",
    )
    params = [*found.params, segment.pk]
    params += [] if among is None else [list(among)]
    params += [segment.pk, at, segment.pk, segment.pk, at, facts, at]
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        joined, left, count, who = cursor.fetchone()
    if joined or left:
        Segment.objects.filter(pk=segment.pk).update(member_count=F("member_count") + joined - left)
        bus.wake_after_commit()
    return Moves(joined, left, count, frozenset(who or ()))


def forget(member_id: int, *, at: dt.datetime) -> None:
    """Let a member leave every segment, announced as such. Runs in the transaction that erases the member."""
    held = Segment.objects.filter(memberships__member=member_id).select_for_update(no_key=True).order_by("pk")
    for segment in held:
        move(segment, NOBODY, at=at, among=[member_id])


_AS_OF = """
SELECT asked.position, segment.code
  FROM unnest(%s::bigint[], %s::timestamptz[]) WITH ORDINALITY AS asked(member_id, at, position)
 CROSS JOIN LATERAL (
     SELECT DISTINCT ON (segment_id) segment_id, joined FROM members_segmentchange AS change
      WHERE change.member_id = asked.member_id AND change.changed_at <= asked.at
      ORDER BY segment_id, changed_at DESC, id DESC
 ) AS last
  JOIN members_segment AS segment ON segment.id = last.segment_id
 WHERE last.joined
"""


def codes_at(asked: Sequence[tuple[int, dt.datetime]]) -> list[list[str]]:
    """The codes of the segments that each member was in at a moment, by the history. One statement for all."""
    found: dict[int, list[str]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_AS_OF, [[member for member, _at in asked], [at for _member, at in asked]])
        for position, code in cursor.fetchall():
            found[position - 1].append(code)
    return [found[place] for place in range(len(asked))]
