"""Grace: points that come back to a lot after its expiry live on for a while, and the lot's own expiry stays on record.

Only points taken before the lot's own expiry bring grace: whoever spends points that live on grace, and gets them back,
has what the grace then still lasts. So no circle of redeeming and cancelling keeps points alive.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import connection

from rewards.ledger.books import Books, lots_where, write
from rewards.ledger.entries import LiveLot
from rewards.ledger.spending import plan_expiry
from rewards.models import LotGrace, Transfer


@dataclass(frozen=True, slots=True)
class Grace:
    """A lot that lives on until a moment after its own expiry."""

    lot_id: int
    expired_at: dt.datetime
    until: dt.datetime


def give_grace(
    books: Books,
    origin: Transfer,
    returned: Mapping[int, int],
    *,
    reversal_id: int,
    until: dt.datetime,
    at: dt.datetime,
) -> None:
    """Let the lots to which points of ``origin`` came back live until ``until``, where their own expiry is past.

    ``returned`` are the points that are back, by lot id. What else lay in such a lot, due but not yet expired, expires
    first: grace is for what came back.
    """
    lots = lots_where("id = ANY(%s) ORDER BY id", [list(returned)])
    own = _own_expiries(lots)
    graces = [
        Grace(lot.id, own[lot.id], until)
        for lot in lots
        if lot.expires_at is not None and origin.occurred_at < own[lot.id] <= at and lot.expires_at < until
    ]
    graced = {grace.lot_id for grace in graces}
    for lot in lots:
        stale = lot.remaining - returned[lot.id]
        if lot.id in graced and stale > 0 and lot.expires_at is not None and lot.expires_at <= at:
            wallet_id = origin.from_account.wallet_id
            plan_expiry(books, lot, origin.member_id, wallet_id, points=stale, expired_at=lot.expires_at)
    write(books, at=at)
    _record(graces, reversal_id)


def _own_expiries(lots: Sequence[LiveLot]) -> dict[int, dt.datetime]:
    """When each lot expires by itself: what it has, unless that is a grace's."""
    own = {lot.id: lot.expires_at for lot in lots if lot.expires_at is not None}
    rows = LotGrace.objects.filter(lot__in=list(own)).values_list("lot_id", "expired_at", "until")
    own |= {lot_id: expired_at for lot_id, expired_at, until in rows if own[lot_id] == until}
    return own


_GRACE = """
WITH given AS MATERIALIZED (
    SELECT * FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]) AS given(lot_id, expired_at, until)
), proofs AS (
    INSERT INTO rewards_lotgrace (lot_id, transfer_id, expired_at, until)
    SELECT lot_id, %s, expired_at, until FROM given
)
UPDATE rewards_lot SET expires_at = given.until,
                       granted_expiry = coalesce(rewards_lot.granted_expiry, rewards_lot.expires_at)
FROM given WHERE rewards_lot.id = given.lot_id
"""


def _record(graces: Sequence[Grace], reversal_id: int) -> None:
    if graces:
        with connection.cursor() as cursor:
            cursor.execute(
                _GRACE,
                [
                    [grace.lot_id for grace in graces],
                    [grace.expired_at for grace in graces],
                    [grace.until for grace in graces],
                    reversal_id,
                ],
            )
