"""What rules have given already: caps per member and period, budgets, cooldowns, offers taken up, limits of kinds.

Read for a whole batch of activities in a constant number of statements, under the members' account locks; kept up to
date in memory while the batch is judged. Derived from the ledger, so a refund frees a cap again by itself.
"""

import datetime as dt
import functools
import zoneinfo
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from django.db import connection

from loyalty.prepared import array, fetch_prepared
from members.activities import NewActivity
from members.kinds import daily_limits
from rewards.case import Case
from rewards.models import RuleRevision
from rewards.rules import Allowances, Used, Verdict, with_allowance
from rewards.terms import Rule, Terms

Period = RuleRevision.Period
Span = tuple[dt.datetime, dt.datetime]

_START = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_END = dt.datetime(9999, 1, 1, tzinfo=dt.UTC)
_TICK = dt.timedelta(microseconds=1)
_EVER: Span = (_START, _END)


@functools.lru_cache(maxsize=1024)
def span_of(period: str, at: dt.datetime, time_zone: str) -> Span:
    """The calendar period around a moment, by the calendar of ``time_zone``: [start, end). Many rules ask for one."""
    if period == Period.EVER:
        return _EVER
    zone = zoneinfo.ZoneInfo(time_zone)
    day = at.astimezone(zone).date()
    first, after = _days_of(period, day)
    return (
        dt.datetime.combine(first, dt.time.min, tzinfo=zone).astimezone(dt.UTC),
        dt.datetime.combine(after, dt.time.min, tzinfo=zone).astimezone(dt.UTC),
    )


def _days_of(period: str, day: dt.date) -> tuple[dt.date, dt.date]:
    if period == Period.DAY:
        return day, day + dt.timedelta(days=1)
    if period == Period.WEEK:
        first = day - dt.timedelta(days=day.weekday())
        return first, first + dt.timedelta(days=7)
    if period == Period.MONTH:
        first = day.replace(day=1)
        return first, (first + dt.timedelta(days=32)).replace(day=1)
    return day.replace(month=1, day=1), day.replace(year=day.year + 1, month=1, day=1)


def reach_of(rule: Rule, moments: Sequence[dt.datetime], time_zone: str) -> Span:
    """The time over which a rule looks back and ahead at what it gave, to be judged at these moments: [start, end)."""
    start, end = min(moments), max(moments)
    span = (start, end + _TICK)
    if rule.cooldown_days:
        days = dt.timedelta(days=rule.cooldown_days)
        span = _both(span, (start - days, end + days))
    if rule.cap_per_member is not None:
        first, last = (span_of(rule.cap_period, moment, time_zone) for moment in (start, end))
        span = _both(_both(span, first), last)
    return span


def _both(one: Span, other: Span) -> Span:
    return min(one[0], other[0]), max(one[1], other[1])


