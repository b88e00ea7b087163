"""When a schedule falls due: every day, week, month or year at a time of the clock. Pure; no database.

A rhythm is kept as JSON: ``{"every": "week", "at": "09:00", "weekdays": [1, 4]}``, with ``interval`` (every second
week, counted from ``start``), ``day`` of the month (1 to 31, -1 for the last; shorter months keep it on their last
day) and ``month`` of the year. ``campaigns.schedules`` asks; staff's form reads and writes the JSON by ``parse``.
"""

import calendar
import datetime as dt
import zoneinfo
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.dates import MONTHS, WEEKDAYS
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loyalty.clock import UTC

EVERY = ("day", "week", "month", "year")
LAST = -1
LONGEST_INTERVAL = 52
_KEYS = {
    "day": frozenset({"every", "at", "interval", "start"}),
    "week": frozenset({"every", "at", "interval", "start", "weekdays"}),
    "month": frozenset({"every", "at", "interval", "start", "day"}),
    "year": frozenset({"every", "at", "interval", "start", "day", "month"}),
}


class RhythmError(ValueError):
    """The schedule cannot be read; the message says what is wrong and may be shown."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """``weekdays`` are ISO (1 is Monday); ``start`` is the day from which intervals are counted."""

    every: str
    at: dt.time
    weekdays: tuple[int, ...] = ()
    day: int = 1
    month: int = 1
    interval: int = 1
    start: dt.date | None = None

    def as_json(self) -> dict[str, Any]:
        """The canonical JSON, fit for the campaign's column."""
        kept: dict[str, Any] = {"every": self.every, "at": f"{self.at:%H:%M}"}
        if self.every == "week":
            kept["weekdays"] = list(self.weekdays)
        if self.every in {"month", "year"}:
            kept["day"] = self.day
        if self.every == "year":
            kept["month"] = self.month
        if self.interval > 1:
            kept["interval"] = self.interval
        if self.start is not None:
            kept["start"] = self.start.isoformat()
        return kept


@dataclass(frozen=True, slots=True)
class Due:
    """One date of the schedule, and the moment it comes to in a time zone (UTC)."""

    day: dt.date
    at: dt.datetime

    @property
    def occasion(self) -> str:
        """The key under which a member gets at most one message of the schedule."""
        return self.day.isoformat()


def parse(data: object) -> Rhythm:
    """Read a schedule's JSON; raises RhythmError."""
    if not isinstance(data, Mapping) or not data:
        raise RhythmError(_("Choose how often the campaign goes out."))
    every = data.get("every")
    if every not in EVERY:
        raise RhythmError(_("Choose one of: every day, week, month or year."))
    if unknown := set(data) - _KEYS[every]:
        raise RhythmError(_("“%s” has no meaning here.") % sorted(unknown)[0])
    start = _date(data.get("start"))
    interval = _whole(data.get("interval", 1), 1, LONGEST_INTERVAL, _("The interval"))
    if interval > 1 and start is None:
        raise RhythmError(_("Say from which day on the interval is counted."))
    month = _whole(data.get("month", 1), 1, 12, _("The month"))
    day = data.get("day", 1)
    if day != LAST:
        longest = 31 if every == "month" else calendar.monthrange(2028, month)[1]
        day = _whole(day, 1, longest, _("The day of the month"))
    weekdays = _weekdays(data.get("weekdays")) if every == "week" else ()
    return Rhythm(every, time_of(data.get("at")), weekdays, day, month, interval, start)


def time_of(value: object) -> dt.time:
    """A time of the clock from "09:00"; raises RhythmError."""
    try:
        return dt.datetime.strptime(str(value), "%H:%M").time()
    except ValueError:
        raise RhythmError(_("Give the time as hours and minutes, such as 09:00.")) from None


def _date(value: object) -> dt.date | None:
    if not value:
        return None
    try:
        return dt.date.fromisoformat(str(value))
    except ValueError:
        raise RhythmError(_("Give the first day as a date, such as 2026-11-22.")) from None


