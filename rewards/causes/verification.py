"""Gifts prove themselves against the ledger. Part of ``manage.py verify_ledger``, under the invariant H.

Each row: the table, the problem with {found} and {expected}, and a query that must find nothing.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CauseCheck:
    """One query for broken rows: (row id, found, expected) each."""

    table: str
    problem: str
    sql: str


CHECKS = (
    CauseCheck(
        "rewards_account",
        "{found} points lie on the account of gifts, the gifts that count are {expected}",
        """
        SELECT a.id, a.points, coalesce(d.points, 0) FROM (
            SELECT a.id, a.wallet_id,
                   coalesce(sum(CASE WHEN t.to_account_id = a.id THEN t.points ELSE -t.points END), 0) AS points
            FROM rewards_account a LEFT JOIN rewards_transfer t
              ON a.id IN (t.to_account_id, t.from_account_id) AND t.source = 'rewards.redemption'
            WHERE a.kind = 'donated' AND a.member_id IS NULL GROUP BY a.id
        ) a LEFT JOIN (
            SELECT r.wallet_id, sum(d.points) AS points FROM rewards_donation d
            JOIN rewards_redemption r ON r.id = d.redemption_id WHERE d.cancelled_at IS NULL GROUP BY r.wallet_id
        ) d ON d.wallet_id = a.wallet_id
        WHERE a.points <> coalesce(d.points, 0)
        """,
    ),
    CauseCheck(
        "rewards_donation",
        "it gave {found} points, its redemption and transfer took {expected}",
        """
        SELECT d.id, d.points, r.points FROM rewards_donation d
        JOIN rewards_redemption r ON r.id = d.redemption_id JOIN rewards_transfer t ON t.id = r.transfer_id
        WHERE d.points <> r.points OR d.member_id <> r.member_id OR t.kind <> 'donate'
        """,
    ),
    CauseCheck(
        "rewards_donation",
        "it was taken back: {found}, its redemption was: {expected}",
        """
        SELECT d.id, d.cancelled_at IS NOT NULL, r.state IN ('cancelled', 'expired') FROM rewards_donation d
        JOIN rewards_redemption r ON r.id = d.redemption_id
        WHERE (d.cancelled_at IS NOT NULL) <> (r.state IN ('cancelled', 'expired'))
        """,
    ),
    CauseCheck(
        "rewards_redemption",
        "its points went to the account of gifts, {found} gifts tell of it, expected {expected}",
        """
        SELECT r.id, 0, 1 FROM rewards_redemption r JOIN rewards_transfer t ON t.id = r.transfer_id
        WHERE t.kind = 'donate' AND NOT EXISTS (SELECT 1 FROM rewards_donation d WHERE d.redemption_id = r.id)
        """,
    ),
)
