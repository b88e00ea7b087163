"""Ticks of the points floor. Each may come late, twice or five times: what is due is read under the ledger's locks."""

import datetime as dt
from collections.abc import Callable
from functools import partial

from celery import shared_task

from loyalty import clock
from loyalty.runs import daily, record
from loyalty.runs.exclusive import exclusively
from loyalty.runs.record import RunRecorder
from rewards import backtest, bulk_adjustments, expiry_notices, tier_drafts, upkeep
from rewards.catalogue import tasks as catalogue_tasks  # noqa: F401 - registers its ticks
from rewards.challenges import tasks as challenge_tasks  # noqa: F401 - declares its own
from rewards.draws import tasks as draw_tasks  # noqa: F401 - declares its own
from rewards.leaderboards import tasks as leaderboard_tasks  # noqa: F401 - declares its own
from rewards.moving_in import requests as moves
from rewards.redemption import tasks as redemption_tasks  # noqa: F401 - declares its own
from rewards.vouchers import tasks as voucher_tasks  # noqa: F401 - declares its own


@shared_task(name="rewards.expire_points")
def expire_points() -> None:
    """Let due points expire."""
    _run("rewards.expire_points", lambda at, run: upkeep.expire_points(at=at, run=run))


@shared_task(name="rewards.announce_expiring")
def announce_expiring() -> None:
    """Tell members ahead of time which points expire."""
    _run("rewards.announce_expiring", lambda at, run: expiry_notices.announce_expiring(at=at, run=run))


@shared_task(name="rewards.run_bulk_adjustment")
def run_bulk_adjustment() -> None:
    """Work off the files of adjustments that were started, or are to be undone; leaves rows only when there are some.

    A file whose worker died is gone on with: rows that were done say so.
    """
    name = "rewards.run_bulk_adjustment"
    while (batch_id := bulk_adjustments.next_due()) is not None:
        with exclusively(name) as held:
            if not held:
                return
            with record.run(name, at=clock.now()) as run:
                bulk_adjustments.work(batch_id=batch_id, at=clock.now(), run=run)


@shared_task(name="rewards.run_moving_in")
def run_moving_in() -> None:
    """Check or take in the files of moves from other systems, one after the other; goes on where a worker died."""
    while (moving_in_id := moves.next_due()) is not None:
        if not moves.work(moving_in_id=moving_in_id, at=clock.now()):
            return


@shared_task(name="rewards.mature_pending")
def mature_pending() -> None:
    """Make due pending points available; leaves a row only when there were some."""
    if upkeep.has_pending_due(at=clock.now()):
        _run("rewards.mature_pending", lambda at, run: upkeep.mature_pending(at=at, run=run))


@shared_task(name="rewards.review_tiers")
def review_tiers() -> None:
    """Review every tier, once after each local midnight."""
    name = "rewards.review_tiers"
    _run(name, lambda at, run: upkeep.review_tiers(at=at, run=run), when=lambda at: daily.is_due(name, at=at))


@shared_task(name="rewards.run_backtest")
def run_backtest(backtest_id: int) -> None:
    """Replay a past period against a draft of new terms; once, however often the message comes."""
    backtest.run(backtest_id=backtest_id, now=clock.now)


@shared_task(name="rewards.sweep_backtests")
def sweep_backtests() -> None:
    """Mark backtests whose process died, and send the message again for those that nobody began."""
    at = clock.now()
    backtest.mark_dead(at=at)
    for backtest_id in backtest.waiting(since=at - dt.timedelta(minutes=1)):
        run_backtest.delay(backtest_id)


@shared_task(name="rewards.move_tiers")
def move_tiers() -> None:
    """Look ahead for drafts of tier terms that nobody looked ahead for, and move members to tiers newly in force."""
    for draft_id in tier_drafts.unseen_drafts():
        _run("rewards.preview_tiers", partial(_look_ahead, draft_id))
    for draft_id in tier_drafts.due_drafts(at=clock.now()):
        _run("rewards.move_tiers", partial(_move_members, draft_id))


def _look_ahead(draft_id: int, at: dt.datetime, run: RunRecorder) -> None:
    tier_drafts.look_ahead(draft_id=draft_id, at=at, run=run)


def _move_members(draft_id: int, at: dt.datetime, run: RunRecorder) -> None:
    tier_drafts.move_members(draft_id=draft_id, at=at, run=run)


def _run(
    name: str,
    work: Callable[[dt.datetime, RunRecorder], None],
    *,
    when: Callable[[dt.datetime], bool] = lambda _at: True,
) -> None:
    """Do the work as a recorded run, unless it runs already or (judged under the lock) is not due."""
    with exclusively(name) as held:
        at = clock.now()
        if held and when(at):
            with record.run(name, at=at) as run:
                work(at, run)
