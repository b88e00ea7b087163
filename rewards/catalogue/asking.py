"""What availability has to know of members and rewards, read for all of them together.

A constant number of statements, however many members and rewards; the redemption reads the same under its locks.
"""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from loyalty import clock, programme
from members.models import Member, Tier
from members.segments import membership
from rewards.catalogue.availability import Asker, asks_for_segments, segments_of
from rewards.facts import member_facts
from rewards.models import Redemption, Reward, RewardStock, VoucherFamily
from rewards.usage import span_of

State = Redemption.State
HOLDING = (State.RESERVED, State.ISSUED, State.FULFILLED)
"""States in which a redemption counts against stock and limits."""

POOL_COUNTED = 100
"""A pool with at least so many codes counts as one that does not run out."""

_MEMBER = (
    "birth_date",
    "language",
    "joined_at",
    "acquisition_channel",
    "time_zone",
    "tier__code",
    "tier__rank",
)


@dataclass(frozen=True, slots=True)
class Known:
    """All that was read: ask it for the :class:`Asker` of one member and one of the rewards."""

    at: dt.datetime
    time_zone: str
    members: Mapping[int, Mapping[str, Any]]
    points: Mapping[int, int]
    taken: Mapping[tuple[int, int], int]
    taken_in_all: Mapping[int, int]
    pieces: Mapping[int, int]

    def asker(self, member_id: int, reward: Reward) -> Asker:
        """The member asking for the reward. Raises KeyError for a member that was not read."""
        member = self.members[member_id]
        return Asker(
            tier_rank=member["tier_rank"],
            points=self.points.get(member_id, 0),
            facts=member["facts"],
            today=member["today"],
            taken=self.taken.get((member_id, reward.pk), 0),
            taken_in_all=self.taken_in_all.get(reward.pk, 0),
            pieces_left=self.pieces.get(reward.pk),
            time_zone=self.time_zone,
        )


def gather(*, member_ids: Collection[int], rewards: Sequence[Reward], at: dt.datetime) -> Known:
    """Read what judging these members for these rewards takes. Rewards are loaded with ``availability.RELATED``."""
    zone = programme.current().time_zone
    ids = sorted(set(member_ids))
    return Known(
        at=at,
        time_zone=zone,
        members=_members(ids, at, segments=any(asks_for_segments(reward) for reward in rewards)),
        points=spendable(ids, at=at),
        taken=_taken(ids, rewards, at, zone),
        taken_in_all=_taken_in_all(rewards, at, zone),
        pieces=pieces_left(rewards),
    )


def rewards_for_segment(code: str) -> list[str]:
    """The names of rewards that are not archived and are meant for members of a segment."""
    meant = Reward.objects.filter(archived_at__isnull=True).exclude(conditions={})
    return [str(reward) for reward in meant if code in segments_of(reward)]


def spendable(member_ids: Sequence[int], *, at: dt.datetime) -> dict[int, int]:
    """Points that each member can spend at ``at``: what has not expired, debt taken off, never below 0."""
    with connection.cursor() as cursor:
        cursor.execute(_SPENDABLE, [at, list(member_ids)])
        return {member_id: max(int(points), 0) for member_id, points in cursor.fetchall()}


_SPENDABLE = """
SELECT a.member_id, sum(CASE WHEN a.kind = 'debt' THEN a.balance ELSE live.points END)
FROM rewards_account a
JOIN rewards_wallet w ON w.id = a.wallet_id AND w.is_default
CROSS JOIN LATERAL (
    SELECT coalesce(sum(l.remaining), 0) AS points FROM rewards_lot l
    WHERE a.kind = 'available' AND l.account_id = a.id AND l.remaining > 0
      AND (l.expires_at IS NULL OR l.expires_at > %s)
) live
WHERE a.member_id = ANY(%s) AND a.kind IN ('available', 'debt') GROUP BY a.member_id
"""


