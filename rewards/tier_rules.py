"""How tiers are judged, as pure functions: facts in, a decision with its reason out. No database here.

Read by promotion at a purchase, the nightly review, the verification, previews of new terms and projections. The days
and years of these rules are those of the programme's time zone. An *amount* is what tiers are reached by: qualifying
points, money in the base currency or purchases. What was taken back counts off at the time of what it takes back,
so within a year the amount never falls as the year goes on.
"""

import bisect
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import TypeAlias

from loyalty import clock
from members.models import TierChange, TierHold
from rewards.models import TierTerms

Basis, Window, Keep, Downgrade = TierTerms.Basis, TierTerms.Window, TierTerms.Keep, TierTerms.Downgrade
Reason = TierChange.Reason

Amount: TypeAlias = int | Decimal
EVER = dt.datetime(1900, 1, 1, tzinfo=dt.UTC)
"""Before everything that members did."""
_TICK = dt.timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Level:
    """One tier under some terms: the amount it takes, and what it gives."""

    tier_id: int
    code: str
    names: dict[str, str]
    rank: int
    threshold: int
    multiplier: Decimal
    birthday_points: int | None = None
    benefits: tuple[dict[str, str], ...] = ()


@dataclass(frozen=True)
class TierRules:
    """Tier terms from ``valid_from`` on. ``levels`` by ascending threshold; the first takes nothing.

    ``window`` is the length of a rolling window; ``keep_length`` are days or years, as ``keep`` says.
    """

    valid_from: dt.datetime
    window: dt.timedelta
    levels: tuple[Level, ...]
    basis: str = Basis.POINTS
    window_kind: str = Window.ROLLING
    keep: str = Keep.NONE
    keep_length: int = 0
    downgrade: str = Downgrade.AT_ONCE
    grace_days: int = 0

    def due(self, amount: Amount) -> Level:
        """The level that an amount gives."""
        return self.levels[
            bisect.bisect_right([level.threshold for level in self.levels], max(amount, 0)) - 1
        ]

    def after(self, level: Level) -> Level | None:
        """The next level up, None at the top."""
        return next((other for other in self.levels if other.threshold > level.threshold), None)

    def below(self, level: Level) -> Level:
        """The next level down; the lowest itself at the bottom."""
        return next(
            (other for other in reversed(self.levels) if other.threshold < level.threshold), self.levels[0]
        )

    def level_of(self, tier_id: int) -> Level:
        """The level of a tier; the lowest for a tier these terms do not know."""
        return self.known(tier_id) or self.levels[0]

    def known(self, tier_id: int) -> Level | None:
        """The level of a tier, None for one that these terms do not offer."""
        return next((level for level in self.levels if level.tier_id == tier_id), None)

    @property
    def asks_for_joining(self) -> bool:
        """Whether membership years matter, so that the day of joining has to be known."""
        return Window.MEMBERSHIP_YEAR in (self.window_kind, self.keep)


# --- What has to be summed --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time: after ``since``, up to and including ``until`` (None: without end)."""

    since: dt.datetime
    until: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Look:
    """What to sum to know the amount that counts at a moment.

    Without ``slide`` the amount is the highest of the sums over ``spans``. With it, there is one span, and the amount
    is the highest sum over any window of the length ``slide`` that ends within that span.
    """

    spans: tuple[Span, ...]
    slide: dt.timedelta | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that counts, at its time."""

    at: dt.datetime
    value: Amount


@dataclass(frozen=True, slots=True)
class Calendar:
    """The programme's time zone and the day on which a member joined."""

    time_zone: str
    joined_at: dt.datetime | None = None

    def day(self, at: dt.datetime) -> dt.date:
        return clock.local_date(at, self.time_zone)

    def start_of(self, day: dt.date) -> dt.datetime:
        return _start_of_day(day, self.time_zone)

    def year_of(self, day: dt.date, *, membership: bool) -> dt.date:
        """The first day of the calendar or membership year that a day lies in."""
        if not membership or self.joined_at is None:
            return day.replace(month=1, day=1)
        joined = self.day(self.joined_at)
        this = _anniversary(joined, day.year)
        return this if this <= day else _anniversary(joined, day.year - 1)

    def shifted(self, first: dt.date, years: int, *, membership: bool) -> dt.date:
        """The first day of the year so many years after the one that begins on ``first``."""
        if not membership or self.joined_at is None:
            return first.replace(year=first.year + years)
        return _anniversary(self.day(self.joined_at), first.year + years)


@lru_cache(maxsize=8192)
def _start_of_day(day: dt.date, time_zone: str) -> dt.datetime:
    return clock.start_of_day(day, time_zone)


def _anniversary(joined: dt.date, year: int) -> dt.date:
    """The day of a year on which a membership year begins; one of 29 February begins on the 28th in common years."""
    try:
        return joined.replace(year=year)
    except ValueError:
        return dt.date(year, 2, 28)


def look(rules: TierRules, at: dt.datetime, calendar: Calendar, *, open_end: bool = False) -> Look:
    """What to sum for the amount that counts at ``at``: now, or at any moment from which a tier would still be kept.

    ``open_end``: what the tills date into the future counts already, as at promotion and review.
    """
    first = kept_from(rules, at, calendar)
    until = None if open_end else at
    if rules.window_kind == Window.LIFETIME:
        return Look((Span(EVER, until),))
    if rules.window_kind == Window.ROLLING:
        if first >= at:
            return Look((Span(at - rules.window, until),))
        return Look((Span(first, until),), slide=rules.window)
    membership = rules.window_kind == Window.MEMBERSHIP_YEAR
    spans = []
    year, last = (calendar.year_of(calendar.day(each), membership=membership) for each in (first, at))
    while year <= last:
        following = calendar.shifted(year, 1, membership=membership)
        end = calendar.start_of(following) - _TICK if year < last else until
        spans.append(Span(calendar.start_of(year) - _TICK, end))
        year = following
    return Look(tuple(spans))


