#!/usr/bin/env python
"""How long it takes to find the circles among all referrals, beside recursive SQL written by hand. See README.md."""

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator

import house

TARGET = 1.0
LONGEST = 8
"""Members on the longest circle that is planted; the SQL looks no further."""
WORK_MEMORY = "256MB"

_MEMBERS = """
INSERT INTO members_member (public_id, card_number, status, first_name, last_name, email, phone, language, time_zone,
    joined_at, source, acquisition_channel, tier_id, tier_since, tier_as_of, tier_transfer_id)
SELECT gen_random_uuid(), lpad(n::text, 16, '0'), 'active', '', '', '', '', 'fi', 'Europe/Helsinki',
    timestamptz '2026-01-01' + n * interval '1 second', 'portal', 'referral', (SELECT min(id) FROM members_tier),
    now(), now(), 0
  FROM generate_series(1, %s) AS n
"""
_REFERRALS = """
INSERT INTO referrals_referral (public_id, referrer_id, friend_id, state, reason, joined_at, score, appeal)
SELECT gen_random_uuid(), referrer_id, friend_id, 'rewarded', '', now(), 0, '' FROM given
"""
_MARKS = """
INSERT INTO referrals_mark (member_id, kind, hash, first_seen, last_seen)
SELECT member_id, 'device', lpad(to_hex(number), 64, '0'), now(), now() FROM alike
UNION ALL
SELECT id, 'device', lpad(to_hex(id), 64, 'x'), now(), now() FROM members_member WHERE id %% 2 = 0
"""

BY_HAND = """
WITH RECURSIVE crowded AS MATERIALIZED (
    SELECT kind, hash, min(member_id) AS person FROM referrals_mark
     WHERE kind IN ('email', 'phone', 'device', 'payment')
     GROUP BY kind, hash HAVING count(*) BETWEEN 2 AND 20
), person AS MATERIALIZED (
    SELECT mark.member_id, min(person) AS person FROM referrals_mark AS mark JOIN crowded USING (kind, hash)
     GROUP BY mark.member_id
), edge AS MATERIALIZED (
    SELECT friend_id, coalesce(friend.person, friend_id) AS below, coalesce(referrer.person, referrer_id) AS above
      FROM referrals_referral
      LEFT JOIN person AS friend ON friend.member_id = friend_id
      LEFT JOIN person AS referrer ON referrer.member_id = referrer_id
     WHERE coalesce(friend.person, friend_id) <> coalesce(referrer.person, referrer_id)
), inner_edge AS MATERIALIZED (
    SELECT friend_id, below, above FROM edge
     WHERE below IN (SELECT above FROM edge) AND above IN (SELECT below FROM edge)
), walk (friend_id, start, here, steps) AS (
    SELECT friend_id, below, above, 1 FROM inner_edge
    UNION
    SELECT walk.friend_id, walk.start, inner_edge.above, walk.steps + 1
      FROM walk JOIN inner_edge ON inner_edge.below = walk.here
     WHERE walk.here <> walk.start AND walk.steps < %s
)
SELECT DISTINCT friend_id FROM walk WHERE here = start
"""


def fill(edges: int, *, seed: int = 6) -> int:
    """So many referrals in trees, one in a thousand of them on a circle, every other circle closed by a mark."""
    from django.db import connection

    planted = list(_planted(edges // 1000, random.Random(seed)))
    on_circles = sum(len(pairs) for pairs, _alike in planted)
    extra = 1 + max(max(pair) for pairs, _alike in planted for pair in pairs)
    trees = edges - on_circles
    with connection.cursor() as cursor:
        cursor.execute(_MEMBERS, [trees + 1 + extra])
        cursor.execute("SELECT min(id) FROM members_member")
        (first,) = cursor.fetchone()
        cursor.execute("CREATE TEMPORARY TABLE given (friend_id bigint, referrer_id bigint)")
        cursor.execute("CREATE TEMPORARY TABLE alike (member_id bigint, number bigint)")
        cursor.execute("SELECT setseed(0.6)")
        # Each friend is brought by somebody who came before: trees about as deep as a logarithm, many of them leaves.
        cursor.execute(
            "INSERT INTO given SELECT %s + n, %s + floor(n * random())::bigint FROM generate_series(1, %s) AS n",
            [first, first, trees],
        )
        base = first + trees + 1
        with cursor.copy("COPY given FROM STDIN") as copy:
            for pairs, _alike in planted:
                for friend, referrer in pairs:
                    copy.write_row((base + friend, base + referrer))
        with cursor.copy("COPY alike FROM STDIN") as copy:
            for number, (_pairs, alike) in enumerate(planted, start=1):
                for member in alike:
                    copy.write_row((base + member, number))
        cursor.execute(_REFERRALS)
        cursor.execute(_MARKS.replace("%%", "%"))
        cursor.execute("VACUUM ANALYZE")
    return on_circles


def _planted(edges: int, chance: random.Random) -> Iterator[tuple[list[tuple[int, int]], list[int]]]:
    """Circles of two to eight people: pairs of friend and referrer, and who of them are one person."""
    number = count = 0
    while count < edges:
        size = chance.randint(2, LONGEST)
        row = [(number + place + 1, number + place) for place in range(size - 1)]
        if chance.random() < 0.5:
            yield [*row, (number, number + size - 1)], []
        else:  # the last one brings the first under another name
            yield [*row, (number + size, number + size - 1)], [number, number + size]
        number += size + 1
        count += size


def by_hand() -> set[int]:
    """The friends whose referrals are on circles, by SQL."""
    from django.db import connection, transaction

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('work_mem', %s, TRUE)", [WORK_MEMORY])
        cursor.execute(BY_HAND, [LONGEST])
        return {friend for (friend,) in cursor.fetchall()}


def ours() -> set[int]:
    """The same, as the product finds them."""
    from referrals.fraud.graph import all_circles

    return {friend for circle in all_circles() for friend in circle.friends}


def seconds(find: Callable[[], set[int]]) -> tuple[float, set[int]]:
    began = time.perf_counter()
    found = find()
    return time.perf_counter() - began, found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--edges", type=int, default=1_000_000)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    house.open_house()
    planted = fill(given.edges)
    took_ours, took_hand = [], []
    for _round in range(given.rounds):
        took, found = seconds(ours)
        took_ours.append(took)
        took, found_by_hand = seconds(by_hand)
        took_hand.append(took)
        if found != found_by_hand or len(found) != planted:
            sys.exit(f"{len(found)} referrals on circles, by hand {len(found_by_hand)}, planted {planted}")
    ratio = statistics.median(took_ours) / statistics.median(took_hand)
    print(
        f"{planted} of {given.edges} referrals on circles  {statistics.median(took_ours):6.2f} s, "
        f"by hand {statistics.median(took_hand):6.2f} s, ratio {ratio:.2f}  (we hold ourselves to {TARGET})"
    )
    sys.exit(ratio > TARGET)


if __name__ == "__main__":
    main()
