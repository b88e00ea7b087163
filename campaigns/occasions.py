"""Whose day it is: a member's birthday in their own time zone, and what is due for it.

Pure decisions: facts in, a decision out, no database. The day on which a member joined comes round each year as a
birthday does. ``campaigns.birthdays`` loads the facts and has decided what is due.
"""

import calendar
import datetime as dt
import enum
from collections.abc import Iterator
from dataclasses import dataclass

from loyalty import clock

GIFT_INTERVAL = dt.timedelta(days=300)
"""No second birthday gift within this time, however often the birthday or the time zone is changed."""

LONGEST_LOOK_BACK = 300
"""Days; less than a year, so that at most one birthday lies in it."""

BIRTHDAY, ANNIVERSARY = "birthday", "anniversary"

_EARLIEST_ZONE, _LATEST_ZONE = dt.timezone(dt.timedelta(hours=-12)), dt.timezone(dt.timedelta(hours=14))


class Verdict(enum.Enum):
    GREET = "greet"
    TOO_LATE = "too late"
    GIVEN_RECENTLY = "given recently"


@dataclass(frozen=True, slots=True)
class Birthday:
    """What there is to know of one member: ``gift_at`` is when they last got this campaign's gift."""

    birth_date: dt.date
    time_zone: str
    joined_at: dt.datetime
    gift_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """``day`` is the birthday that the verdict is about, on the member's own calendar."""

    day: dt.date
    verdict: Verdict

    @property
    def occasion(self) -> str:
        return occasion_of(BIRTHDAY, self.day.year)


def occasion_of(kind: str, year: int) -> str:
    """The key under which a member has at most one message a year: "birthday:2026", "anniversary:2026"."""
    return f"{kind}:{year}"


def joining_day(joined_at: dt.datetime, time_zone: str) -> dt.date:
    """The day whose anniversaries are kept, on the member's own calendar."""
    return clock.local_date(joined_at, time_zone)


class LeapDay(enum.Enum):
    """The day, as (month, day), on which 29 February is kept in common years."""

    BEFORE = (2, 28)
    AFTER = (3, 1)


def birthday_in(birth_date: dt.date, year: int, leap_day: LeapDay = LeapDay.BEFORE) -> dt.date:
    """The day on which the birthday is kept in ``year``: 29 February as ``leap_day`` says in common years."""
    if (birth_date.month, birth_date.day) == (2, 29) and not calendar.isleap(year):
        return dt.date(year, *leap_day.value)
    return birth_date.replace(year=year)


def latest_birthday(
    birth_date: dt.date, today: dt.date, leap_day: LeapDay = LeapDay.BEFORE
) -> dt.date | None:
    """The last birthday kept on or before ``today``; none before the first one, a year after birth."""
    this_year = birthday_in(birth_date, today.year, leap_day)
    day = this_year if this_year <= today else birthday_in(birth_date, today.year - 1, leap_day)
    return day if day.year > birth_date.year else None


def due_birthday(
    facts: Birthday,
    *,
    at: dt.datetime,
    look_back_days: int,
    looked_at: dt.datetime | None,
    leap_day: LeapDay = LeapDay.BEFORE,
) -> Decision | None:
    """What to do for one member at the moment ``at``; None when no birthday is unsettled.

    A birthday is open on the member's own day and ``look_back_days`` after it. One that is over, but was open or still
    to come when birthdays were last looked for at ``looked_at``, was missed: it is settled as too late. Whoever joined
    after the day has missed nothing.
    """

    def days_since(day: dt.date, moment: dt.datetime) -> int:
        return (clock.local_date(moment, facts.time_zone) - day).days

    day = latest_birthday(facts.birth_date, clock.local_date(at, facts.time_zone), leap_day)
    if day is None or days_since(day, facts.joined_at) > 0:
        return None
    is_open = days_since(day, at) <= look_back_days
    if not is_open and (looked_at is None or days_since(day, looked_at) > look_back_days):
        return None
    if facts.gift_at is not None and at - facts.gift_at < GIFT_INTERVAL:
        return Decision(day, Verdict.GIVEN_RECENTLY)
    return Decision(day, Verdict.GREET if is_open else Verdict.TOO_LATE)


def unsettled_days(*, look_back_days: int, looked_at: dt.datetime | None, at: dt.datetime) -> int:
    """How many days back there may be unsettled birthdays: the look-back, and the time since the last look."""
    if looked_at is None:
        return look_back_days
    return min(LONGEST_LOOK_BACK, look_back_days + 1 + max(0, (at - looked_at).days))


def candidate_days(
    *, at: dt.datetime, days_back: int, leap_day: LeapDay = LeapDay.BEFORE
) -> Iterator[tuple[int, int, int]]:
    """The (month, day, year) of every birth date that may be open at ``at`` somewhere on earth, year of the birthday.

    From the earliest calendar day now lived anywhere less ``days_back`` to the latest; each pair of month and day
    comes once, as the span is shorter than a year.
    """
    day, last = (
        at.astimezone(_EARLIEST_ZONE).date() - dt.timedelta(days_back),
        at.astimezone(_LATEST_ZONE).date(),
    )
    while day <= last:
        yield day.month, day.day, day.year
        if (day.month, day.day) == leap_day.value and not calendar.isleap(day.year):
            yield 2, 29, day.year
        day += dt.timedelta(days=1)


def joining_spans(
    *, at: dt.datetime, days_back: int, since: dt.datetime
) -> list[tuple[dt.datetime, dt.datetime]]:
    """Within which times members joined whose anniversary may be open at ``at`` somewhere on earth, since the first.

    A day wider on either side than need be, for 29 February; ``due_birthday`` decides.
    """
    margin = dt.timedelta(days=2)
    first = at - margin - dt.timedelta(days=days_back)
    spans = []
    for years in range(1, at.year - since.year + 1):
        start, end = (_years_before(moment, years) for moment in (first, at + margin))
        spans.append((start, end))
    return spans


def _years_before(moment: dt.datetime, years: int) -> dt.datetime:
    try:
        return moment.replace(year=moment.year - years)
    except ValueError:
        return moment.replace(year=moment.year - years, day=28)