def _whole(value: object, least: int, most: int, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise RhythmError(
            _("%(what)s has to be a number from %(least)s to %(most)s.")
            % {"what": what, "least": least, "most": most}
        )
    return value


def _weekdays(value: object) -> tuple[int, ...]:
    if not isinstance(value, list) or not value:
        raise RhythmError(_("Choose at least one weekday."))
    return tuple(sorted({_whole(each, 1, 7, _("A weekday")) for each in value}))


def falls_on(rhythm: Rhythm, day: dt.date) -> bool:
    """Whether the schedule has this date."""
    if rhythm.start is not None and day < rhythm.start:
        return False
    match rhythm.every:
        case "week":
            hit = day.isoweekday() in rhythm.weekdays
        case "month":
            hit = day.day == _day_in(rhythm, day.year, day.month)
        case "year":
            hit = day.month == rhythm.month and day.day == _day_in(rhythm, day.year, day.month)
        case _:
            hit = True
    return hit and _steps(rhythm, day) % rhythm.interval == 0


def _day_in(rhythm: Rhythm, year: int, month: int) -> int:
    longest = calendar.monthrange(year, month)[1]
    return longest if rhythm.day == LAST else min(rhythm.day, longest)


def _steps(rhythm: Rhythm, day: dt.date) -> int:
    """How many days, weeks (from Monday), months or years lie between the start and the day."""
    start = rhythm.start
    if start is None or rhythm.interval == 1:
        return 0
    match rhythm.every:
        case "week":
            mondays = [each - dt.timedelta(days=each.weekday()) for each in (start, day)]
            return (mondays[1] - mondays[0]).days // 7
        case "month":
            return (day.year - start.year) * 12 + day.month - start.month
        case "year":
            return day.year - start.year
    return (day - start).days


def moment(rhythm: Rhythm, day: dt.date, time_zone: str) -> dt.datetime:
    """The moment of a date in a time zone, in UTC.

    A time that the clocks leap over comes as much later; one that they go through twice is the first of the two.
    """
    return dt.datetime.combine(day, rhythm.at, tzinfo=zoneinfo.ZoneInfo(time_zone)).astimezone(UTC)


def occasions(
    rhythm: Rhythm,
    *,
    time_zone: str,
    after: dt.datetime,
    until: dt.datetime,
    lead: dt.timedelta = dt.timedelta(),
) -> Iterator[Due]:
    """Every date whose moment, less ``lead``, lies after ``after`` and not after ``until``, in order."""
    day = (after + lead).astimezone(zoneinfo.ZoneInfo(time_zone)).date() - dt.timedelta(days=1)
    last = (until + lead).astimezone(zoneinfo.ZoneInfo(time_zone)).date() + dt.timedelta(days=1)
    while day <= last:
        if falls_on(rhythm, day) and after < (at := moment(rhythm, day, time_zone)) - lead <= until:
            yield Due(day, at)
        day += dt.timedelta(days=1)


def next_due(rhythm: Rhythm, *, time_zone: str, after: dt.datetime, years: int = 60) -> Due | None:
    """The first date whose moment lies after ``after``; None when none comes (within so many years)."""
    start = after.astimezone(zoneinfo.ZoneInfo(time_zone)).date() - dt.timedelta(days=1)
    if rhythm.start is not None:
        start = max(start, rhythm.start)
    for offset in range(years * 366):
        day = start + dt.timedelta(days=offset)
        if falls_on(rhythm, day) and (at := moment(rhythm, day, time_zone)) > after:
            return Due(day, at)
    return None


def sentence(rhythm: Rhythm) -> str:
    """The schedule in words, in the active language: "Every 2 weeks on Monday, Thursday at 09:00"."""
    count = rhythm.interval
    how_often = {
        "day": ngettext("Every day", "Every %(count)s days", count),
        "week": ngettext("Every week", "Every %(count)s weeks", count),
        "month": ngettext("Every month", "Every %(count)s months", count),
        "year": ngettext("Every year", "Every %(count)s years", count),
    }[rhythm.every] % {"count": count}
    if rhythm.every == "week":
        which = ", ".join(str(WEEKDAYS[day - 1]) for day in rhythm.weekdays)
    elif rhythm.every == "day":
        which = ""
    else:
        which = _("the last day") if rhythm.day == LAST else _("day %s") % rhythm.day
        if rhythm.every == "year":
            which = f"{MONTHS[rhythm.month]}, {which}"
    told = _("%(how_often)s at %(time)s") if not which else _("%(how_often)s (%(which)s) at %(time)s")
    return told % {"how_often": how_often, "which": which, "time": f"{rhythm.at:%H:%M}"}
