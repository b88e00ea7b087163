"""Ticks of the campaigns. Each may come late, twice or five times over: the rows decide what is done."""

import datetime as dt

from celery import shared_task

from campaigns import birthdays, dispatch, inactivity, lifecycle, rounds, triggers
from campaigns.channels.base import ChannelDown
from campaigns.experiments import winner
from loyalty import clock
from loyalty.runs import record
from loyalty.runs.exclusive import exclusively

ROUND = dt.timedelta(minutes=4)
"""How long one tick decides or sends; the next goes on with what is left."""


@shared_task(name="campaigns.greet_birthdays")
def greet_birthdays() -> None:
    """Decide about the birthdays and anniversaries that are open now, then send right away."""
    at = clock.now()
    with exclusively("campaigns.greet_birthdays") as held:
        if not held:
            return
        with record.run("campaigns.greet_birthdays", at=at) as run:
            birthdays.greet_due(at=at, run=run)
    send_messages()


@shared_task(name="campaigns.miss_members")
def miss_members() -> None:
    """Decide about members whose last purchase, of anything or of a product, is long enough ago."""
    at = clock.now()
    with exclusively("campaigns.miss_members") as held:
        if held and inactivity.has_work():
            with record.run("campaigns.miss_members", at=at) as run:
                inactivity.look(at=at, run=run)


@shared_task(name="campaigns.decide")
def decide() -> None:
    """Begin what has come due, decide about rounds and about what happened, then send right away."""
    with exclusively("campaigns.decide") as held:
        if held:
            _decide(at=clock.now())
    send_messages()


def _decide(*, at: dt.datetime) -> None:
    """One round of deciding; leaves a row only when there was something to do."""
    rounds.begin_due(at=at)
    if rounds.has_work() or triggers.has_work(at=at):
        with record.run("campaigns.decide", at=at) as run:
            triggers.settle_due(now=clock.now, run=run, until=at + ROUND)
            rounds.decide_open(now=clock.now, run=run, until=at + ROUND)
    lifecycle.finish_due(at=clock.now())


@shared_task(name="campaigns.dispatch_messages")
def dispatch_messages() -> None:
    """Send what is due."""
    send_messages()


def send_messages() -> None:
    """One round of sending by each channel that has something to send, and leaves a row for it.

    One sender a channel is enough, and the next tick does not wait for a slow one: another worker takes the others.
    """
    down: ChannelDown | None = None
    channels = dispatch.channels_with_work(at=clock.now())
    for channel in channels:
        with exclusively(f"campaigns.dispatch_messages.{channel}") as held:
            if not held:
                continue
            at = clock.now()
            try:
                with record.run("campaigns.dispatch_messages", at=at, channel=channel) as run:
                    dispatch.dispatch(now=clock.now, run=run, until=at + ROUND, only=channel)
            except ChannelDown as error:  # its row says so; the others have nothing to do with it
                down = error
    if channels:
        lifecycle.finish_due(at=clock.now())
    if down is not None:
        raise down


@shared_task(name="campaigns.measure")
def measure() -> None:
    """Let the better variants take over whose time has come, and compute results that have grown old."""
    at = clock.now()
    with exclusively("campaigns.measure") as held:
        if held and winner.has_work(at=at):
            with record.run("campaigns.measure", at=at) as run:
                winner.choose_due(at=at, run=run)
                winner.measure_due(at=at, run=run)
