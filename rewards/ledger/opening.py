"""The one transfer that opens a lot, which is what almost every purchase writes: one short statement.

``books.write`` sends it here; what several transfers write, or one that takes from lots, goes the general way.
"""

import datetime as dt

from loyalty.prepared import fetch_prepared
from rewards.ledger.entries import NewTransfer

_OPEN = """
WITH transfer AS (
    INSERT INTO rewards_transfer (kind, member_id, from_account_id, to_account_id, points, occurred_at, posted_at,
                                  qualifies_at, activity_id, rule_revision_id, reverses_id, source, source_id,
                                  occasion, staff_id, note)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id
), lot AS (
    INSERT INTO rewards_lot (transfer_id, member_id, account_id, points, remaining, earned_at, expires_at, available_at,
                             expiry_policy_id, granted_expiry)
    SELECT id, %s::bigint, %s::bigint, %s::bigint, %s::bigint, %s::timestamptz, %s::timestamptz, %s::timestamptz,
           %s::bigint, %s::timestamptz
    FROM transfer
), giver AS (
    UPDATE rewards_account SET balance = balance - %s WHERE id = %s AND member_id IS NOT NULL
), receiver AS (
    UPDATE rewards_account SET balance = balance + %s WHERE id = %s AND member_id IS NOT NULL
)
SELECT id FROM transfer
"""


def is_opening(planned: "list[NewTransfer]") -> bool:
    """Whether this is all that is planned: one transfer between two accounts that opens a lot and takes from none."""
    return len(planned) == 1 and not planned[0].takes and planned[0].opens is not None


def write_opening(each: NewTransfer, *, at: dt.datetime) -> int:
    """Write it, with the lot that it opens and the member's balances; gives its id."""
    why, lot = each.why, each.opens
    assert lot is not None  # noqa: S101  (as ``is_opening`` says)
    ((id_,),) = fetch_prepared(
        _OPEN,
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
            *(each.member_id, each.to_account, each.points, each.points),
            *(lot.earned_at, lot.expires_at, lot.available_at, lot.expiry_policy_id, lot.granted_expiry),
            *(each.points, each.from_account, each.points, each.to_account),
        ],
    )
    return int(id_)
