"""Quiet hours on the member's own clock: a message due in them waits for their end. Pure."""

import datetime as dt
import functools
import zoneinfo

_DAY = dt.timedelta(days=1)
_LONGEST = 8
"""How many nights may follow each other without a pause between them before we stop looking."""


def held_until(
    due_at: dt.datetime, *, time_zone: str, quiet_from: dt.time | None, quiet_to: dt.time | None
) -> dt.datetime:
    """The first moment from ``due_at`` on that is not quiet: ``due_at`` itself, or the end of the quiet hours.

    Quiet hours are one stretch, across midnight too: from the first time the clock shows their beginning to the last
    time it shows their end, so that nobody is written to twice a night where clocks go back. Where a clock skips one
    of the two, the change itself takes its place. Hours that end when they begin are none.
    """
    if quiet_from is None or quiet_to is None or quiet_from == quiet_to:
        return due_at
    for _night in range(_LONGEST):
        today = due_at.astimezone(zone_of(time_zone)).date()
        for day in (today - _DAY, today):
            begins, ends = _night_of(day, time_zone, quiet_from, quiet_to)
            if begins <= due_at < ends:
                due_at = ends
                break
        else:
            return due_at
    return due_at


@functools.lru_cache(maxsize=1_000)
def zone_of(time_zone: str) -> zoneinfo.ZoneInfo:
    """The named IANA time zone, kept: asked for once a candidate."""
    return zoneinfo.ZoneInfo(time_zone)


@functools.lru_cache(maxsize=10_000)
def _night_of(
    day: dt.date, time_zone: str, quiet_from: dt.time, quiet_to: dt.time
) -> tuple[dt.datetime, dt.datetime]:
    """The quiet hours that begin on ``day``, in UTC."""
    ends_on = day if quiet_to > quiet_from else day + _DAY
    return (
        _moment(dt.datetime.combine(day, quiet_from, tzinfo=zone_of(time_zone)), last=False),
        _moment(dt.datetime.combine(ends_on, quiet_to, tzinfo=zone_of(time_zone)), last=True),
    )


def _moment(shown: dt.datetime, *, last: bool) -> dt.datetime:
    """When clocks show ``shown``, the first or the last time; where they never do, when they jump over it."""
    first_time = shown.replace(fold=0).astimezone(dt.UTC)
    last_time = shown.replace(fold=1).astimezone(dt.UTC)
    if first_time <= last_time:
        return last_time if last else first_time
    return _jump_between(last_time, first_time, shown.tzinfo)


def _jump_between(before: dt.datetime, after: dt.datetime, zone: dt.tzinfo | None) -> dt.datetime:
    """The second at which the clocks of ``zone`` change, between two moments on either side of it."""
    offset = before.astimezone(zone).utcoffset()
    while after - before > dt.timedelta(seconds=1):
        middle = before + (after - before) // 2
        middle = middle.replace(microsecond=0)
        if middle <= before:
            break
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)
