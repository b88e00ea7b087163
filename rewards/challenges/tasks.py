"""Ticks of the challenges: counting what came before, beginning rounds, giving what is owed."""

from celery import shared_task

from loyalty import clock
from loyalty.runs import record
from loyalty.runs.exclusive import exclusively
from rewards.challenges import counting, upkeep


@shared_task(name="rewards.count_challenges")
def count_challenges() -> None:
    """Count what was done before challenges opened; leaves rows only when there is something to count."""
    name = "rewards.count_challenges"
    while (count_id := counting.next_due()) is not None:
        with exclusively(name) as held:
            if not held:
                return
            with record.run(name, at=clock.now()) as run:
                counting.work(count_id=count_id, at=clock.now(), run=run)


@shared_task(name="rewards.keep_challenges")
def keep_challenges() -> None:
    """Begin rounds by the calendar, and issue vouchers that were owed."""
    name = "rewards.keep_challenges"
    with exclusively(name) as held:
        if not held:
            return
        at = clock.now()
        upkeep.begin_rounds(at=at)
        if upkeep.owed():
            with record.run(name, at=at) as run:
                upkeep.give_owed(at=at, run=run)
