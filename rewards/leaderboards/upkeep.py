"""The regular work on leaderboards: new tables, ranks that Redis lost, the night's recount, and closing.

Called by the tasks.
"""

import datetime as dt
from collections.abc import Iterator

import structlog
from django.db import transaction

from loyalty.runs.record import RunRecorder
from members.models import Member
from rewards.leaderboards import membership, ranks, scores, tables
from rewards.models import LeaderboardProfile, LeaderboardTable

logger = structlog.get_logger("kantis.leaderboards")

BATCH = 2_000


def uncounted(*, at: dt.datetime) -> list[LeaderboardTable]:
    """The open tables that have not been counted as a whole yet; those of periods that begin now are made."""
    return [table for table in tables.open_tables(at=at) if table.counted_at is None]


def keep_ranks(*, at: dt.datetime) -> int:
    """Bring every open table's set in Redis up to date, building those that are gone; how many are there now."""
    return sum(ranks.keep_up(table.pk, may_build=True) for table in tables.open_tables(at=at))


def count(table: LeaderboardTable, *, at: dt.datetime, run: RunRecorder) -> int:
    """Set every score of a table to what the ledger says, page by page; how many were other than that."""
    changed = 0
    for page in _pages():
        with transaction.atomic():
            changed += scores.recompute_in([table], page)
        run.progress(done=len(page))
    LeaderboardTable.objects.filter(pk=table.pk, closed_at=None).update(counted_at=at)
    return changed


def _pages() -> Iterator[list[int]]:
    """The members with nicknames, some at a time, in the order of their ids."""
    last = 0
    ids = LeaderboardProfile.objects.order_by("pk").values_list("pk", flat=True)
    while page := list(ids.filter(pk__gt=last)[:BATCH]):
        yield page
        last = page[-1]


def reconcile(*, at: dt.datetime, run: RunRecorder) -> None:
    """The night's work: take out who is no active member, count every open table, close what is settled, build ranks.

    What the events had brought a score to and what the ledger says are the same, unless an event was parked; the run
    tells how many were mended.
    """
    former = LeaderboardProfile.objects.exclude(member__status=Member.Status.ACTIVE)
    for member_id in former.order_by("pk").values_list("pk", flat=True):
        membership.leave(member_id=member_id, at=at)
    for table in tables.open_tables(at=at):
        was_counted = table.counted_at is not None
        mended = count(table, at=at, run=run)
        if was_counted and mended:
            run.detail["mended"] = run.detail.get("mended", 0) + mended
            logger.warning("leaderboard_mended", table=table.pk, scores=mended)
        settled = tables.settled_at(table)
        if settled is not None and settled <= at:
            close(table, at=at)
        else:
            ranks.rebuild(table.pk)


def close(table: LeaderboardTable, *, at: dt.datetime) -> bool:
    """Let a table stand as it is from now on; whether it was open. What members leave is still taken out of it."""
    with transaction.atomic():
        for row in scores.lock([table.pk]):
            row.closed_at = at
            row.save(update_fields=["closed_at"])
            ranks.drop([row])
            return True
    return False
