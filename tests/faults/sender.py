"""One sender as a process of its own that dies at a chosen point of its work: ``sender POINT NUMBER NOTEBOOK``.

It writes the id of each message that it hands over into the notebook, as the other side would have it.
"""

import os
import sys
from pathlib import Path
from typing import Any

POINTS = ("claiming", "claimed", "handed over", "marking", "marked")
DEAD = 9


def main(point: str, number: int, notebook: Path) -> None:
    """Send what is due; die at the ``number``-th message, at once and without a word to anybody."""
    import django

    django.setup()
    from campaigns.dispatch import claiming, dispatch, outcomes, rounds, writing
    from campaigns.models import Message
    from loyalty import clock
    from tests.campaigns.dispatching import MINUTE, as_it_stands
    from tests.factories.campaigns import recorder

    def die(here: str, count: int) -> None:
        if here == point and count == number:
            os._exit(DEAD)

    class Channel(rounds.CHANNELS["email"]):  # type: ignore[misc, name-defined]
        count = 0

        def ready(self) -> None:
            """There is no server."""

        def deliver(self, message: Message, *others: Any) -> str:
            self.count += 1
            with notebook.open("a") as pages:
                pages.write(f"{message.pk}\n")
            die("handed over", self.count)
            return ""

    marked = 0
    mark_sent, take = outcomes.mark_sent, claiming.take

    def mark_and_die(*facts: Any, **more: Any) -> str:
        nonlocal marked
        marked += 1
        if point == "marking" and marked == number:
            from django.db import transaction

            with transaction.atomic():
                mark_sent(*facts, **more)
                os._exit(DEAD)
        status = mark_sent(*facts, **more)
        die("marked", marked)
        return status

    def take_and_die(*facts: Any, **more: Any) -> list[Message]:
        if point == "claiming":
            from django.db import transaction

            with transaction.atomic():
                take(*facts, **more)
                os._exit(DEAD)
        messages = take(*facts, **more)
        die("claimed", number)
        return messages

    outcomes.mark_sent, claiming.take = mark_and_die, take_and_die
    rounds.CHANNELS = {"email": Channel}
    rounds.context.load = lambda messages, **_: {message.pk: object() for message in messages}
    writing.render = as_it_stands
    dispatch(now=clock.now, run=recorder(clock.now()), until=clock.now() + MINUTE)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
