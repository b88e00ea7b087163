"""Ticks of redemptions."""

from celery import shared_task

from loyalty import clock
from loyalty.runs import record
from loyalty.runs.exclusive import exclusively
from rewards.redemption import upkeep


@shared_task(name="rewards.lapse_redemptions")
def lapse_redemptions() -> None:
    """Let reservations lapse that nobody collected; leaves a row only when there were some."""
    name = "rewards.lapse_redemptions"
    if not upkeep.has_due(at=clock.now()):
        return
    with exclusively(name) as held:
        at = clock.now()
        if held:
            with record.run(name, at=at) as run:
                while True:
                    done, failed = upkeep.lapse_due(at=at)
                    run.progress(done=done, failed=failed)
                    if not done:
                        break
