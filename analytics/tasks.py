"""The nightly tick: frequent and harmless; the night's work is done once after each local midnight."""

from celery import shared_task

from analytics.nightly import run_nightly
from loyalty import clock
from loyalty.runs import daily, record
from loyalty.runs.exclusive import exclusively

NAME = "analytics.nightly"


@shared_task(name=NAME)
def nightly() -> None:
    """Bring the metrics up to yesterday, unless that was done since midnight."""
    with exclusively(NAME) as held:
        at = clock.now()
        if not held or not daily.is_due(NAME, at=at):
            return
        with record.run(NAME, at=at) as run:

            def progress(done: int, total: int) -> None:
                run.row.total = total
                run.progress(done=done - run.row.done)

            summary = run_nightly(at=at, progress=progress)
            run.detail.update(date=summary.date.isoformat(), changed=summary.changed)