def _members(ids: Sequence[int], at: dt.datetime, *, segments: bool) -> dict[int, dict[str, Any]]:
    """Tier, today's date and facts of each member, as the subject "audience" has them."""
    ladder = list(Tier.objects.order_by("rank").values_list("code", "rank"))
    found = {}
    for row in Member.objects.filter(pk__in=ids).values("pk", *_MEMBER):
        rank = row["tier__rank"]
        reached = tuple(code for code, of in ladder if of <= rank)
        found[row["pk"]] = {
            "tier_rank": rank,
            "today": clock.local_date(at, row["time_zone"]),
            "facts": {**member_facts(row, at), "tier": row["tier__code"], "tier_reached": reached},
        }
    if segments:
        held = membership.codes_at([(member_id, at) for member_id in found])
        for each, codes in zip(found.values(), held, strict=True):
            each["facts"]["segments"] = codes
    return found


def _taken(
    ids: Sequence[int], rewards: Sequence[Reward], at: dt.datetime, zone: str
) -> dict[tuple[int, int], int]:
    """How many of each limited reward each member holds in the period of its limit."""
    limited = [reward for reward in rewards if reward.limit_per_member is not None]
    if not limited:
        return {}
    spans = [span_of(reward.limit_per_member_period, at, zone) for reward in limited]
    with connection.cursor() as cursor:
        cursor.execute(
            _TAKEN,
            [*_asked(limited, spans), list(ids), list(HOLDING)],
        )
        return {(member_id, reward_id): count for member_id, reward_id, count in cursor.fetchall()}


def _taken_in_all(rewards: Sequence[Reward], at: dt.datetime, zone: str) -> dict[int, int]:
    """How many of each reward with a common limit all members together hold in its period."""
    limited = [reward for reward in rewards if reward.limit_in_all is not None]
    if not limited:
        return {}
    spans = [span_of(reward.limit_in_all_period, at, zone) for reward in limited]
    with connection.cursor() as cursor:
        cursor.execute(_TAKEN_IN_ALL, [*_asked(limited, spans), list(HOLDING)])
        return dict(cursor.fetchall())


def _asked(rewards: Sequence[Reward], spans: Sequence[tuple[dt.datetime, dt.datetime]]) -> list[list[Any]]:
    return [
        [reward.pk for reward in rewards],
        [start for start, _end in spans],
        [end for _start, end in spans],
    ]


_TAKEN = """
SELECT r.member_id, r.reward_id, count(*)
FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]) AS asked(reward_id, begins, ends)
JOIN rewards_redemption r ON r.reward_id = asked.reward_id
    AND r.redeemed_at >= asked.begins AND r.redeemed_at < asked.ends
WHERE r.member_id = ANY(%s) AND r.state = ANY(%s)
GROUP BY r.member_id, r.reward_id
"""

_TAKEN_IN_ALL = """
SELECT r.reward_id, count(*)
FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]) AS asked(reward_id, begins, ends)
JOIN rewards_redemption r ON r.reward_id = asked.reward_id
    AND r.redeemed_at >= asked.begins AND r.redeemed_at < asked.ends
WHERE r.state = ANY(%s)
GROUP BY r.reward_id
"""


def pieces_left(rewards: Sequence[Reward]) -> dict[int, int]:
    """Pieces left of each reward that can run out: of its stock, and of a pool of codes that is nearly empty."""
    left = {
        stock.reward_id: stock.left
        for stock in RewardStock.objects.filter(reward__in=[reward.pk for reward in rewards])
    }
    pools = _pools({family.pk for reward in rewards if (family := _pool_of(reward)) is not None})
    for reward in rewards:
        family = _pool_of(reward)
        if family is not None and (codes := pools[family.pk]) < POOL_COUNTED:
            left[reward.pk] = min(left.get(reward.pk, codes), codes)
    return left


def _pool_of(reward: Reward) -> VoucherFamily | None:
    """The family whose imported codes the reward gives away; None: it does not."""
    family = reward.voucher_family
    if family is None or reward.fulfilment != Reward.Fulfilment.VOUCHER:
        return None
    return family if family.source == VoucherFamily.Source.POOL else None


def _pools(family_ids: set[int]) -> dict[int, int]:
    if not family_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_POOLS, [POOL_COUNTED, sorted(family_ids)])
        return dict(cursor.fetchall())


_POOLS = """
SELECT family.id, (
    SELECT count(*) FROM (
        SELECT 1 FROM rewards_voucher v WHERE v.family_id = family.id AND v.state = 'stored' LIMIT %s
    ) codes
) FROM unnest(%s::bigint[]) AS family(id)
"""
