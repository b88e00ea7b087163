"""What rules may ask of an activity beyond itself: its member, its place in their history, the hour in its store.

Loaded for a whole batch, and only what the rules in force look at: a programme without such rules pays nothing.
"""

import datetime as dt
import zoneinfo
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loyalty import clock
from loyalty.prepared import array, fetch_prepared
from members.activities import NewActivity
from members.segments import membership
from rewards.terms import Terms

_MEMBER = ("birth_date", "language", "joined_at", "acquisition_channel", "time_zone")
_HISTORY = frozenset({"purchase_number", "days_since_last"})
_CLOCK = frozenset({"weekday", "hour"})


@dataclass(frozen=True, slots=True)
class Asked:
    """An activity to be judged; ``id`` is its row's, None when it is not recorded (a simulation)."""

    id: int | None
    activity: NewActivity


def gather(
    asked: Sequence[Asked], *, terms: Terms, names: Collection[str] | None = None
) -> list[Mapping[str, Any]]:
    """The further facts of each activity, in order. At most one statement for each kind of fact asked for.

    ``names`` are the facts wanted (of a challenge's conditions, say); without them those that the rules look at.
    Segments are those that the member was in at the time of the activity, so that judging it again finds the same.
    """
    names = frozenset(
        terms.fact_names(each.activity.occurred_at for each in asked) if names is None else names
    )
    found: list[dict[str, Any]] = [{} for _each in asked]
    if any(name.startswith("member.") for name in names):
        members = _members({each.activity.member_id for each in asked})
        for each, facts in zip(asked, found, strict=True):
            facts["member"] = member_facts(members.get(each.activity.member_id), each.activity.occurred_at)
    if "member.segments" in names:
        moments = [(each.activity.member_id, each.activity.occurred_at) for each in asked]
        for facts, codes in zip(found, membership.codes_at(moments), strict=True):
            facts["member"]["segments"] = codes
    if "tier_reached" in names:
        for each, facts in zip(asked, found, strict=True):
            levels = terms.tiers_at(each.activity.occurred_at).levels
            facts["ladder"] = tuple(level.code for level in levels)
    if names & _HISTORY:
        for facts, (number, last_at), each in zip(found, _history(asked), asked, strict=True):
            facts["purchase_number"] = number if each.activity.kind == "purchase" else None
            facts["days_since_last"] = (each.activity.occurred_at - last_at).days if last_at else None
    if names & _CLOCK:
        zones = _store_zones(asked)
        for each, facts in zip(asked, found, strict=True):
            zone = zones.get((each.activity.partner_id, each.activity.store)) or terms.time_zone
            local = each.activity.occurred_at.astimezone(zoneinfo.ZoneInfo(zone))
            facts |= {"weekday": str(local.isoweekday()), "hour": local.hour}
    return list(found)


def member_facts(member: Mapping[str, Any] | None, at: dt.datetime) -> dict[str, Any]:
    """A member as the conditions see them at a moment, by their own calendar."""
    if member is None:
        return {}
    today = clock.local_date(at, member["time_zone"])
    born = member["birth_date"]
    return {
        "language": member["language"],
        "joined_at": member["joined_at"],
        "acquisition_channel": member["acquisition_channel"],
        "age": _age(born, today) if born else None,
        "birthday_distance": birthday_distance(born, today) if born else None,
    }


def _age(born: dt.date, today: dt.date) -> int:
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def birthday_distance(born: dt.date, today: dt.date) -> int:
    """Days to the nearest birthday, before or after; one of 29 February is on the 28th in common years."""
    return min(abs((_birthday(born, today.year + years) - today).days) for years in (-1, 0, 1))


def _birthday(born: dt.date, year: int) -> dt.date:
    try:
        return born.replace(year=year)
    except ValueError:
        return dt.date(year, 2, 28)


_MEMBERS_SQL = f"SELECT id, {', '.join(_MEMBER)} FROM members_member WHERE id = ANY(%s::bigint[])"  # noqa: S608


def _members(ids: set[int]) -> dict[int, dict[str, Any]]:
    rows = fetch_prepared(_MEMBERS_SQL, [array(ids)])
    return {id_: dict(zip(_MEMBER, values, strict=True)) for id_, *values in rows}


_HISTORY_SQL = """
SELECT asked.position, count(a.id), max(a.occurred_at)
FROM unnest(%s::bigint[], %s::timestamptz[], %s::bigint[]) WITH ORDINALITY AS asked(member_id, at, id, position)
LEFT JOIN members_activity a ON a.member_id = asked.member_id AND a.kind_id = 'purchase'
    AND a.occurred_at <= asked.at AND (asked.id IS NULL OR a.id < asked.id)
GROUP BY asked.position ORDER BY asked.position
"""


def _history(asked: Sequence[Asked]) -> list[tuple[int, dt.datetime | None]]:
    """Which purchase of its member each one is, and when the one before was; by what was recorded before it."""
    rows = fetch_prepared(
        _HISTORY_SQL,
        [
            array(each.activity.member_id for each in asked),
            array(each.activity.occurred_at for each in asked),
            array(each.id for each in asked),
        ],
    )
    return [(count + 1, last_at) for _position, count, last_at in rows]


_ZONES_SQL = """
SELECT partner_id, code, time_zone FROM members_store WHERE code = ANY(%s::text[]) AND NOT (time_zone = '')
"""


def _store_zones(asked: Sequence[Asked]) -> dict[tuple[int, str], str]:
    codes = sorted({each.activity.store for each in asked if each.activity.store})
    return {(partner_id, code): zone for partner_id, code, zone in fetch_prepared(_ZONES_SQL, [codes])}
