"""The tick of draws."""

from celery import shared_task

from loyalty import clock
from loyalty.runs import record
from loyalty.runs.exclusive import exclusively
from rewards.draws import prizes, upkeep


@shared_task(name="rewards.hold_draws")
def hold_draws() -> None:
    """Close and hold the draws that are due, give prizes, and give points back for draws that were called off."""
    name = "rewards.hold_draws"
    if not upkeep.has_due(at=clock.now()) and not prizes.waiting().exists():
        return
    with exclusively(name) as held:
        at = clock.now()
        if not held:
            return
        if upkeep.has_due(at=at):
            with record.run(name, at=at) as run:
                upkeep.work(at=at, run=run)
        prizes.give_waiting(at=at)
