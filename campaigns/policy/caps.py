"""How many messages a member may get in a day, a week and a month of their own calendar. Pure.

What counts is what goes out, or has gone out, by any way but the portal's inbox; the moment is that of ``due_at``.
"""

import datetime as dt
import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class Window(enum.IntEnum):
    """A stretch of the calendar, narrow before wide."""

    DAY = 0
    WEEK = 1
    MONTH = 2


SPAN = {Window.DAY: dt.timedelta(1), Window.WEEK: dt.timedelta(7), Window.MONTH: dt.timedelta(31)}
"""How far two days of one window can lie apart, at most."""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many in one window, by one channel or (None) by all of them together."""

    window: Window
    most: int
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """A message that counts: its day on the member's calendar, and whether it could still give way (``is_due``)."""

    day: dt.date
    channel: str
    priority: int
    message_id: int = 0
    is_due: bool = False


def limits_of(
    *, per_day: int | None, per_week: int | None, per_month: int | None, channel: str | None = None
) -> tuple[Limit, ...]:
    """The limits that are set, narrow before wide."""
    most = {Window.DAY: per_day, Window.WEEK: per_week, Window.MONTH: per_month}
    return tuple(Limit(window, number, channel) for window, number in most.items() if number is not None)


def narrow_first(limits: Iterable[Limit]) -> tuple[Limit, ...]:
    """In the order in which room is made: what makes room in a narrow limit makes it in the wider ones too."""
    return tuple(sorted(limits, key=lambda limit: (limit.window, limit.channel is None)))


def widest(limits: Iterable[Limit]) -> dt.timedelta:
    """How far from its own day the messages lie that one may share a window with."""
    return max((SPAN[limit.window] for limit in limits), default=dt.timedelta(0))


def room_for(
    day: dt.date, *, priority: int, limits: Sequence[Limit], counted: Sequence[Counted]
) -> tuple[Counted, ...] | None:
    """Whom a message on ``day`` displaces: nobody where there is room, None where there is none to be made.

    ``limits`` are those that hold for its channel, narrow first. Only messages not yet on their way, of a lower
    priority, give way: the least important first, of equals the one due last. None of them does unless that is
    enough.
    """
    displaced: list[Counted] = []
    for limit in limits:
        if len(counted) < limit.most:
            continue
        taken = [each for each in counted if _falls_under(limit, day, each) and each not in displaced]
        too_many = len(taken) + 1 - limit.most
        if too_many <= 0:
            continue
        may_go = [each for each in taken if each.is_due and each.priority < priority]
        if len(may_go) < too_many:
            return None
        may_go.sort(key=lambda each: (each.priority, -each.day.toordinal(), -each.message_id))
        displaced += may_go[:too_many]
    return tuple(displaced)


def _falls_under(limit: Limit, day: dt.date, each: Counted) -> bool:
    return (limit.channel is None or limit.channel == each.channel) and _in_one(limit.window, day, each.day)


def _in_one(window: Window, day: dt.date, other: dt.date) -> bool:
    if window == Window.DAY:
        return day == other
    if window == Window.WEEK:  # day 1 of the calendar was a Monday
        return (day.toordinal() - 1) // 7 == (other.toordinal() - 1) // 7
    return (day.year, day.month) == (other.year, other.month)