class Usage(Allowances):
    """The allowances of a batch of activities, as the ledger has them."""

    limited: Collection[int] = frozenset()
    """Rules any of whose revisions asks for usage: what they give is remembered under every revision."""

    def __init__(
        self,
        terms: Terms,
        activities: Sequence[NewActivity],
        *,
        cases: Sequence[Case] | None = None,
        lock: bool = True,
    ) -> None:
        """Read all that the batch may ask. ``lock``: also lock the budgets, for a caller about to post.

        ``cases`` are the activities with their facts, the tier perhaps not known yet. With them only rules that may
        give something are read, and tills do not wait for each other over the budget of a rule about other purchases.
        """
        self.zone = terms.time_zone
        self.limited = terms.limited_rule_ids
        self.revisions: Mapping[int, Sequence[int]] = terms.revision_ids
        self._given: dict[tuple[int, int], list[tuple[dt.datetime, int]]] = defaultdict(list)
        self._budgets: dict[int, int] = {}
        self._activated: dict[tuple[int, int], dt.datetime] = {}
        self._kinds: dict[tuple[int, str], list[dt.datetime]] = defaultdict(list)
        self.spent: dict[int, int] = defaultdict(int)
        members = sorted({item.member_id for item in activities})
        moments = [item.occurred_at for item in activities]
        rules = _with_allowance(terms, activities, cases)
        self._read_given([rule for rule in rules if rule.asks_for_usage], members, moments)
        self._read_budgets([rule for rule in rules if rule.budget is not None], lock=lock)
        self._read_offers([rule for rule in rules if rule.needs_activation], members)
        self._limits = daily_limits()
        if any(item.kind in self._limits for item in activities):
            self._read_kinds(activities)

    def used(self, rule: Rule, activity: NewActivity) -> Used:
        given = self._given[activity.member_id, rule.rule_id]
        start, end = span_of(rule.cap_period, activity.occurred_at, self.zone)
        return Used(
            points=sum(points for at, points in given if start <= at < end),
            last_at=_nearest(activity.occurred_at, [at for at, points in given if points > 0]),
        )

    def budget_left(self, rule: Rule) -> int | None:
        if rule.budget is None:
            return None
        return rule.budget - self._budgets.get(rule.rule_id, 0) - self.spent[rule.rule_id]

    def activated(self, rule: Rule, activity: NewActivity) -> bool:
        since = self._activated.get((activity.member_id, rule.rule_id))
        return since is not None and since <= activity.occurred_at

    def kind_is_used_up(self, activity: NewActivity) -> bool:
        limit = self._limits.get(activity.kind)
        if limit is None:
            return False
        start, end = span_of(Period.DAY, activity.occurred_at, self.zone)
        return sum(start <= at < end for at in self._kinds[activity.member_id, activity.kind]) >= limit

    def note(self, verdict: Verdict, activity: NewActivity) -> None:
        if not verdict.granted:
            return
        rule = verdict.rule
        if rule.asks_for_usage or rule.rule_id in self.limited:
            self._given[activity.member_id, rule.rule_id].append((activity.occurred_at, verdict.granted))
        if rule.budget is not None:
            self.spent[rule.rule_id] += verdict.granted

    def rewarded(self, activity: NewActivity) -> None:
        """Remember that an activity earned something, for the daily limit of its kind."""
        if activity.kind in self._limits:
            self._kinds[activity.member_id, activity.kind].append(activity.occurred_at)

    def save(self) -> None:
        """Write what was taken of the budgets, under their locks."""
        if not (spent := {rule_id: points for rule_id, points in self.spent.items() if points}):
            return
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE rewards_rulebudget SET used = used + spent.points "
                "FROM unnest(%s::bigint[], %s::bigint[]) AS spent(rule_id, points) "
                "WHERE rewards_rulebudget.rule_id = spent.rule_id",
                [list(spent), list(spent.values())],
            )

    def _read_given(
        self, rules: Iterable[Rule], members: Sequence[int], moments: Sequence[dt.datetime]
    ) -> None:
        """What the rules gave the members, at least as far back and ahead as their caps and cooldowns look.

        Only for a cap over all time is a member's whole history with the rule read.
        """
        reaches: dict[int, Span] = {}
        alike: dict[tuple[int | None, str | None], Span] = {}  # most rules look back in one of a few ways
        for rule in rules:
            way = rule.cooldown_days, None if rule.cap_per_member is None else rule.cap_period
            if (reach := alike.get(way)) is None:
                reach = alike[way] = reach_of(rule, moments, self.zone)
            reaches[rule.rule_id] = _both(reaches.get(rule.rule_id, reach), reach)
        if not reaches:
            return
        rule_of = {id_: rule_id for rule_id in reaches for id_ in self.revisions[rule_id]}
        ever = [id_ for id_, rule_id in rule_of.items() if reaches[rule_id] == _EVER]
        spans = [reach for reach in reaches.values() if reach != _EVER]
        found = fetch_prepared(_GIVEN_EVER, [array(members), array(ever)]) if ever else []
        if spans:
            since, until = min(start for start, _end in spans), max(end for _start, end in spans)
            within = rule_of.keys() - set(ever)
            found += fetch_prepared(_GIVEN_WITHIN, [array(members), since, until, array(within)])
        for member_id, occurred_at, given in found:
            for revision_id, points in given.items():
                self._given[member_id, rule_of[int(revision_id)]].append((occurred_at, points))

    def _read_budgets(self, rules: Iterable[Rule], *, lock: bool) -> None:
        """What was taken of each budget; a rule that has given nothing yet gets its row under the lock."""
        if not (ids := sorted({rule.rule_id for rule in rules})):
            return
        with connection.cursor() as cursor:
            cursor.execute(_BUDGETS_LOCKED if lock else _BUDGETS, [ids])
            self._budgets = dict(cursor.fetchall())
            if lock and len(self._budgets) < len(ids):
                cursor.execute(_NEW_BUDGETS, [ids])
                cursor.execute(_BUDGETS_LOCKED, [ids])
                self._budgets = dict(cursor.fetchall())

    def _read_offers(self, rules: Iterable[Rule], members: Sequence[int]) -> None:
        if ids := [rule.rule_id for rule in rules]:
            for member_id, rule_id, at in fetch_prepared(_OFFERS, [array(ids), array(members)]):
                self._activated[member_id, rule_id] = at

    def _read_kinds(self, activities: Sequence[NewActivity]) -> None:
        """Moments of rewarded activities of limited kinds, over the days that the batch touches."""
        limited = [item for item in activities if item.kind in self._limits]
        spans = [span_of(Period.DAY, item.occurred_at, self.zone) for item in limited]
        with connection.cursor() as cursor:
            cursor.execute(
                _KINDS,
                [
                    sorted({item.member_id for item in limited}),
                    list(self._limits),
                    min(start for start, _end in spans),
                    max(end for _start, end in spans),
                ],
            )
            for member_id, kind, occurred_at in cursor.fetchall():
                self._kinds[member_id, kind].append(occurred_at)


