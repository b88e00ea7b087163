#!/usr/bin/env python
"""A member's rank among a million from Redis, beside SQL's count(*) for the same member. See README.md."""

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import house

TARGET_MS = 5.0

_MEMBERS = """
INSERT INTO members_member (public_id, card_number, status, first_name, last_name, email, phone, language, time_zone,
    joined_at, source, acquisition_channel, tier_id, tier_since, tier_as_of, tier_transfer_id)
SELECT gen_random_uuid(), to_char(n, 'FM0000000000000000'), 'active', '', '', '', '', 'fi', 'Europe/Helsinki',
    %(at)s, 'import', 'organic', (SELECT id FROM members_tier ORDER BY rank LIMIT 1), %(at)s, %(at)s, 0
FROM generate_series(1, %(size)s) AS n
"""
_NICKNAMES = """
INSERT INTO rewards_leaderboardprofile (member_id, nickname, key, joined_at)
SELECT id, 'Jäsen ' || id, 'jäsen' || id, %(at)s FROM members_member
"""
_AHEAD = """
SELECT 1 + count(*) FROM rewards_leaderboardscore
WHERE table_id = %s AND score > (SELECT score FROM rewards_leaderboardscore WHERE table_id = %s AND profile_id = %s)
"""


def run_sql(statement: str, **params: Any) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement, params or None)


def prepare(size: int) -> tuple[Any, list[int]]:
    """A table with that many members on it, and some of these in no order."""
    from django.db import connection

    from loyalty import clock
    from members.models import Member
    from rewards.leaderboards import tables
    from rewards.models import Leaderboard

    at, chance = clock.now(), random.Random(1)
    Leaderboard.objects.create(code="bench", names={"en": "Bench"}, basis="earned", period="ever")
    (table,) = tables.open_tables(at=at)
    run_sql(_MEMBERS, at=at, size=size)
    run_sql(_NICKNAMES, at=at)
    ids = list(Member.objects.values_list("pk", flat=True))
    columns = "(table_id, profile_id, score, revision)"
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY rewards_leaderboardscore {columns} FROM STDIN") as copy,
    ):
        for member_id in ids:
            copy.write_row((table.pk, member_id, 1 + int(20_000 * chance.random() ** 3), 1))
    run_sql("UPDATE rewards_leaderboardtable SET revision = 1")
    run_sql("VACUUM ANALYZE")
    return table, chance.sample(ids, k=min(size, 1_000))


def build(table: Any) -> None:
    """Redis from PostgreSQL, as after a loss."""
    from loyalty.redis_link import client
    from rewards.leaderboards import ranks

    began = time.perf_counter()
    if not ranks.rebuild(table.pk):
        raise SystemExit("Redis is away.")
    took = time.perf_counter() - began
    key = ranks.key_of(table)
    entries, size = client(5.0).zcard(key) - 1, client(5.0).memory_usage(key, samples=0)
    print(
        f"built   {entries:,} entries from PostgreSQL in {took:.1f} s, {size / 2**20:.0f} MB in Redis",
        flush=True,
    )


def rank_of(table: Any, member_id: int) -> int:
    """The rank as a page finds it: the table's row, by which Redis is judged, and the set."""
    from rewards.leaderboards import ranks
    from rewards.models import LeaderboardTable

    fresh = LeaderboardTable.objects.get(pk=table.pk)
    found = ranks.read(fresh, member_id=member_id, top=0, around=0)
    if found is None or found.mine is None:
        raise SystemExit("Redis did not answer.")
    return found.mine.rank


def rank_in_sql(table: Any, member_id: int) -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(_AHEAD, [table.pk, table.pk, member_id])
        return int(cursor.fetchone()[0])


def page_of(table: Any, member_id: int) -> int:
    """All that a member's page shows: the first ten, the neighbours, the nicknames."""
    from rewards.leaderboards import reading
    from rewards.models import LeaderboardTable

    fresh = LeaderboardTable.objects.select_related("leaderboard__challenge").get(pk=table.pk)
    mine = reading.shown(fresh, member_id=member_id).mine
    return mine.rank if mine else 0


WAYS: dict[str, Callable[[Any, int], int]] = {
    "rank, Redis": rank_of,
    "rank, SQL count(*)": rank_in_sql,
    "whole page": page_of,
}


def measure(table: Any, member_ids: list[int], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each way, one member after the other, the ways in turn; all must say the same rank."""
    times: dict[str, list[float]] = {name: [] for name in WAYS}
    for number in range(rounds):
        member_id, found = member_ids[number % len(member_ids)], set()
        for name, way in WAYS.items():
            began = time.perf_counter()
            found.add(way(table, member_id))
            times[name].append((time.perf_counter() - began) * 1000)
        if len(found) != 1:
            raise SystemExit(f"Not the same rank of member {member_id}: {found}")
    return times


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--members", type=int, default=1_000_000)
    options.add_argument("--lookups", type=int, default=300)
    given = options.parse_args()
    house.open_house()
    table, member_ids = prepare(given.members)
    build(table)
    house.checkpoint()
    measure(table, member_ids, 20)
    times = measure(table, member_ids, given.lookups)
    for name, each in times.items():
        worst = statistics.quantiles(each, n=100)[94]
        print(f"{name:20} {statistics.median(each):9.3f} ms, 95 % within {worst:9.3f} ms")
    ours, floor = times["rank, Redis"], times["rank, SQL count(*)"]
    print(f"ratio   {statistics.median(floor) / statistics.median(ours):7.1f}  (SQL to Redis)")
    slow = statistics.quantiles(ours, n=100)[94]
    print(f"rank    {slow:7.3f} ms for 95 %  (we hold ourselves to {TARGET_MS:.0f})")
    sys.exit(slow >= TARGET_MS)


if __name__ == "__main__":
    main()
