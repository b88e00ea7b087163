"""The catalogue's tick."""

from celery import shared_task

from loyalty import clock
from loyalty.runs import record
from loyalty.runs.exclusive import exclusively
from rewards.catalogue import favourites

NAME = "rewards.review_favourites"


@shared_task(name=NAME)
def review_favourites() -> None:
    """Tell members which of their favourites they can get now; one run at a time."""
    with exclusively(NAME) as held:
        if not held:
            return
        with record.run(NAME, at=clock.now()) as run:
            favourites.review_all(at=clock.now(), run=run)
