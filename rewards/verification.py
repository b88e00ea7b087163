"""The ledger proves itself: the invariants A to E, each a query that must find nothing.

Called by ``manage.py verify_ledger`` and by the tests, after every step of theirs. Reads only.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection

from rewards import terms


@dataclass(frozen=True, slots=True)
class Violation:
    """A row that breaks an invariant: which one, in which table, its id, and what is wrong."""

    invariant: str
    table: str
    row: int
    problem: str


@dataclass(frozen=True, slots=True)
class Check:
    """One query for broken rows: (table row id, found, expected) each; ``problem`` is filled with the latter two."""

    invariant: str
    table: str
    problem: str
    sql: str


CHECKS = (
    Check(
        "A",
        "rewards_account",
        "the cached balance is {found}, its transfers sum to {expected}",
        """
        SELECT a.id, a.balance, coalesce(m.points, 0) FROM rewards_account a LEFT JOIN (
            SELECT account_id, sum(points) AS points FROM (
                SELECT to_account_id AS account_id, points FROM rewards_transfer
                UNION ALL SELECT from_account_id, -points FROM rewards_transfer) sides GROUP BY account_id
        ) m ON m.account_id = a.id
        WHERE a.member_id IS NOT NULL AND a.balance IS DISTINCT FROM coalesce(m.points, 0)
        """,
    ),
    Check(
        "A",
        "rewards_transfer",
        "it moves {found} points between accounts of wallets or members that do not go together",
        """
        SELECT t.id, t.points, 0 FROM rewards_transfer t
        JOIN rewards_account f ON f.id = t.from_account_id JOIN rewards_account o ON o.id = t.to_account_id
        WHERE f.wallet_id <> o.wallet_id OR t.points <= 0 OR f.id = o.id
           OR NOT (f.member_id = t.member_id OR o.member_id = t.member_id OR coalesce(f.member_id, o.member_id) IS NULL)
        """,
    ),
    Check(
        "B",
        "rewards_lot",
        "{found} points remain, but its points less its allocations are {expected}",
        """
        SELECT l.id, l.remaining, l.points - coalesce(sum(a.points), 0)
        FROM rewards_lot l LEFT JOIN rewards_allocation a ON a.lot_id = l.id GROUP BY l.id
        HAVING l.remaining <> l.points - coalesce(sum(a.points), 0) OR l.remaining < 0 OR l.remaining > l.points
        """,
    ),
    Check(
        "B",
        "rewards_lot",
        "it holds {found} points, but the transfer that opened it moved {expected} into its account",
        """
        SELECT l.id, l.points, CASE WHEN t.to_account_id = l.account_id THEN t.points ELSE 0 END
        FROM rewards_lot l JOIN rewards_transfer t ON t.id = l.transfer_id
        WHERE l.points <> t.points OR l.account_id <> t.to_account_id OR l.member_id <> t.member_id
        """,
    ),
    Check(
        "B",
        "rewards_account",
        "its balance is {found}, what remains of its lots is {expected}",
        """
        SELECT a.id, a.balance, coalesce(sum(l.remaining), 0)
        FROM rewards_account a LEFT JOIN rewards_lot l ON l.account_id = a.id AND l.remaining > 0
        WHERE a.kind IN ('available', 'pending') GROUP BY a.id HAVING a.balance <> coalesce(sum(l.remaining), 0)
        """,
    ),
    Check(
        "B",
        "rewards_transfer",
        "it moved {found} points out of or back into lots, but its allocations sum to {expected}",
        """
        SELECT t.id, t.points, coalesce(sum(a.points), 0) FROM rewards_transfer t
        JOIN rewards_account f ON f.id = t.from_account_id JOIN rewards_account o ON o.id = t.to_account_id
        LEFT JOIN rewards_allocation a ON a.transfer_id = t.id
        GROUP BY t.id, f.kind, o.kind
        HAVING coalesce(sum(a.points), 0) <> CASE
            WHEN f.kind IN ('available', 'pending') THEN t.points
            WHEN t.kind = 'reverse' AND o.kind = 'available' THEN -t.points ELSE 0 END
        """,
    ),
    Check(
        "C",
        "rewards_transfer",
        "{found} of its {expected} points are reversed",
        """
        SELECT t.id, sum(r.points), t.points FROM rewards_transfer r JOIN rewards_transfer t ON t.id = r.reverses_id
        GROUP BY t.id HAVING sum(r.points) > t.points OR bool_or(r.member_id <> t.member_id)
            OR bool_or(r.kind <> 'reverse') OR t.kind = 'reverse'
        """,
    ),
    Check(
        "E",
        "members_activity",
        "its external id stands {found} times, expected {expected}",
        """
        SELECT min(id), count(*), 1 FROM members_activity GROUP BY partner_id, external_id HAVING count(*) > 1
        """,
    ),
    Check(
        "E",
        "rewards_transfer",
        "its activity was granted by the same rule revision {found} times, expected {expected}",
        """
        SELECT min(id), count(*), 1 FROM rewards_transfer
        WHERE kind IN ('earn', 'repayment') AND activity_id IS NOT NULL
        GROUP BY activity_id, rule_revision_id, kind HAVING count(*) > 1
        """,
    ),
    Check(
        "E",
        "rewards_transfer",
        "its occasion has {found} effects, expected {expected}",
        """
        SELECT min(id), count(*), 1 FROM rewards_transfer WHERE occasion IS NOT NULL
        GROUP BY occasion, kind HAVING count(*) > 1
        """,
    ),
)

_TIERS = """
SELECT m.id, m.tier_id, m.tier_as_of, coalesce(then_.points, 0)::bigint, coalesce(now_.points, 0)::bigint
FROM members_member m
JOIN unnest(%s::timestamptz[], %s::timestamptz[], %s::interval[]) AS terms(valid_from, valid_to, length)
    ON m.tier_as_of >= terms.valid_from AND (terms.valid_to IS NULL OR m.tier_as_of < terms.valid_to)
