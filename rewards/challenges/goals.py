"""What a challenge asks for, and what came of it. Pure: contributions in, rounds with the steps reached out.

The outcome depends on what was done when, never on the order in which it was heard of: contributions are taken in the
order in which they happened, so that late ones, refunds and replays lead to the same rounds. Called by ``progress``.
"""

import datetime as dt
import zoneinfo
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal

from loyalty import clock
from rewards.models import Challenge

Measure, Window, Recurs = Challenge.Measure, Challenge.Window, Challenge.Recurs

OF_LINES = frozenset({Measure.QUANTITY, Measure.CATEGORIES, Measure.DEPARTMENTS})
"""Measures that look at the products bought."""

DISTINCT = frozenset({Measure.CATEGORIES, Measure.DEPARTMENTS, Measure.STORES})
STREAKS = {Measure.STREAK_DAYS: 1, Measure.STREAK_WEEKS: 7}
"""Measures of a row without gaps, with the days from one link of it to the next."""

SCHEDULED = frozenset({Recurs.WEEKLY, Recurs.MONTHLY})
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Target:
    """A step of the challenge and what it takes."""

    step_id: int
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """The terms by which rounds are made. ``targets`` ascend; reaching the last one completes the round."""

    measure: str
    window: str
    recurs: str
    starts_at: dt.datetime
    ends_at: dt.datetime | None
    days: int | None = None
    grace: int = 0
    by_choice: bool = True
    targets: tuple[Target, ...] = ()

    def covers(self, at: dt.datetime) -> bool:
        """Whether something done at that moment can count at all."""
        return self.starts_at <= at and (self.ends_at is None or at < self.ends_at)


@dataclass(frozen=True, slots=True)
class Piece:
    """What one activity contributes, net of refunds. ``keys`` are the different things it stands for (see `pieces`)."""

    activity_id: int
    occurred_at: dt.datetime
    amount: Decimal
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TakingPart:
    """A member's part in a challenge: since when, until when (None: still), and by which calendar."""

    joined_at: dt.datetime
    left_at: dt.datetime | None
    time_zone: str


@dataclass(frozen=True, slots=True)
class Lap:
    """A round as it should stand. ``reached`` are the steps with the moment each was reached, in their order."""

    number: int
    starts_at: dt.datetime
    ends_at: dt.datetime | None
    pieces: tuple[Piece, ...] = ()
    progress: Decimal = Decimal(0)
    reached: tuple[tuple[int, dt.datetime], ...] = ()
    completed_at: dt.datetime | None = None


NEARLY = Decimal("0.8")
"""The share of the last target from which on a round is nearly done; where one is missing, it always is."""


def is_nearly_done(goal: Goal, lap: Lap, *, before: Decimal, at: dt.datetime) -> bool:
    """Whether the round has come close to its last target with this change, and can still be completed."""
    if not goal.targets or lap.completed_at is not None or (lap.ends_at is not None and lap.ends_at <= at):
        return False
    target = goal.targets[-1].amount
    close = min(target * NEARLY, target - 1)
    return before < close <= lap.progress


def laps(
    goal: Goal, pieces: Iterable[Piece], taking: TakingPart, *, numbers: Collection[int] | None = None
) -> list[Lap]:
    """The rounds that a member's contributions make.

    Where rounds follow the calendar, ``numbers`` may name those of interest: each depends on its own pieces only. A
    round that nothing counts towards yet is among them where it has begun for the member (joined in, or following a
    completed one).
    """
    counted = sorted(
        (piece for piece in pieces if _is_counted(goal, piece, taking)),
        key=lambda piece: (piece.occurred_at, piece.activity_id),
    )
    if goal.recurs in SCHEDULED:
        return _by_calendar(goal, counted, taking, numbers)
    return _in_turn(goal, counted, taking)


def _is_counted(goal: Goal, piece: Piece, taking: TakingPart) -> bool:
    return (
        goal.covers(piece.occurred_at)
        and (taking.left_at is None or piece.occurred_at < taking.left_at)
        and counts_from(goal, taking) <= piece.occurred_at
    )


def counts_from(goal: Goal, taking: TakingPart) -> dt.datetime:
    """From when on what the member does counts.

    Within one fixed window all of it does, also what was done before joining in; a repeated one begins with the period
    joined in.
    """
    if not goal.by_choice:
        return goal.starts_at
    if goal.window == Window.FROM_JOINING:
        return max(taking.joined_at, goal.starts_at)
    if goal.recurs in SCHEDULED:
        return period(goal, number_at(goal, taking.joined_at, taking.time_zone), taking.time_zone)[0]
    return goal.starts_at


# --- Rounds by the calendar ---------------------------------------------------------------------------------------


def number_at(goal: Goal, at: dt.datetime, time_zone: str) -> int:
    """Which calendar week or month of the challenge a moment lies in, 1 for the one that it starts in."""
    first, day = (clock.local_date(moment, time_zone) for moment in (goal.starts_at, max(at, goal.starts_at)))
    if goal.recurs == Recurs.WEEKLY:
        return (monday(day) - monday(first)).days // 7 + 1
    return (day.year - first.year) * 12 + day.month - first.month + 1


def period(goal: Goal, number: int, time_zone: str) -> tuple[dt.datetime, dt.datetime]:
    """From when until when a round by the calendar is, within the challenge's own time."""
    first = clock.local_date(goal.starts_at, time_zone)
    if goal.recurs == Recurs.WEEKLY:
        begins = monday(first) + dt.timedelta(weeks=number - 1)
        ends = begins + dt.timedelta(weeks=1)
    else:
        begins = _month(first, number - 1)
        ends = _month(first, number)
    start, end = (clock.start_of_day(day, time_zone) for day in (begins, ends))
    return max(start, goal.starts_at), min(end, goal.ends_at) if goal.ends_at else end