def kept_from(rules: TierRules, at: dt.datetime, calendar: Calendar) -> dt.datetime:
    """The earliest moment such that a tier earned then is still kept at ``at``; ``at`` itself without such a rule."""
    today, found = calendar.day(at), at
    if rules.keep == Keep.DAYS:
        found = calendar.start_of(today - dt.timedelta(days=rules.keep_length))
    elif rules.keep in (Keep.CALENDAR_YEAR, Keep.MEMBERSHIP_YEAR):
        membership = rules.keep == Keep.MEMBERSHIP_YEAR
        year = calendar.year_of(today, membership=membership)
        found = calendar.start_of(calendar.shifted(year, -rules.keep_length, membership=membership))
    if rules.downgrade == Downgrade.PERIOD_END:
        membership = Window.MEMBERSHIP_YEAR in (rules.window_kind, rules.keep)
        day = today - dt.timedelta(days=rules.grace_days)
        found = min(found, calendar.start_of(calendar.year_of(day, membership=membership)) - _TICK)
    return found


def kept_until(rules: TierRules, since: dt.datetime, calendar: Calendar) -> dt.datetime:
    """Until when the keep rule keeps a tier that was given at ``since`` (``since`` itself without such a rule)."""
    day = calendar.day(since)
    if rules.keep == Keep.DAYS:
        return calendar.start_of(day + dt.timedelta(days=rules.keep_length + 1))
    if rules.keep in (Keep.CALENDAR_YEAR, Keep.MEMBERSHIP_YEAR):
        membership = rules.keep == Keep.MEMBERSHIP_YEAR
        year = calendar.year_of(day, membership=membership)
        return calendar.start_of(calendar.shifted(year, rules.keep_length + 1, membership=membership))
    return since


def highest(look: Look, entries: Sequence[Entry]) -> Amount:
    """The amount that counts, from the entries themselves (those outside the look do no harm)."""
    (*_, last) = look.spans
    ordered = sorted(entries, key=lambda entry: entry.at)
    times = [entry.at for entry in ordered]
    sums: list[Amount] = [0]
    for entry in ordered:
        sums.append(sums[-1] + entry.value)

    def total(since: dt.datetime, until: dt.datetime | None) -> Amount:
        end = len(times) if until is None else bisect.bisect_right(times, until)
        return sums[end] - sums[min(bisect.bisect_right(times, since), end)]

    if look.slide is None:
        return max(total(span.since, span.until) for span in look.spans)
    ends = [last.since, *(at for at in times if last.since < at and (last.until is None or at <= last.until))]
    return max(total(end - look.slide, end) for end in ends)


# --- The decision -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hold:
    """A tier set by hand that is in force: at least (floor) or exactly (lock) this tier."""

    tier_id: int
    kind: str
    set_at: dt.datetime
    hold_id: int = 0

    @property
    def locks(self) -> bool:
        return self.kind == TierHold.Kind.LOCK


@dataclass(frozen=True, slots=True)
class Held:
    """The tier a member has, the hold on it, and when a step down last gave it (None: no step did)."""

    tier_id: int
    hold: Hold | None = None
    stepped_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The tier from now on, and why it changes (or stays as it is)."""

    level: Level
    reason: str
    changed: bool


def decide(rules: TierRules, held: Held, amount: Amount, *, at: dt.datetime, calendar: Calendar) -> Decision:
    """What the amount that counts makes of the tier held: up, down or no change. Holds by staff go before everything.

    A tier that the terms no longer offer is left for the one that the amount gives; a hold on it holds nothing.
    """
    due, reason = rules.due(amount), str(Reason.REVIEWED)
    mine = rules.known(held.tier_id)
    forced = rules.known(held.hold.tier_id) if held.hold else None
    if forced is not None and held.hold is not None:
        if held.hold.locks:
            return Decision(forced, Reason.BY_HAND, held.tier_id != forced.tier_id)
        if due.threshold <= forced.threshold:
            due, reason = forced, str(Reason.BY_HAND)
    if mine is None:
        return Decision(due, Reason.TERMS, changed=True)
    if due.threshold >= mine.threshold:
        return Decision(due, reason, due.tier_id != mine.tier_id)
    return _down(rules, mine, due, held.stepped_at, at=at, calendar=calendar)


def _down(
    rules: TierRules,
    mine: Level,
    due: Level,
    stepped_at: dt.datetime | None,
    *,
    at: dt.datetime,
    calendar: Calendar,
) -> Decision:
    """How a tier falls whose amount is no longer enough."""
    if rules.downgrade == Downgrade.NEVER:
        return Decision(mine, Reason.REVIEWED, changed=False)
    if rules.downgrade == Downgrade.ONE_STEP:
        if stepped_at is not None and kept_until(rules, stepped_at, calendar) > at:
            return Decision(mine, Reason.STEPPED, changed=False)
        return Decision(rules.below(mine), Reason.STEPPED, changed=True)
    ends = rules.downgrade == Downgrade.PERIOD_END
    return Decision(due, Reason.PERIOD_END if ends else Reason.REVIEWED, changed=True)