LEFT JOIN LATERAL (
    SELECT sum(CASE WHEN reverses_id IS NULL THEN points ELSE -points END) AS points FROM rewards_transfer t
    WHERE t.member_id = m.id AND t.id <= m.tier_transfer_id AND t.qualifies_at > m.tier_as_of - terms.length
) then_ ON true
LEFT JOIN LATERAL (
    SELECT sum(CASE WHEN reverses_id IS NULL THEN points ELSE -points END) AS points FROM rewards_transfer t
    WHERE t.member_id = m.id AND t.qualifies_at > %s - terms.length
) now_ ON true
WHERE m.status <> 'erased'
"""


def verify(*, at: dt.datetime) -> list[Violation]:
    """Every row that breaks an invariant, as of ``at``; empty when the ledger is sound.

    A: cached balances equal their transfers. B: lots equal points less allocations, and make up the balances.
    C: reversals never exceed what they reverse. D: tiers equal their recomputation. E: each effect at most once.
    """
    return [*_broken_rows(), *_broken_tiers(at)]


def _broken_rows() -> Iterator[Violation]:
    for check in CHECKS:
        for row, found, expected in _rows(check.sql):
            problem = check.problem.format(found=found, expected=expected)
            yield Violation(check.invariant, check.table, row, problem)


def _rows(sql: str, params: list[Any] | None = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


def _broken_tiers(at: dt.datetime) -> Iterator[Violation]:
    """Tiers that are not what the points known at the last judgement gave, or lower than today's points give."""
    known = terms.current()
    ends = [None, *(rules.valid_from for rules in known.tiers[:-1])]
    starts = [rules.valid_from for rules in known.tiers]
    windows = [rules.window for rules in known.tiers]
    for member_id, tier_id, as_of, then, now in _rows(_TIERS, [starts, ends, windows, at]):
        rules, present = known.tiers_at(as_of), known.tiers_at(at)
        expected = rules.due(then)
        if expected.tier_id != tier_id:
            problem = (
                f"the tier is {known.tier_names[tier_id][0]}, {then} qualifying points give {expected.code}"
            )
            yield Violation("D", "members_member", member_id, problem)
        elif present is rules and rules.due(now).threshold > expected.threshold:
            problem = f"the tier is {expected.code}, {now} qualifying points give {rules.due(now).code}"
            yield Violation("D", "members_member", member_id, problem)
