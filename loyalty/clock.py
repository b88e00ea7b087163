"""The clock, read at the edges only (views, tasks, commands); everything below takes ``at``."""

import datetime as dt
import zoneinfo

UTC = dt.UTC


def now() -> dt.datetime:
    """The present moment, aware, in UTC."""
    return dt.datetime.now(tz=UTC)


def local_date(at: dt.datetime, time_zone: str) -> dt.date:
    """The calendar day that ``at`` falls on in the named IANA time zone."""
    return at.astimezone(zoneinfo.ZoneInfo(time_zone)).date()


def start_of_day(day: dt.date, time_zone: str) -> dt.datetime:
    """The first moment of a calendar day in a time zone, as UTC (days of clock changes have 23 or 25 hours)."""
    return dt.datetime.combine(day, dt.time.min, tzinfo=zoneinfo.ZoneInfo(time_zone)).astimezone(UTC)
