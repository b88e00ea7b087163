"""Ticks of the campaigns. Each may come late, twice or five times over: the rows decide what is done."""

import datetime as dt

from celery import shared_task

from campaigns import birthdays, dispatch
from loyalty import clock
from loyalty.runs import record
from loyalty.runs.exclusive import exclusively

ROUND = dt.timedelta(minutes=4)
"""How long one tick sends; the next goes on with what is left."""


@shared_task(name="campaigns.greet_birthdays")
def greet_birthdays() -> None:
    """Greet the birthdays that are open now, then send right away."""
    at = clock.now()
    with exclusively("campaigns.greet_birthdays") as held:
        if not held:
            return
        with record.run("campaigns.greet_birthdays", at=at) as run:
            birthdays.greet_birthdays(at=at, run=run)
    send_messages()


@shared_task(name="campaigns.dispatch_messages")
def dispatch_messages() -> None:
    """Send what is due."""
    send_messages()


def send_messages() -> None:
    """One round of sending; leaves a row only when there was something to do."""
    at = clock.now()
    if not dispatch.has_work(at=at):
        return
    with exclusively("campaigns.dispatch_messages") as held:
        if held:
            with record.run("campaigns.dispatch_messages", at=at) as run:
                dispatch.dispatch(now=clock.now, run=run, until=at + ROUND)
