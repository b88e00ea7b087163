"""When points expire: pure arithmetic on an expiry policy. The expiry is the first moment at which they are gone."""

import calendar
import datetime as dt

from loyalty import clock
from rewards.models import ExpiryPolicy

Rounding = ExpiryPolicy.Rounding


def expires_at(
    *,
    earned_at: dt.datetime,
    months: int | None,
    days: int | None = None,
    rounding: str,
    time_zone: str,
) -> dt.datetime | None:
    """The moment (UTC) from which points earned at ``earned_at`` are gone; None when they never expire.

    ``months`` or ``days`` later by the calendar of ``time_zone``, then to the end of that day, month or year: points
    of 21 November 2026 with 24 months and month end are good through 30 November 2028.
    """
    if months is None and days is None:
        return None
    day = clock.local_date(earned_at, time_zone)
    day = add_months(day, months) if months is not None else day + dt.timedelta(days=days or 0)
    return clock.start_of_day(_day_after(day, rounding), time_zone)


def add_months(day: dt.date, months: int) -> dt.date:
    """The same day ``months`` later, or the last of a shorter month."""
    years, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month + 1
    return dt.date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def _day_after(day: dt.date, rounding: str) -> dt.date:
    if rounding == Rounding.YEAR_END:
        return dt.date(day.year + 1, 1, 1)
    if rounding == Rounding.MONTH_END:
        return add_months(day.replace(day=1), 1)
    return day + dt.timedelta(days=1)
