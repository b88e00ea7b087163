"""Ticks of the leaderboards: sets that Redis has lost, tables to count, and the night's recount."""

from celery import shared_task

from loyalty import clock
from loyalty.runs import daily, record
from loyalty.runs.exclusive import exclusively
from rewards.leaderboards import upkeep


@shared_task(name="rewards.keep_leaderboards")
def keep_leaderboards() -> None:
    """Build again what Redis has lost and count new tables; leaves rows only when there is something to count."""
    name = "rewards.keep_leaderboards"
    with exclusively(name) as held:
        if not held:
            return
        at = clock.now()
        if waiting := upkeep.uncounted(at=at):
            with record.run(name, at=at) as run:
                for table in waiting:
                    upkeep.count(table, at=at, run=run)
        upkeep.keep_ranks(at=at)


@shared_task(name="rewards.reconcile_leaderboards")
def reconcile_leaderboards() -> None:
    """Count every open table from the ledger and close those that are settled, once after each midnight."""
    name = "rewards.reconcile_leaderboards"
    with exclusively(name) as held:
        at = clock.now()
        if held and daily.is_due(name, at=at):
            with record.run(name, at=at) as run:
                upkeep.reconcile(at=at, run=run)
