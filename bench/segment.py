#!/usr/bin/env python
"""How long it takes to find the members of a segment, beside SQL written by hand for the same. See README.md."""

import argparse
import statistics
import sys
import time
from typing import Any

import house

TARGET = 1.5
SINCE = "2026-03-01"

_MEMBERS = """
INSERT INTO members_member (public_id, card_number, status, first_name, last_name, email, phone, language, time_zone,
    joined_at, source, acquisition_channel, tier_id, tier_since, tier_as_of, tier_transfer_id, birth_date)
SELECT gen_random_uuid(), lpad(n::text, 16, '0'), 'active', '', '', '', '', (ARRAY['fi', 'sv', 'en'])[1 + n %% 3],
    'Europe/Helsinki', timestamptz '2026-06-01' - (n %% 1000) * interval '1 day', 'partner', 'organic',
    (SELECT min(id) FROM members_tier), now(), now(), 0, date '1950-01-01' + (n %% 20000)::integer
  FROM generate_series(1, %s) AS n
"""
_ACTIVITIES = """
INSERT INTO members_activity (public_id, member_id, partner_id, external_id, kind_id, occurred_at, recorded_at,
    currency, total, content_digest)
SELECT gen_random_uuid(), member.id, %s, member.id || '-' || n, 'purchase',
    timestamptz '2026-06-01' - ((member.id * 7919 + n * 104729) %% 365) * interval '1 day', now(), 'EUR',
    (member.id * 31 + n * 17) %% 100, ''
  FROM members_member AS member CROSS JOIN generate_series(1, 6) AS n
"""
_LINES = """
INSERT INTO members_activityline (activity_id, position, member_id, category_id, quantity, total)
SELECT activity.id, 1, activity.member_id, category.id, 1, activity.total
  FROM members_activity AS activity
  JOIN members_category AS category ON category.name = 'category-' || (activity.id * 7) %% 20
"""

ASKED: dict[str, tuple[dict[str, Any], str]] = {
    "bought from some categories since March": (
        {
            "bought": {
                "where": {
                    "all": [
                        {"field": "category", "op": "in", "value": [f"category-{n}" for n in range(8)]},
                        {"field": "day", "op": "ge", "value": SINCE},
                    ]
                },
                "measure": "purchases",
                "op": "ge",
                "value": 1,
            }
        },
        """
        SELECT member.id FROM members_member AS member JOIN (
            SELECT activity.member_id FROM members_activityline AS line
              JOIN members_activity AS activity ON activity.id = line.activity_id
              JOIN members_category AS category ON category.id = line.category_id
             WHERE activity.kind_id = 'purchase' AND activity.occurred_at >= '2026-03-01 00:00 Europe/Helsinki'
               AND category.name = ANY(ARRAY(SELECT 'category-' || n FROM generate_series(0, 7) AS n))
             GROUP BY activity.member_id HAVING count(DISTINCT activity.id) >= 1
        ) AS buyers ON buyers.member_id = member.id WHERE member.status = 'active'
        """,
    ),
    "spent 100 or more, nothing since March": (
        {
            "all": [
                {"purchases": {"where": {}, "measure": "total", "op": "ge", "value": "100"}},
                {"not": {"purchases": {"where": {"field": "day", "op": "ge", "value": SINCE}}}},
            ]
        },
        """
        SELECT member.id FROM members_member AS member JOIN (
            SELECT member_id FROM members_activity WHERE kind_id = 'purchase'
             GROUP BY member_id HAVING sum(total) >= 100
        ) AS spenders ON spenders.member_id = member.id
         WHERE member.status = 'active' AND NOT EXISTS (
            SELECT FROM members_activity AS late WHERE late.member_id = member.id AND late.kind_id = 'purchase'
               AND late.occurred_at >= '2026-03-01 00:00 Europe/Helsinki'
         )
        """,
    ),
    "Swedish speakers with few purchases": (
        {
            "all": [
                {"field": "language", "op": "eq", "value": "sv"},
                {
                    "purchases": {
                        "where": {"field": "day", "op": "ge", "value": SINCE},
                        "measure": "count",
                        "op": "le",
                        "value": 1,
                    }
                },
            ]
        },
        """
        SELECT member.id FROM members_member AS member LEFT JOIN (
            SELECT member_id, count(*) AS purchases FROM members_activity
             WHERE kind_id = 'purchase' AND occurred_at >= '2026-03-01 00:00 Europe/Helsinki' GROUP BY member_id
        ) AS bought ON bought.member_id = member.id
         WHERE member.status = 'active' AND member.language = 'sv' AND coalesce(bought.purchases, 0) <= 1
        """,
    ),
}


def fill(members: int) -> None:
    """Members with six purchases of one line each, made by the server itself."""
    from django.db import connection

    from loyalty.models import Partner
    from members.models import Category

    partner = Partner.objects.create(slug="bench", name="Bench")
    Category.objects.bulk_create(Category(name=f"category-{number}") for number in range(20))
    with connection.cursor() as cursor:
        cursor.execute(_MEMBERS, [members])
        cursor.execute(_ACTIVITIES, [partner.pk])
        cursor.execute(_LINES.replace("%%", "%"))
        cursor.execute("VACUUM ANALYZE")


def seconds(sql: str, params: Any) -> tuple[float, int]:
    """How long it takes to keep whoever a query finds in a table, and how many that is."""
    from django.db import connection, transaction

    from members.segments.refresh import WORK_MEMORY

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('work_mem', %s, TRUE)", [WORK_MEMORY])
        began = time.perf_counter()
        cursor.execute(f"CREATE TEMPORARY TABLE found ON COMMIT DROP AS {sql}", params)
        return time.perf_counter() - began, cursor.rowcount


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--members", type=int, default=1_000_000)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    house.open_house()
    from loyalty import clock, conditions
    from members.segments.definition import candidates
    from members.segments.refresh import found_by

    fill(given.members)
    worst = 0.0
    for asked, (data, by_hand) in ASKED.items():
        condition = conditions.parse(data, "member", check_choices=False)
        found = found_by(condition.filter(candidates(condition), at=clock.now(), many=True))
        ours, hand = [], []
        for _round in range(given.rounds):
            took, count = seconds(found.sql, found.params)
            ours.append(took)
            took, count_by_hand = seconds(by_hand, None)
            hand.append(took)
            if count != count_by_hand:
                sys.exit(f"{asked}: {count} members, by hand {count_by_hand}")
        ratio = statistics.median(ours) / statistics.median(hand)
        worst = max(worst, ratio)
        print(
            f"{asked:40} {count:8} of {given.members} members  {statistics.median(ours):6.2f} s, "
            f"by hand {statistics.median(hand):6.2f} s, ratio {ratio:.2f}",
            flush=True,
        )
    print(f"worst ratio {worst:.2f}  (we hold ourselves to {TARGET})")
    sys.exit(worst > TARGET)


if __name__ == "__main__":
    main()
