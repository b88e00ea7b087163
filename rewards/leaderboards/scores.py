"""The scores of members who want to be seen: computed anew from the ledger or from the rounds of a challenge.

A score is never added to: it is set to what the ledger says now, so hearing of a purchase twice, late or after its
refund comes to the same. All members of a batch are computed by one statement for each open table. Its row is locked
meanwhile; who leaves takes the same locks, so no score can appear for a nickname that is gone.
Called by the handlers, by ``membership`` and by ``upkeep``.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from typing import Any

from django.db import connection, transaction
from django.db.models import F

from rewards import terms
from rewards.leaderboards import ranks, tables
from rewards.leaderboards.ranks import Removal
from rewards.models import Leaderboard, LeaderboardProfile, LeaderboardScore, LeaderboardTable

Basis = Leaderboard.Basis

_EARNED = """
SELECT t.member_id, sum(t.points - coalesce(undone.points, 0)) AS score
FROM rewards_transfer t
JOIN rewards_account payer ON payer.id = t.from_account_id AND payer.kind = 'issued'
LEFT JOIN LATERAL (
    SELECT sum(r.points) AS points FROM rewards_transfer r WHERE r.reverses_id = t.id
) undone ON true
WHERE t.member_id = ANY(%(members)s) AND t.kind IN ('earn', 'repayment') AND payer.wallet_id = %(wallet)s
  AND (%(since)s::timestamptz IS NULL OR t.occurred_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR t.occurred_at < %(until)s)
GROUP BY t.member_id
"""
"""Points of the default wallet that the programme gave for what members did in the period, less what was taken back of
them since. Points that other members gave, corrections by staff and opening balances are not earned."""

_PROGRESS = """
SELECT r.member_id, (sum(r.progress) * 100)::bigint AS score
FROM rewards_challengeround r
JOIN rewards_participation p ON p.challenge_id = r.challenge_id AND p.member_id = r.member_id
WHERE r.member_id = ANY(%(members)s) AND r.challenge_id = %(challenge)s
  AND (r.starts_at AT TIME ZONE p.time_zone)::date >= %(first)s
  AND (%(end)s::date IS NULL OR (r.starts_at AT TIME ZONE p.time_zone)::date < %(end)s)
GROUP BY r.member_id
"""
"""Hundredths of the progress in those rounds that began, by the member's own calendar, in the period."""

_KEEP = """
INSERT INTO rewards_leaderboardscore AS kept (table_id, profile_id, score, revision)
SELECT %(table)s, profile.member_id, greatest(coalesce(counted.score, 0), 0), %(revision)s
FROM rewards_leaderboardprofile profile
LEFT JOIN ({source}) counted ON counted.member_id = profile.member_id
LEFT JOIN rewards_leaderboardscore known ON known.table_id = %(table)s AND known.profile_id = profile.member_id
WHERE profile.member_id = ANY(%(members)s)
  AND coalesce(known.score, 0) <> greatest(coalesce(counted.score, 0), 0)
ORDER BY profile.member_id
ON CONFLICT (table_id, profile_id) DO UPDATE SET score = excluded.score, revision = excluded.revision
"""


def recompute(*, member_ids: Collection[int], at: dt.datetime) -> int:
    """Set the scores of these members in all open tables to what is true now; how many changed.

    Members without a nickname are left out. Call inside a transaction; the ranks follow after its commit.
    """
    wanted = LeaderboardProfile.objects.filter(member__in=member_ids).order_by("pk")
    if not (members := list(wanted.values_list("pk", flat=True))):
        return 0
    return recompute_in(tables.open_tables(at=at), members)


def recompute_in(asked: Iterable[LeaderboardTable], member_ids: Sequence[int]) -> int:
    """The same in some tables only; closed ones are left as they are."""
    boards = {table.pk: table.leaderboard for table in asked}
    changed = 0
    for table in lock(boards):
        table.leaderboard = boards[table.pk]
        changed += _keep(table, member_ids)
    return changed


def lock(table_ids: Iterable[int]) -> list[LeaderboardTable]:
    """The tables of these that are open, locked in the order of their keys until the transaction ends."""
    rows = LeaderboardTable.objects.select_for_update(of=("self",)).filter(
        pk__in=list(table_ids), closed_at=None
    )
    return list(rows.order_by("pk"))


def _keep(table: LeaderboardTable, member_ids: Sequence[int]) -> int:
    source, params = _source(table)
    revision = table.revision + 1
    params |= {"table": table.pk, "revision": revision, "members": list(member_ids)}
    with connection.cursor() as cursor:
        cursor.execute(_KEEP.format(source=source), params)
        changed = cursor.rowcount
    if changed:
        LeaderboardTable.objects.filter(pk=table.pk).update(revision=revision)
        transaction.on_commit(partial(ranks.keep_up, table.pk), robust=True)
    return changed


def _source(table: LeaderboardTable) -> tuple[str, dict[str, Any]]:
    """The statement that a table's scores come from, and its parameters."""
    board = table.leaderboard
    if board.basis == Basis.CHALLENGE:
        return _PROGRESS, {
            "challenge": board.challenge_id,
            "first": table.starts_on,
            "end": table.ends_on,
        }
    between = tables.bounds(table)
    return _EARNED, {
        "wallet": terms.current().default_wallet_id,
        "since": between.since,
        "until": between.until,
    }


def remove(*, member_id: int) -> None:
    """Take a member out of all tables, closed ones too. Call in the transaction that removes the nickname.

    The tables' locks make it wait for scores that are being computed, and keep others from being added.
    """
    open_now = LeaderboardTable.objects.filter(closed_at=None).values_list("pk", flat=True)
    for table in lock(open_now):
        gone, _by_model = LeaderboardScore.objects.filter(table=table, profile=member_id).delete()
        if gone:
            revision = table.revision + 1
            LeaderboardTable.objects.filter(pk=table.pk).update(
                revision=F("revision") + 1, removed_revision=revision
            )
            removal = Removal(table.pk, member_id, revision)
            transaction.on_commit(partial(ranks.keep_up, table.pk, removal=removal), robust=True)
    LeaderboardScore.objects.filter(profile=member_id).delete()
