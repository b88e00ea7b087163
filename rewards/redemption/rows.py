"""The rows of redemptions: one statement writes a new one with its first step and the piece it takes, one a change."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from loyalty.prepared import fetch_prepared, write_together_later
from rewards.models import Redemption


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """By what way something is done, and by which partner or staff member."""

    via: str = ""
    partner_id: int | None = None
    staff_id: int | None = None
    note: str = ""


_INSERT = """
INSERT INTO rewards_redemption (id, public_id, member_id, reward_id, stock_id, wallet_id, state, via, points, money,
                                transfer_id, partner_id, external_id, code, content_digest, redeemed_at, collect_by,
                                ended_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
_INSERT_STEP = """
INSERT INTO rewards_redemptionstep (redemption_id, from_state, to_state, at, via, partner_id, staff_id, note)
VALUES (%s, '', %s, %s, %s, %s, %s, %s)
"""
_TAKE_PIECE = "UPDATE rewards_rewardstock SET taken = taken + 1 WHERE id = %s"

_MOVE = """
WITH redemption AS (
    UPDATE rewards_redemption SET state = %s, ended_at = %s WHERE id = %s
), step AS (
    INSERT INTO rewards_redemptionstep (redemption_id, from_state, to_state, at, via, partner_id, staff_id, note)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
), stock AS (
    UPDATE rewards_rewardstock SET taken = taken - 1 WHERE id = %s
)
SELECT 1
"""
ENDED = frozenset({Redemption.State.CANCELLED, Redemption.State.EXPIRED})


def insert(new: Redemption, actor: Actor) -> None:
    """Write a redemption whose id is drawn already, its first step, and the piece of stock that it takes.

    Where the transaction's writes wait, these do too: nobody reads them before the commit.
    """
    row = [
        new.pk,
        new.public_id,
        new.member_id,
        new.reward_id,
        new.stock_id,
        new.wallet_id,
        new.state,
        new.via,
        new.points,
        new.money,
        new.transfer_id,
        new.partner_id,
        new.external_id,
        new.code,
        new.content_digest,
        new.redeemed_at,
        new.collect_by,
        new.ended_at,
    ]
    step = [new.pk, new.state, new.redeemed_at, actor.via, actor.partner_id, actor.staff_id, actor.note]
    piece: list[tuple[str, list[Any]]] = [] if new.stock_id is None else [(_TAKE_PIECE, [new.stock_id])]
    write_together_later([*piece, (_INSERT, row), (_INSERT_STEP, step)])
    new._state.adding = False
    new._state.db = "default"


def move(row: Redemption, to_state: Redemption.State, actor: Actor, *, at: dt.datetime) -> None:
    """Bring a redemption, read under its member's lock, to another state; one that ends gives its piece back."""
    stock_id = row.stock_id if to_state in ENDED and row.state not in ENDED else None
    ended_at = None if to_state == Redemption.State.ISSUED else at
    step = [row.pk, row.state, to_state, at, actor.via, actor.partner_id, actor.staff_id, actor.note[:300]]
    fetch_prepared(_MOVE, [to_state, ended_at, row.pk, *step, stock_id])
    row.state, row.ended_at = to_state, ended_at
