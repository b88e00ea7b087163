"""The one transfer that takes from lots, which is what almost every redemption writes: one short statement.

``books.write`` sends it here; what several transfers write, or one that opens a lot, goes the general way.
"""

import datetime as dt

from loyalty.prepared import array, fetch_prepared
from rewards.ledger.entries import NewTransfer

_TAKE = """
WITH transfer AS (
    INSERT INTO rewards_transfer (kind, member_id, from_account_id, to_account_id, points, occurred_at, posted_at,
                                  qualifies_at, activity_id, rule_revision_id, reverses_id, source, source_id,
                                  occasion, staff_id, note)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id
), taken AS MATERIALIZED (
    SELECT lot_id, sum(points)::bigint AS points
    FROM unnest(%s::bigint[], %s::bigint[]) AS taken(lot_id, points) GROUP BY lot_id
), allocations AS (
    INSERT INTO rewards_allocation (lot_id, transfer_id, points)
    SELECT taken.lot_id, transfer.id, taken.points FROM taken, transfer
), lots AS (
    UPDATE rewards_lot SET remaining = remaining - taken.points FROM taken WHERE rewards_lot.id = taken.lot_id
), giver AS (
    UPDATE rewards_account SET balance = balance - %s WHERE id = %s AND member_id IS NOT NULL
), receiver AS (
    UPDATE rewards_account SET balance = balance + %s WHERE id = %s AND member_id IS NOT NULL
)
SELECT id FROM transfer
"""


def is_taking(planned: "list[NewTransfer]") -> bool:
    """Whether this is all that is planned: one transfer between two accounts that takes from lots and opens none."""
    return len(planned) == 1 and bool(planned[0].takes) and planned[0].opens is None


def write_taking(each: NewTransfer, *, at: dt.datetime) -> int:
    """Write it, with its allocations, the lots that it takes from and the member's balance; gives its id."""
    why = each.why
    lot_ids, points = zip(*each.takes, strict=True)
    ((id_,),) = fetch_prepared(
        _TAKE,
        [
            each.kind,
            each.member_id,
            each.from_account,
            each.to_account,
            each.points,
            each.occurred_at,
            at,
            each.qualifies_at,
            why.activity_id,
            why.rule_revision_id,
            each.reverses_id,
            why.source,
            why.source_id,
            why.occasion,
            why.staff_id,
            why.note,
            *(array(lot_ids), array(points)),
            *(each.points, each.from_account, each.points, each.to_account),
        ],
    )
    return int(id_)
