"""What a redemption decides by, read under its locks: who asks, what is left, what was taken, and whether it was done.

Call with the member's accounts locked. The row of the reward's stock (without one, where all members together are
limited, the reward's own row) is locked next, so what is counted here holds until the commit.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connection

from loyalty.prepared import fetch_prepared
from members.models import Member
from rewards.catalogue import asking
from rewards.catalogue.availability import Asker
from rewards.models import Reward
from rewards.usage import span_of


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for, and by whom: the reward (None: points as money) and the key under which it happens once."""

    member_id: int
    reward: Reward | None
    partner_id: int | None
    external_id: str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """What was found. ``redemption_id`` is for the row to write, ``earlier_id`` the one written under the same key.

    ``reward_version`` tells which version of the reward's row stands now (``offered``).
    """

    redemption_id: int
    reward_version: str | None
    earlier_id: int | None
    member: UUID
    is_active: bool
    tier_rank: int
    stock_id: int | None
    pieces_left: int | None
    taken: int
    taken_in_all: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)
    today: dt.date | None = None

    def asker(self, *, points: int, time_zone: str) -> Asker:
        return Asker(
            tier_rank=self.tier_rank,
            points=points,
            facts=self.facts,
            today=self.today,
            taken=self.taken,
            taken_in_all=self.taken_in_all,
            pieces_left=self.pieces_left,
            time_zone=time_zone,
        )


_STANDING = """
SELECT nextval(pg_get_serial_sequence('rewards_redemption', 'id')),
       (SELECT ctid::text || ' ' || xmin::text FROM rewards_reward WHERE id = %s),
       (SELECT r.id FROM rewards_redemption r
        WHERE r.external_id = %s AND (r.partner_id = %s OR (r.partner_id IS NULL AND r.member_id = %s))),
       member.public_id, member.status, tier.rank, stock.id, stock.total - stock.taken,
       (SELECT count(*) FROM rewards_redemption r
        WHERE r.member_id = %s AND r.reward_id = %s AND r.state IN ('reserved', 'issued', 'fulfilled')
          AND r.redeemed_at >= %s AND r.redeemed_at < %s)
FROM members_member member JOIN members_tier tier ON tier.id = member.tier_id
LEFT JOIN LATERAL (
    SELECT id, total, taken FROM rewards_rewardstock WHERE reward_id = %s FOR UPDATE
) stock ON true
WHERE member.id = %s
"""

_TAKEN_IN_ALL = """
SELECT count(*) FROM rewards_redemption WHERE reward_id = %s AND state IN ('reserved', 'issued', 'fulfilled')
  AND redeemed_at >= %s AND redeemed_at < %s
"""
_NO_SPAN = (dt.datetime(1970, 1, 1, tzinfo=dt.UTC), dt.datetime(1970, 1, 1, tzinfo=dt.UTC))


def standing_of(asked: Asked, *, at: dt.datetime, time_zone: str) -> Standing:
    """Read it all; one statement, more only for a limit of all members together and for an audience."""
    reward, member_id = asked.reward, asked.member_id
    span, reward_id = _NO_SPAN, None
    if reward is not None:
        reward_id = reward.pk
        if reward.limit_per_member is not None:
            span = span_of(reward.limit_per_member_period, at, time_zone)
    key = [asked.external_id, asked.partner_id, member_id if asked.partner_id is None else None]
    ((id_, version, earlier_id, public_id, status, rank, stock_id, left, taken),) = fetch_prepared(
        _STANDING, [reward_id, *key, member_id, reward_id, *span, reward_id, member_id]
    )
    more: dict[str, Any] = {}
    if reward is not None and reward.limit_in_all is not None:
        more["taken_in_all"] = _taken_in_all(reward, stock_id, at=at, time_zone=time_zone)
    if reward is not None and reward.conditions:
        known = asking.gather(member_ids=[member_id], rewards=[reward], at=at).asker(member_id, reward)
        more |= {"facts": known.facts, "today": known.today}
    is_active = status == Member.Status.ACTIVE
    return Standing(id_, version, earlier_id, public_id, is_active, rank, stock_id, left, taken, **more)


def _taken_in_all(reward: Reward, stock_id: int | None, *, at: dt.datetime, time_zone: str) -> int:
    """Counted in a statement of its own: only one begun after the lock sees what others did while we waited for it."""
    with connection.cursor() as cursor:
        if stock_id is None:
            cursor.execute("SELECT 1 FROM rewards_reward WHERE id = %s FOR NO KEY UPDATE", [reward.pk])
        cursor.execute(_TAKEN_IN_ALL, [reward.pk, *span_of(reward.limit_in_all_period, at, time_zone)])
        return int(cursor.fetchone()[0])
