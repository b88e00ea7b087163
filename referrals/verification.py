"""Referrals prove themselves: each has its effect once, and what it says it gave is in the books.

Part of ``manage.py verify_ledger``, under the invariant E. Each row: the table, the problem with {found} and
{expected}, and a query that must find nothing.
"""

from rewards.verification import Check

CHECKS = (
    Check(
        "E",
        "referrals_referralgrant",
        "the ledger gave {found} points for it, it says {expected}",
        """
        SELECT g.id, coalesce(t.points, 0), g.points FROM referrals_referralgrant g LEFT JOIN (
            SELECT occasion, sum(points) AS points FROM rewards_transfer
            WHERE occasion LIKE 'referral %' AND reverses_id IS NULL GROUP BY occasion
        ) t ON t.occasion = 'referral ' || g.referral_id || ' ' || g.side
        WHERE coalesce(t.points, 0) <> g.points
        """,
    ),
    Check(
        "E",
        "referrals_referralgrant",
        "{found} of its points were taken back and it stands, expected {expected}",
        """
        SELECT g.id, sum(r.points), 0 FROM referrals_referralgrant g
        JOIN rewards_transfer t ON t.occasion = 'referral ' || g.referral_id || ' ' || g.side AND t.reverses_id IS NULL
        JOIN rewards_transfer r ON r.reverses_id = t.id
        WHERE g.reversed_at IS NULL GROUP BY g.id
        """,
    ),
    Check(
        "E",
        "referrals_referral",
        "{found} sides have their grant in its state, expected {expected}",
        """
        SELECT r.id, count(g.id) FILTER (WHERE g.reversed_at IS NULL), 2 * (r.state = 'rewarded')::int
        FROM referrals_referral r LEFT JOIN referrals_referralgrant g ON g.referral_id = r.id
        GROUP BY r.id
        HAVING count(g.id) FILTER (WHERE g.reversed_at IS NULL) <> 2 * (r.state = 'rewarded')::int
        """,
    ),
    Check(
        "E",
        "rewards_transfer",
        "it is the gift of {found}, expected {expected}",
        """
        SELECT t.id, t.occasion, 'a side or a milestone of the same member' FROM rewards_transfer t
        LEFT JOIN referrals_referralgrant g ON t.occasion = 'referral ' || g.referral_id || ' ' || g.side
        LEFT JOIN referrals_referral r ON r.id = g.referral_id
        LEFT JOIN referrals_milestonereached m ON t.occasion = 'referral milestone ' || m.id
        WHERE t.occasion LIKE 'referral %' AND t.member_id IS DISTINCT FROM coalesce(
            CASE g.side WHEN 'referrer' THEN r.referrer_id WHEN 'friend' THEN r.friend_id END, m.member_id)
        """,
    ),
    Check(
        "E",
        "referrals_milestonereached",
        "the ledger gave {found} points for it, it says {expected}",
        """
        SELECT m.id, coalesce(t.points, 0), m.points FROM referrals_milestonereached m LEFT JOIN (
            SELECT occasion, sum(points) AS points FROM rewards_transfer
            WHERE occasion LIKE 'referral milestone %' AND reverses_id IS NULL GROUP BY occasion
        ) t ON t.occasion = 'referral milestone ' || m.id
        WHERE coalesce(t.points, 0) <> m.points
        """,
    ),
    Check(
        "E",
        "referrals_milestonereached",
        "{found} friends were rewarded for it, expected {expected} or more",
        """
        SELECT m.id, count(g.id), m.friends FROM referrals_milestonereached m
        LEFT JOIN referrals_referral r ON r.referrer_id = m.member_id
        LEFT JOIN referrals_programmeterms p ON p.id = r.terms_id AND p.programme_id = m.programme_id
        LEFT JOIN referrals_referralgrant g
          ON g.referral_id = r.id AND p.id IS NOT NULL AND g.side = 'referrer' AND g.reversed_at IS NULL
        WHERE m.reversed_at IS NULL GROUP BY m.id HAVING count(g.id) < m.friends
        """,
    ),
    Check(
        "E",
        "referrals_referral",
        "its last step is {found}, it is {expected}",
        """
        SELECT r.id, s.state, r.state FROM referrals_referral r LEFT JOIN LATERAL (
            SELECT state FROM referrals_referralstep WHERE referral_id = r.id ORDER BY id DESC LIMIT 1
        ) s ON true WHERE s.state IS DISTINCT FROM r.state
        """,
    ),
)
