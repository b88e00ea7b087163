"""The catalogue's ticks."""

import datetime as dt

from celery import shared_task

from loyalty import clock
from loyalty.runs import record
from loyalty.runs.exclusive import exclusively
from rewards.catalogue import favourites, pictures

NAME = "rewards.review_favourites"


@shared_task(name=NAME)
def review_favourites() -> None:
    """Tell members which of their favourites they can get now; one run at a time."""
    with exclusively(NAME) as held:
        if not held:
            return
        with record.run(NAME, at=clock.now()) as run:
            favourites.review_all(at=clock.now(), run=run)


UNUSED_KEPT = dt.timedelta(days=7)
"""A picture that nothing shows is kept so long: a form that is being filled in may still refer to it."""


@shared_task(name="rewards.prune_pictures")
def prune_pictures() -> int:
    """Delete pictures that nothing shows any more."""
    return pictures.prune(before=clock.now() - UNUSED_KEPT)
