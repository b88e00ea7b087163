"""Members hear ahead of time that points expire: each lot once per notice (30 and 7 days, as staff set them).

Called by the hourly task. What was missed while the task was down is made good: a notice stays due until the points
are gone, and where a nearer one is due too, only that is given.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django.db import connection, transaction

from loyalty.events import bus
from loyalty.runs.record import RunRecorder
from rewards import terms
from rewards.models import ExpiryNotice
from rewards.upkeep import BATCH, apart

_DUE = """
FROM rewards_lot l JOIN rewards_account a ON a.id = l.account_id JOIN members_member m ON m.id = l.member_id
CROSS JOIN unnest(%(days)s::int[]) AS notice(days)
WHERE l.remaining > 0 AND a.kind = 'available' AND m.status = 'active'
  AND l.expires_at > %(at)s AND l.expires_at <= %(horizon)s
  AND (l.expires_at AT TIME ZONE %(zone)s - make_interval(days => notice.days)) AT TIME ZONE %(zone)s
      BETWEEN l.earned_at AND %(at)s
  AND NOT EXISTS (SELECT 1 FROM rewards_lotnotice n
                  WHERE n.lot_id = l.id AND n.days = notice.days AND n.expires_at = l.expires_at)
"""
_MEMBERS = (
    f"SELECT DISTINCT l.member_id {_DUE} AND l.member_id > %(after)s ORDER BY l.member_id LIMIT %(limit)s"
)
_NOTICE = f"""
WITH due AS (
    SELECT l.id AS lot_id, l.member_id, a.wallet_id, l.remaining, l.expires_at, notice.days,
           notice.days = min(notice.days) OVER (PARTITION BY l.id) AND NOT EXISTS (
               SELECT 1 FROM rewards_lotnotice nearer WHERE nearer.lot_id = l.id AND nearer.days < notice.days
                 AND nearer.expires_at = l.expires_at) AS nearest
    {_DUE} AND l.member_id = ANY(%(members)s)
), given AS (
    INSERT INTO rewards_lotnotice (lot_id, days, expires_at, noticed_at, announced)
    SELECT lot_id, days, expires_at, %(at)s, nearest FROM due ORDER BY lot_id, days
    ON CONFLICT (lot_id, days, expires_at) DO NOTHING RETURNING lot_id, days
)
SELECT due.member_id, wallet.code, due.days, due.expires_at, sum(due.remaining)::bigint
FROM due JOIN given USING (lot_id, days) JOIN rewards_wallet wallet ON wallet.id = due.wallet_id
WHERE due.nearest GROUP BY 1, 2, 3, 4 ORDER BY 1, 4, 2, 3
"""  # noqa: S608


def announce_expiring(*, at: dt.datetime, run: RunRecorder) -> None:
    """Announce ``points.expiring`` for the lots whose notice is due: one per member, notice and moment of expiry.

    Facts: ``points``, ``expires_at``, ``days`` (the notice), ``wallet``. A lot is noted in the same transaction, so
    runs that overlap or repeat announce it once; a lot whose expiry has moved since is announced for the new one.
    """
    days = list(ExpiryNotice.objects.values_list("days", flat=True))
    if not days:
        return
    asked: dict[str, Any] = {
        "at": at,
        "days": days,
        "horizon": at + dt.timedelta(days=max(days) + 1),
        "zone": terms.current().time_zone,
        "limit": BATCH,
        "after": 0,
    }

    def announce(members: Sequence[int]) -> int:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_NOTICE, asked | {"members": list(members)})
            told = [_announcement(*row, at=at) for row in cursor.fetchall()]
            bus.announce_many(told)
        return len(told)

    while members := _members(asked):
        run.progress(done=apart(members, announce, run))
        asked["after"] = members[-1]


def _members(asked: dict[str, Any]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(_MEMBERS, asked)
        return [row[0] for row in cursor.fetchall()]


def _announcement(
    member_id: int, wallet: str, days: int, expires_at: dt.datetime, points: int, *, at: dt.datetime
) -> bus.Announcement:
    facts = {"points": points, "expires_at": expires_at, "days": days, "wallet": wallet}
    return bus.Announcement(name="points.expiring", member_id=member_id, at=at, facts=facts)
