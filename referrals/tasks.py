"""The tick of the referrals: rewards what has waited long enough, and lets lapse what came to nothing in time."""

from celery import shared_task

from loyalty import clock
from loyalty.runs import record
from loyalty.runs.exclusive import exclusively
from referrals import settling


@shared_task(name="referrals.settle")
def settle() -> None:
    """Settle what is due; leaves a run only when there was something."""
    name = "referrals.settle"
    with exclusively(name) as held:
        if not held:
            return
        at = clock.now()
        settling.catch_up(at=at)
        if settling.has_due(at=at):
            with record.run(name, at=at) as run:
                settling.settle_due(at=at, run=run)
