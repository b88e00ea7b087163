"""Ticks of the vouchers. Each may come late, twice or five times: what is due is read under the vouchers' row locks."""

from celery import shared_task

from loyalty import clock
from loyalty.runs import record
from loyalty.runs.exclusive import exclusively
from rewards.vouchers import batches, upkeep


@shared_task(name="rewards.keep_vouchers")
def keep_vouchers() -> None:
    """Let go of overdue locks and mark expired vouchers; leaves a row only when there were some."""
    name = "rewards.keep_vouchers"
    at = clock.now()
    if not upkeep.has_work(at=at):
        return
    with exclusively(name) as held:
        if held:
            with record.run(name, at=at) as run:
                for work in (upkeep.release_locks, upkeep.expire_due):
                    while done := work(at=at):
                        run.progress(done=done)


@shared_task(name="rewards.make_vouchers")
def make_vouchers() -> None:
    """Make codes and take in files of codes that staff asked for, one after the other; goes on where a worker died."""
    name = "rewards.make_vouchers"
    while (batch_id := batches.next_due()) is not None:
        with exclusively(name) as held:
            if not held:
                return
            with record.run(name, at=clock.now(), batch=batch_id):
                batches.work(batch_id=batch_id, at=clock.now())
