"""Challenges prove themselves: what awards say they gave is in the books. Part of ``manage.py verify_ledger``.

Each row: the table, the problem with {found} and {expected}, and a query that must find nothing. One that is broken
stands under the invariant H (nothing is given out more often than it may be).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChallengeCheck:
    """One query for broken rows: (row id, found, expected) each."""

    table: str
    problem: str
    sql: str


CHECKS = (
    ChallengeCheck(
        "rewards_stepaward",
        "the ledger gave {found} points for it, it says {expected}",
        """
        SELECT a.id, coalesce(t.points, 0), a.points
        FROM rewards_stepaward a LEFT JOIN (
            SELECT occasion, sum(points) AS points FROM rewards_transfer
            WHERE occasion LIKE 'challenge award %' AND reverses_id IS NULL GROUP BY occasion
        ) t ON t.occasion = 'challenge award ' || a.id
        WHERE coalesce(t.points, 0) <> a.points
        """,
    ),
    ChallengeCheck(
        "rewards_stepaward",
        "{found} of its points were taken back and it stands, expected {expected}",
        """
        SELECT a.id, sum(r.points), 0 FROM rewards_stepaward a
        JOIN rewards_transfer t ON t.occasion = 'challenge award ' || a.id AND t.reverses_id IS NULL
        JOIN rewards_transfer r ON r.reverses_id = t.id
        WHERE a.withdrawn_at IS NULL GROUP BY a.id
        """,
    ),
    ChallengeCheck(
        "rewards_transfer",
        "it is the prize of {found}, expected {expected}",
        """
        SELECT t.id, t.occasion, 'an award of the same member'
        FROM rewards_transfer t LEFT JOIN rewards_stepaward a ON t.occasion = 'challenge award ' || a.id
        LEFT JOIN rewards_challengeround r ON r.id = a.round_id
        WHERE t.occasion LIKE 'challenge award %' AND t.member_id IS DISTINCT FROM r.member_id
        """,
    ),
    ChallengeCheck(
        "rewards_stepaward",
        "its badge is there {found} times, expected {expected}",
        """
        SELECT a.id, count(b.id), (a.withdrawn_at IS NULL AND s.badge_id IS NOT NULL)::int
        FROM rewards_stepaward a JOIN rewards_challengestep s ON s.id = a.step_id
        LEFT JOIN rewards_memberbadge b ON b.award_id = a.id
        GROUP BY a.id, s.badge_id
        HAVING count(b.id) <> (a.withdrawn_at IS NULL AND s.badge_id IS NOT NULL)::int
        """,
    ),
)