def monday(day: dt.date) -> dt.date:
    """The first day of the week."""
    return day - dt.timedelta(days=day.weekday())


def _month(day: dt.date, later: int) -> dt.date:
    months = day.year * 12 + day.month - 1 + later
    return dt.date(months // 12, months % 12 + 1, 1)


def _by_calendar(
    goal: Goal, pieces: Sequence[Piece], taking: TakingPart, numbers: Collection[int] | None
) -> list[Lap]:
    found: dict[int, list[Piece]] = defaultdict(list)
    for piece in pieces:
        found[number_at(goal, piece.occurred_at, taking.time_zone)].append(piece)
    wanted = sorted(found if numbers is None else set(found) & set(numbers))
    return [_lap(goal, number, *period(goal, number, taking.time_zone), found[number]) for number in wanted]


# --- Rounds one after the other -----------------------------------------------------------------------------------


def _in_turn(goal: Goal, pieces: Sequence[Piece], taking: TakingPart) -> list[Lap]:
    found: list[Lap] = []
    rest, begins = list(pieces), counts_from(goal, taking)
    while True:
        if goal.window == Window.FROM_JOINING and not goal.by_choice:
            if not rest:
                return found
            begins = rest[0].occurred_at
        ends = _end(goal, begins, taking.time_zone)
        if found and ends is not None and ends <= begins:
            return found
        lap = _lap(goal, len(found) + 1, begins, ends, [piece for piece in rest if _before(piece, ends)])
        if goal.by_choice or lap.pieces:
            found.append(lap)
        if goal.recurs != Recurs.ON_COMPLETION or lap.completed_at is None:
            return found
        rest, begins = rest[len(lap.pieces) :], lap.completed_at


def follows_deeds(goal: Goal) -> bool:
    """Whether a round begins where a first deed was done, or where the round before was completed."""
    return goal.window == Window.FROM_JOINING and (not goal.by_choice or goal.recurs == Recurs.ON_COMPLETION)


def _before(piece: Piece, end: dt.datetime | None) -> bool:
    return end is None or piece.occurred_at < end


def _end(goal: Goal, begins: dt.datetime, time_zone: str) -> dt.datetime | None:
    """The end of a round that begins then: for one of some days, the midnight after so many whole days."""
    if goal.window != Window.FROM_JOINING or goal.days is None:
        return goal.ends_at
    last = clock.local_date(begins, time_zone) + dt.timedelta(days=goal.days)
    end = clock.start_of_day(last + dt.timedelta(days=1), time_zone)
    return min(end, goal.ends_at) if goal.ends_at else end


# --- One round ----------------------------------------------------------------------------------------------------


def _lap(
    goal: Goal, number: int, starts_at: dt.datetime, ends_at: dt.datetime | None, pieces: Sequence[Piece]
) -> Lap:
    """Take the pieces one after the other and note when each step is reached.

    A round that begins anew when completed takes no more than completes it.
    """
    tally, reached, taken = Tally(goal.measure, goal.grace), list[tuple[int, dt.datetime]](), 0
    waiting = list(goal.targets)
    for piece in pieces:
        if not waiting and goal.recurs == Recurs.ON_COMPLETION and goal.targets:
            break
        taken += 1
        value = tally.add(piece)
        while waiting and value >= waiting[0].amount:
            reached.append((waiting.pop(0).step_id, piece.occurred_at))
    return Lap(
        number=number,
        starts_at=starts_at,
        ends_at=ends_at,
        pieces=tuple(pieces[:taken]),
        progress=tally.value.quantize(_CENT, ROUND_DOWN),
        reached=tuple(reached),
        completed_at=reached[-1][1] if goal.targets and not waiting else None,
    )


@dataclass(slots=True)
class Tally:
    """Adds contributions up as the measure says. It never falls while contributions are added."""

    measure: str
    grace: int = 0
    value: Decimal = Decimal(0)
    _keys: set[str] = field(default_factory=set)

    def add(self, piece: Piece) -> Decimal:
        """The value with this piece too."""
        if self.measure in DISTINCT:
            self._keys.update(piece.keys)
            self.value = Decimal(len(self._keys))
        elif self.measure in STREAKS:
            if not self._keys.issuperset(piece.keys):
                self._keys.update(piece.keys)
                days = [dt.date.fromisoformat(key) for key in self._keys]
                self.value = Decimal(longest(days, every=STREAKS[Measure(self.measure)], grace=self.grace))
        else:
            self.value += piece.amount
        return self.value


def longest(days: Iterable[dt.date], *, every: int, grace: int) -> int:
    """How many of the days are in the longest row, one link each ``every`` days, of which ``grace`` may be missed.

    Missed links do not break the row, nor do they count.
    """
    links = sorted({(day.toordinal() - 1) // every for day in days})  # 1 January of year 1 was a Monday
    best = first = 0
    for last in range(len(links)):
        while links[last] - links[first] - (last - first) > grace:
            first += 1
        best = max(best, last - first + 1)
    return best


def day_key(measure: str, at: dt.datetime, time_zone: str) -> str:
    """The link of a streak that a moment belongs to: its day, or the Monday of its week, by the member's calendar."""
    day = at.astimezone(zoneinfo.ZoneInfo(time_zone)).date()
    return (monday(day) if measure == Measure.STREAK_WEEKS else day).isoformat()
