"""Work of the night: once a calendar day of the programme, by frequent ticks, so that a missed night is made good."""

import datetime as dt

from loyalty import clock, programme
from loyalty.runs.models import Run

RETRY_AFTER = dt.timedelta(hours=1)


def is_due(name: str, *, at: dt.datetime) -> bool:
    """Whether the named work still has to be done on the programme's calendar day of ``at``.

    It is done when a run judged on that day succeeded. One that failed on its own is tried again an hour later.
    """
    zone = programme.current().time_zone
    midnight = clock.start_of_day(clock.local_date(at, zone), zone)
    today = Run.objects.filter(name=name, at__gte=midnight)
    if today.filter(status=Run.Status.SUCCEEDED).exists():
        return False
    return not today.filter(status=Run.Status.FAILED, at__gt=at - RETRY_AFTER).exists()
