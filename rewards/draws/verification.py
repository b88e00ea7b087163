"""Draws prove themselves: what was published still holds. Part of ``manage.py verify_ledger``, under the invariant H.

Each row: the table, the problem with {found} and {expected}, and a query that must find nothing.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DrawCheck:
    """One query for broken rows: (row id, found, expected) each."""

    table: str
    problem: str
    sql: str


CHECKS = (
    DrawCheck(
        "rewards_draw",
        "the seed's SHA-256 is {found}, promised was {expected}",
        """
        SELECT id, encode(sha256(seed), 'hex'), commitment FROM rewards_draw
        WHERE seed IS NOT NULL AND encode(sha256(seed), 'hex') <> commitment
        """,
    ),
    DrawCheck(
        "rewards_draw",
        "the SHA-256 of its list of entries is {found}, published was {expected}",
        r"""
        SELECT d.id, now.digest, d.list_digest FROM rewards_draw d JOIN LATERAL (
            SELECT encode(sha256(convert_to(E'number,holder,chances\n' || coalesce(
                string_agg(e.number || ',' || e.holder || ',' || e.weight || E'\n', '' ORDER BY e.number), ''), 'UTF8')
                ), 'hex') AS digest
            FROM (SELECT number, weight, min(number) OVER (PARTITION BY member_id) AS holder
                  FROM rewards_drawentry WHERE draw_id = d.id AND cancelled_at IS NULL) e
        ) now ON true
        WHERE d.state IN ('closed', 'drawn') AND now.digest <> d.list_digest
        """,
    ),
    DrawCheck(
        "rewards_drawprize",
        "it was won {found} times, there are {expected}",
        """
        SELECT p.id, count(w.id), p.quantity FROM rewards_drawprize p
        JOIN rewards_drawwinner w ON w.prize_id = p.id GROUP BY p.id HAVING count(w.id) > p.quantity
        """,
    ),
    DrawCheck(
        "rewards_drawwinner",
        "its entry is of draw {found}, or was taken out of it; expected draw {expected}",
        """
        SELECT w.id, e.draw_id, w.draw_id FROM rewards_drawwinner w
        JOIN rewards_drawentry e ON e.id = w.entry_id JOIN rewards_drawprize p ON p.id = w.prize_id
        WHERE e.draw_id <> w.draw_id OR p.draw_id <> w.draw_id OR e.cancelled_at IS NOT NULL
        """,
    ),
    DrawCheck(
        "rewards_draw",
        "one member won {found} times, expected {expected}",
        """
        SELECT w.draw_id, count(*), 1 FROM rewards_drawwinner w JOIN rewards_drawentry e ON e.id = w.entry_id
        GROUP BY w.draw_id, e.member_id HAVING count(*) > 1
        """,
    ),
)