def _with_allowance(
    terms: Terms, activities: Sequence[NewActivity], cases: Sequence[Case] | None
) -> Collection[Rule]:
    """The rules that may give something to one of the activities, if something beside their conditions allows it."""
    if cases is None:
        in_force = {id(found): found for item in activities if (found := terms.rules_at(item.occurred_at))}
        return {rule for found in in_force.values() for rule in found if rule.has_allowance}
    return {
        rule for case in cases for rule in with_allowance(case, terms.rules_at(case.activity.occurred_at))
    }


_BUDGETS = "SELECT rule_id, used FROM rewards_rulebudget WHERE rule_id = ANY(%s)"
_BUDGETS_LOCKED = f"{_BUDGETS} ORDER BY rule_id FOR UPDATE"
_NEW_BUDGETS = """
INSERT INTO rewards_rulebudget (rule_id, used) SELECT unnest(%s::bigint[]), 0 ON CONFLICT (rule_id) DO NOTHING
"""

_SUM = "sum(CASE WHEN t.reverses_id IS NULL THEN t.points ELSE -t.points END)::bigint"
# Both are prepared, so they leave the planner little choice: one member at a time, and OFFSET 0 against joining in
# another order, which would read all that a rule or a member ever had.
_GIVEN_WITHIN = f"""
SELECT a.member_id, a.occurred_at, given.points
FROM unnest(%s::bigint[]) AS asked(member_id) CROSS JOIN LATERAL (
    SELECT id, member_id, occurred_at FROM members_activity
    WHERE member_id = asked.member_id AND occurred_at >= %s AND occurred_at < %s OFFSET 0
) AS a CROSS JOIN LATERAL (
    SELECT json_object_agg(by_rule.rule_revision_id, by_rule.points) AS points FROM (
        SELECT t.rule_revision_id, {_SUM} AS points FROM rewards_transfer t
        WHERE t.activity_id = a.id AND t.rule_revision_id = ANY(%s::bigint[]) GROUP BY t.rule_revision_id
    ) AS by_rule
) AS given
WHERE given.points IS NOT NULL
"""  # noqa: S608
_GIVEN_EVER = f"""
SELECT given.member_id, a.occurred_at, json_object_agg(given.rule_revision_id, given.points)
FROM (
    SELECT t.member_id, t.rule_revision_id, t.activity_id, {_SUM} AS points FROM rewards_transfer t
    WHERE t.member_id = ANY(%s::bigint[]) AND t.rule_revision_id = ANY(%s::bigint[])
    GROUP BY t.member_id, t.rule_revision_id, t.activity_id OFFSET 0
) AS given
CROSS JOIN LATERAL (SELECT occurred_at FROM members_activity WHERE id = given.activity_id OFFSET 0) AS a
GROUP BY given.member_id, given.activity_id, a.occurred_at
"""  # noqa: S608

_OFFERS = """
SELECT member_id, rule_id, activated_at FROM rewards_offeractivation
WHERE rule_id = ANY(%s::bigint[]) AND member_id = ANY(%s::bigint[])
"""

_KINDS = """
SELECT a.member_id, a.kind_id, a.occurred_at FROM members_activity a
WHERE a.member_id = ANY(%s) AND a.kind_id = ANY(%s) AND a.occurred_at >= %s AND a.occurred_at < %s
  AND EXISTS (SELECT 1 FROM rewards_transfer t WHERE t.activity_id = a.id AND t.reverses_id IS NULL)
"""


def _nearest(at: dt.datetime, moments: Iterable[dt.datetime]) -> dt.datetime | None:
    """The moment closest to ``at``: a late activity has its cooldown on both sides."""
    return min(moments, key=lambda moment: abs(moment - at), default=None)
