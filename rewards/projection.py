"""Where a member's tier is heading: what the next review makes of it, until when it lasts, when the next is due.

Reads one member's entries in one statement and judges days to come by the same pure rules as the review. Called by the
portal, the API and the admin; nothing is written.
"""

import datetime as dt
from dataclasses import dataclass

from members.models import Member, TierHold
from rewards import terms, tier_holds, tier_sums
from rewards.terms import Level, Terms
from rewards.tier_rules import (
    EVER,
    Amount,
    Calendar,
    Decision,
    Downgrade,
    Entry,
    Held,
    Hold,
    Look,
    Reason,
    Span,
    TierRules,
    Window,
    decide,
    highest,
    look,
)

PACE_DAYS = 90
LOOK_AHEAD_DAYS = 730
SHORTEST_PACE_DAYS = 14
"""Of somebody who joined yesterday, one purchase is not yet a daily habit."""


@dataclass(frozen=True, slots=True)
class Projection:
    """Where the tier is heading if things go on as they did.

    ``amount`` is what is in the window today, ``counts`` what counts (more where an earlier tier is still kept), and
    ``pace`` the amount a day over the last 90 days. ``next_on`` is the day on which the next tier is reached at this
    pace, None without one or beyond two years. ``after_review`` is what the next review makes of the member if nothing
    happens before; ``lasts_until`` the last day on which the present tier is safe then (None: no end in sight), and
    ``falls_to`` what follows it.
    """

    amount: Amount
    counts: Amount
    pace: float
    next_on: dt.date | None
    reviewed_at: dt.datetime
    after_review: Level
    lasts_until: dt.date | None
    falls_to: Level | None
    hold: TierHold | None


@dataclass(frozen=True)
class Course:
    """A member's entries and the rules they are judged by, ready to be asked about days to come."""

    rules: TierRules
    calendar: Calendar
    entries: tuple[Entry, ...]
    held: Held
    hold_until: dt.datetime | None = None

    def amount(self, at: dt.datetime) -> Amount:
        """What counts at a moment if nothing happens before."""
        return highest(look(self.rules, at, self.calendar), self.entries)

    def within_window(self, at: dt.datetime) -> Amount:
        """What is in the window that ends at a moment, of what there is today."""
        start = self.window_start(at)
        return sum(entry.value for entry in self.entries if start < entry.at <= at)

    def at_pace(self, at: dt.datetime, pace: float, since: dt.datetime) -> float:
        """The amount in the window that ends at a moment if the member goes on at ``pace`` from ``since``."""
        days = (at - max(since, self.window_start(at))) / dt.timedelta(days=1)
        return float(self.within_window(at)) + pace * max(0.0, days)

    def window_start(self, at: dt.datetime) -> dt.datetime:
        """The moment after which things count in the window that ends at ``at``."""
        if self.rules.window_kind == Window.LIFETIME:
            return EVER
        if self.rules.window_kind == Window.ROLLING:
            return at - self.rules.window
        membership = self.rules.window_kind == Window.MEMBERSHIP_YEAR
        first = self.calendar.year_of(self.calendar.day(at), membership=membership)
        return self.calendar.start_of(first) - dt.timedelta(microseconds=1)

    def judged(self, at: dt.datetime) -> Decision:
        """What a review at a moment makes of the tier held now if nothing happens before."""
        expired = self.hold_until is not None and self.hold_until <= at
        held = Held(self.held.tier_id, None, self.held.stepped_at) if expired else self.held
        return decide(self.rules, held, self.amount(at), at=at, calendar=self.calendar)


def project(member: Member, *, at: dt.datetime) -> Projection:
    """Where the member's tier is heading, as of ``at``."""
    known = terms.current()
    course, hold = _course(member, known, at=at)
    rules, calendar = course.rules, course.calendar
    mine = rules.level_of(member.tier_id)
    amount = course.amount(at)
    within = course.within_window(at)
    pace = _pace(course, member, at)
    tonight = calendar.start_of(calendar.day(at) + dt.timedelta(days=1))
    falls_on = _falls_on(course, mine, at)
    return Projection(
        amount=within,
        counts=amount,
        pace=pace,
        next_on=_next_on(course, mine, pace, at),
        reviewed_at=tonight,
        after_review=course.judged(tonight).level,
        lasts_until=falls_on - dt.timedelta(days=1) if falls_on else None,
        falls_to=course.judged(calendar.start_of(falls_on)).level if falls_on else None,
        hold=hold,
    )


def _course(member: Member, known: Terms, *, at: dt.datetime) -> tuple[Course, TierHold | None]:
    rules = known.tiers_at(at)
    hold = tier_holds.hold_of(member.pk, at=at)
    calendar = Calendar(known.time_zone, member.joined_at)
    reach = look(rules, at, calendar)
    since = reach.spans[0].since - (reach.slide or dt.timedelta(0))
    pace_since = at - dt.timedelta(days=PACE_DAYS)
    asked = tier_sums.Ask(member.pk, rules.basis, Look((Span(min(since, pace_since), at),)))
    (entries,) = tier_sums.entries([asked], currency=known.base_currency)
    held = Held(
        member.tier_id,
        Hold(hold.tier_id, hold.kind, hold.set_at, hold.pk) if hold else None,
        _stepped_at(member) if rules.downgrade == Downgrade.ONE_STEP else None,
    )
    return Course(rules, calendar, tuple(entries), held, hold.until if hold else None), hold


def _stepped_at(member: Member) -> dt.datetime | None:
    last = member.tier_changes.order_by("-id").first()
    return last.changed_at if last is not None and last.reason == Reason.STEPPED else None


def _pace(course: Course, member: Member, at: dt.datetime) -> float:
    """The amount a day over the last 90 days, or since joining."""
    since = at - dt.timedelta(days=PACE_DAYS)
    days = min(PACE_DAYS, max(SHORTEST_PACE_DAYS, (at - member.joined_at).days))
    return float(sum(entry.value for entry in course.entries if entry.at > since)) / days


def _next_on(course: Course, mine: Level, pace: float, at: dt.datetime) -> dt.date | None:
    """The first day at whose end the pace has led to the next tier."""
    goal = course.rules.after(mine)
    locked = course.held.hold is not None and course.held.hold.locks
    if goal is None or pace <= 0 or (locked and course.hold_until is None):
        return None
    today = course.calendar.day(at)
    for ahead in range(LOOK_AHEAD_DAYS):
        day = today + dt.timedelta(days=ahead)
        end = course.calendar.start_of(day + dt.timedelta(days=1)) - dt.timedelta(microseconds=1)
        if locked and course.hold_until is not None and end < course.hold_until:
            continue
        if course.at_pace(end, pace, at) >= goal.threshold:
            return day
    return None


def _falls_on(course: Course, mine: Level, at: dt.datetime) -> dt.date | None:
    """The first day whose review takes the tier if nothing more happens. What counts only falls: halving finds it."""
    today = course.calendar.day(at)

    def falls(days: int) -> bool:
        moment = course.calendar.start_of(today + dt.timedelta(days=days))
        return course.judged(moment).level.threshold < mine.threshold

    low, high = 0, LOOK_AHEAD_DAYS
    if not falls(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if falls(middle) else (middle, high)
    return today + dt.timedelta(days=high)
