"""Ticks of the members floor. Each may come late, twice or five times: what is due is decided by rows."""

from celery import shared_task

from loyalty import clock
from loyalty.runs import daily, record
from loyalty.runs.exclusive import exclusively
from members.segments.refresh import new_segments, refresh, refresh_all

REFRESH = "members.refresh_segments"


@shared_task(name=REFRESH)
def refresh_segments() -> None:
    """Refresh every segment, once after each local midnight."""
    with exclusively(REFRESH) as held:
        at = clock.now()
        if held and daily.is_due(REFRESH, at=at):
            with record.run(REFRESH, at=at) as run:
                refresh_all(at=at, run=run)


@shared_task(name="members.fill_segments")
def fill_segments() -> None:
    """Find the members of segments that are new, or whose conditions were changed; no row where there are none."""
    with exclusively("members.fill_segments") as held:
        if held:
            for segment_id in new_segments():
                refresh(segment_id=segment_id, at=clock.now())
