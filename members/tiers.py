"""Moving members between tiers. Decided by ``rewards.tiers``; this is the one writer of the tier and its history."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection


@dataclass(frozen=True, slots=True)
class TierMove:
    """A member's move to another tier: judged at a moment, knowing what was written up to these rows.

    ``qualifying_points`` is the whole amount that counted, in ``basis``; ``hold_id`` what staff set by hand.
    """

    member_id: int
    from_tier_id: int
    to_tier_id: int
    reason: str
    qualifying_points: int
    transfer_id: int
    activity_id: int = 0
    refund_id: int = 0
    basis: str = "points"
    hold_id: int | None = None


@dataclass(frozen=True, slots=True)
class Stay:
    """A member whose tier was judged and stays as it is, and the last rows that were known."""

    member_id: int
    transfer_id: int
    activity_id: int = 0
    refund_id: int = 0


_MOVE = """
WITH given AS MATERIALIZED (
    SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::bigint[], %s::bigint[],
                         %s::bigint[], %s::bigint[], %s::text[], %s::bigint[])
        AS given(member_id, from_tier_id, to_tier_id, reason, qualifying_points, transfer_id, activity_id, refund_id,
                 basis, hold_id)
), history AS (
    INSERT INTO members_tierchange
        (member_id, from_tier_id, to_tier_id, reason, qualifying_points, basis, hold_id, changed_at)
    SELECT member_id, from_tier_id, to_tier_id, reason, qualifying_points, basis, hold_id, %s FROM given
)
UPDATE members_member
SET tier_id = to_tier_id, tier_since = %s, tier_as_of = %s, tier_transfer_id = given.transfer_id,
    tier_activity_id = given.activity_id, tier_refund_id = given.refund_id
FROM given WHERE members_member.id = given.member_id
"""


def move(moves: Sequence[TierMove], *, at: dt.datetime) -> None:
    """Write moves with their history, at ``at``. The caller holds the members' account locks."""
    if not moves:
        return
    rows = [
        (
            each.member_id,
            each.from_tier_id,
            each.to_tier_id,
            str(each.reason),
            each.qualifying_points,
            each.transfer_id,
            each.activity_id,
            each.refund_id,
            str(each.basis),
            each.hold_id,
        )
        for each in moves
    ]
    with connection.cursor() as cursor:
        cursor.execute(_MOVE, [*(list(column) for column in zip(*rows, strict=True)), at, at, at])


def mark_reviewed(judged: Sequence[Stay], *, at: dt.datetime) -> None:
    """Note that the tiers of members were judged at ``at`` and stay as they are."""
    if not judged:
        return
    rows = [(each.member_id, each.transfer_id, each.activity_id, each.refund_id) for each in judged]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE members_member SET tier_as_of = %s, tier_transfer_id = judged.transfer_id, "
            "tier_activity_id = judged.activity_id, tier_refund_id = judged.refund_id "
            "FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[]) "
            "AS judged(member_id, transfer_id, activity_id, refund_id) "
            "WHERE members_member.id = judged.member_id",
            [at, *(list(column) for column in zip(*rows, strict=True))],
        )
