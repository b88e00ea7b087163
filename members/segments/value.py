"""What each member's purchases of twelve months come to, and how that compares with the other buyers'.

Computed each night before the segments, by one statement that touches only the rows that change. Floors above may take
something off (what was brought back) by ``less``.
"""

import datetime as dt

from django.db import connection

from loyalty import clock, programme

MONTHS = 12

_COMPUTE = """
WITH spent AS (
    SELECT member_id, sum(amount) AS spend FROM ({parts}) AS parts GROUP BY member_id
),
ranked AS (
    SELECT spent.member_id, spent.spend,
           ceil(100.0 * rank() OVER (ORDER BY spent.spend DESC) / count(*) OVER ())::smallint AS top_percent
      FROM spent JOIN members_member AS member ON member.id = spent.member_id AND member.status = 'active'
     WHERE spent.spend > 0
),
gone AS (
    DELETE FROM members_membervalue AS old
     WHERE NOT EXISTS (SELECT FROM ranked WHERE ranked.member_id = old.member_id)
)
INSERT INTO members_membervalue AS old (member_id, spend, top_percent)
SELECT member_id, spend, top_percent FROM ranked
ON CONFLICT (member_id) DO UPDATE SET spend = excluded.spend, top_percent = excluded.top_percent
 WHERE (old.spend, old.top_percent) IS DISTINCT FROM (excluded.spend, excluded.top_percent)
"""
_PURCHASES = """
SELECT member_id, total AS amount FROM members_activity
 WHERE kind_id = 'purchase' AND occurred_at >= %s AND occurred_at < %s
"""

_less: dict[str, str] = {}


def less(key: str, sql: str) -> None:
    """Let a floor take something off: SQL that gives ``member_id`` and a negative ``amount`` for %s <= time < %s."""
    _less[key] = sql


def compute(*, at: dt.datetime) -> None:
    """Bring the values up to ``at``: purchases of the twelve months before it."""
    start = twelve_months_before(at)
    parts = [_PURCHASES, *_less.values()]
    with connection.cursor() as cursor:
        cursor.execute(
            _COMPUTE.format(parts=" UNION ALL ".join(parts)),
            [moment for _part in parts for moment in (start, at)],
        )


def twelve_months_before(at: dt.datetime) -> dt.datetime:
    """The same day a year before, from its first moment in the programme's time zone."""
    zone = programme.current().time_zone
    day = clock.local_date(at, zone)
    year_before = dt.date(day.year - 1, day.month, min(day.day, 28) if day.month == 2 else day.day)
    return clock.start_of_day(year_before, zone)
