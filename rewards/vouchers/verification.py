"""Vouchers prove themselves: what is left of each is its value less its uses. Part of ``manage.py verify_ledger``.

Each row: the table, the problem with {found} and {expected}, and a query that must find nothing. One that is broken
stands under the invariant H (nothing is given out more often than it may be).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VoucherCheck:
    """One query for broken rows: (row id, found, expected) each."""

    table: str
    problem: str
    sql: str


CHECKS = (
    VoucherCheck(
        "rewards_voucher",
        "{found} is left of it, its value less its uses is {expected}",
        """
        SELECT v.id, v.remaining, v.value - CASE WHEN f.in_parts THEN coalesce(sum(u.amount), 0) ELSE 0 END
        FROM rewards_voucher v JOIN rewards_voucherfamily f ON f.id = v.family_id
        LEFT JOIN rewards_voucheruse u ON u.voucher_id = v.id AND u.state = 'redeemed'
        GROUP BY v.id, f.in_parts
        HAVING v.remaining <> v.value - CASE WHEN f.in_parts THEN coalesce(sum(u.amount), 0) ELSE 0 END
        """,
    ),
    VoucherCheck(
        "rewards_voucher",
        "it has {found} uses left, its uses leave {expected}",
        """
        SELECT v.id, v.uses_left,
               v.uses - CASE WHEN f.in_parts THEN (v.remaining = 0)::int ELSE count(u.id) END
        FROM rewards_voucher v JOIN rewards_voucherfamily f ON f.id = v.family_id
        LEFT JOIN rewards_voucheruse u ON u.voucher_id = v.id AND u.state = 'redeemed'
        GROUP BY v.id, f.in_parts
        HAVING v.uses_left IS DISTINCT FROM
               v.uses - CASE WHEN f.in_parts THEN (v.remaining = 0)::int ELSE count(u.id) END
        """,
    ),
    VoucherCheck(
        "rewards_voucher",
        "its state is {found}, its uses make it {expected}",
        """
        SELECT id, state, CASE WHEN uses_left = 0 THEN 'used' ELSE 'usable' END FROM rewards_voucher
        WHERE (state = 'used') <> (coalesce(uses_left, 1) = 0) AND (state <> 'cancelled' OR uses_left <> 0)
           OR state = 'stored' AND issued_at IS NOT NULL
           OR state NOT IN ('stored', 'cancelled') AND issued_at IS NULL
        """,
    ),
    VoucherCheck(
        "rewards_voucheruse",
        "it is {found}, its last step says {expected}",
        """
        SELECT u.id, u.state || ' ' || u.amount, coalesce(s.kind || ' ' || s.amount, 'nothing')
        FROM rewards_voucheruse u LEFT JOIN LATERAL (
            SELECT kind, amount, voucher_id FROM rewards_voucherstep WHERE use_id = u.id ORDER BY id DESC LIMIT 1
        ) s ON true
        WHERE s.kind IS DISTINCT FROM u.state OR s.voucher_id <> u.voucher_id
           OR s.kind <> 'released' AND s.amount <> u.amount
        """,
    ),
    VoucherCheck(
        "rewards_voucheruse",
        "checkouts redeemed it {found} times more often than they gave it back, expected {expected}",
        """
        SELECT use_id, count(*) FILTER (WHERE kind = 'redeemed') - count(*) FILTER (WHERE kind = 'rolled_back'),
               '0 or 1'
        FROM rewards_voucherstep WHERE use_id IS NOT NULL GROUP BY use_id
        HAVING count(*) FILTER (WHERE kind = 'redeemed') > 1 OR count(*) FILTER (WHERE kind = 'rolled_back')
               > count(*) FILTER (WHERE kind = 'redeemed')
        """,
    ),
    VoucherCheck(
        "rewards_voucher",
        "its member used it {found} times, allowed are {expected}",
        """
        SELECT v.id, max(used.times), f.uses_per_member
        FROM rewards_voucher v JOIN rewards_voucherfamily f ON f.id = v.family_id
        JOIN (SELECT voucher_id, member_id, count(*) AS times FROM rewards_voucheruse
              WHERE state = 'redeemed' AND member_id IS NOT NULL GROUP BY voucher_id, member_id) used
          ON used.voucher_id = v.id
        WHERE f.uses_per_member IS NOT NULL AND used.times > f.uses_per_member GROUP BY v.id, f.uses_per_member
        """,
    ),
)
