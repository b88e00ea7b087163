"""Judging a past period again, in the order in which it was judged, with nothing written. Used by ``rewards.backtest``.

The activities of the period are streamed; what their members had besides (older points, adjustments, activities of
other times) is read once and comes in where it came in then. Tiers, caps, budgets and cooldowns are kept in memory and
follow from what the replay itself gives, by the very functions that ``rewards.earning`` judges by.
"""

import bisect
import datetime as dt
from array import array
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from loyalty.runs.models import Run
from members.activities import LineFacts, NewActivity
from members.models import Category, Member, Product, SalesChannel, Store, TierChange, TierHold
from rewards import facts, rules, tiers
from rewards.drafts import DraftTerms
from rewards.facts import Asked
from rewards.replay_usage import ReplayUsage
from rewards.rules import Case, Verdict
from rewards.terms import Level, Rule, Terms, TierRules
from rewards.tier_rules import (
    EVER,
    Amount,
    Basis,
    Calendar,
    Downgrade,
    Entry,
    Held,
    Hold,
    Keep,
    Look,
    Window,
    decide,
    look,
)
from rewards.tiers import Counted, Standing

CHUNK = 4_000
REVIEWS = "rewards.review_tiers"
_JUDGED_THEN = (TierChange.Reason.ENROLLED, TierChange.Reason.PROMOTED)
PURCHASE = "purchase"


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of time, by the time of the activities: from ``starts_at``, before ``ends_at``."""

    starts_at: dt.datetime
    ends_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Judged:
    """An activity of the period: what the ledger gave for it, by rule revision, and what the replay would give."""

    id: int
    public_id: UUID
    activity: NewActivity
    old_tier_id: int | None
    given: Mapping[int, int]
    level: Level
    verdicts: Sequence[Verdict]


@dataclass(frozen=True, slots=True)
class TakenBack:
    """Points of the period's activities that were taken back later: in the ledger, and by rule in the replay."""

    member_id: int
    occurred_at: dt.datetime
    revision_id: int
    points: int
    replayed: Mapping[Rule, int]


@dataclass(slots=True)
class Entries:
    """What counts towards tiers, in the order of time."""

    times: list[dt.datetime] = field(default_factory=list)
    values: list[Amount] = field(default_factory=list)

    def add(self, at: dt.datetime, value: Amount) -> None:
        place = bisect.bisect_right(self.times, at)
        self.times.insert(place, at)
        self.values.insert(place, value)

    def counted(self, looked: Look) -> Counted:
        """What counts, in the form in which ``tiers`` reads it from the database."""
        if looked.slide is not None:
            return Counted(looked, [], [Entry(*pair) for pair in zip(self.times, self.values, strict=True)])
        return Counted(looked, [self._total(span.since, span.until) for span in looked.spans])

    def _total(self, since: dt.datetime, until: dt.datetime | None) -> Amount:
        first = bisect.bisect_right(self.times, since)
        end = len(self.times) if until is None else bisect.bisect_right(self.times, until)
        return sum(self.values[first:end])


@dataclass(frozen=True, slots=True)
class Arrival:
    """A transfer of a member that the replay does not make itself: older or other points, or points taken back."""

    id: int
    posted_at: dt.datetime
    qualifies_at: dt.datetime | None
    points: int
    revision_id: int | None
    activity_id: int | None
    occurred_at: dt.datetime | None
    of_period: bool


@dataclass(slots=True)
class MemberState:
    """A member as the replay has them."""

    member_id: int
    standing: Standing
    calendar: Calendar
    arrivals: deque[Arrival]
    judged_at: deque[dt.datetime]
    reviewed: int
    points: Entries = field(default_factory=Entries)
    purchases: Entries = field(default_factory=Entries)
    holds: Sequence[tuple[dt.datetime, dt.datetime | None, Hold]] = ()
    stepped_at: dt.datetime | None = None
    due_at: dt.datetime | None = None
    """When activities were last recorded whose promotion is still to come, at the end of their batch."""

    def counted(self, looked: Look, basis: str) -> Counted:
        return (self.points if basis == Basis.POINTS else self.purchases).counted(looked)

    def hold_at(self, at: dt.datetime) -> Hold | None:
        return next(
            (hold for since, until, hold in self.holds if since <= at and (until is None or at < until)), None
        )

    def move(self, tier_id: int, at: dt.datetime) -> None:
        self.standing.tier_id, self.standing.since = tier_id, at
        self.standing.history = (*self.standing.history, (at, tier_id))


class Replay:
    """One pass over a period under some terms. Iterate over ``chunks`` once; then ask for the tiers at the end."""

    def __init__(self, period: Period, *, terms: DraftTerms, known: Terms) -> None:
        self.period, self.terms, self.known = period, terms, known
        self.ids, self.members = _activities_of(period)
        self.usage = ReplayUsage(
            terms, known, period, members=self.members, last_id=self.ids[-1] if self.ids else 0
        )
        self.taken_back: list[TakenBack] = []
        self._states: dict[int, MemberState] = {}
        self._by_purchases = any(each.basis != Basis.POINTS for each in terms.tiers)
        self._with_lines = any(_asks_for_lines(rule) for rule in terms.rules)
        self._reversed: dict[int, tuple[Mapping[int, int], dict[Rule, int], dict[Rule, int], list[int]]] = {}
        self._catalogue = _Catalogue()

    def chunks(self) -> Iterator[list[Judged]]:
        """The activities in the order in which they were recorded, judged again, some thousands at a time."""
        if not self.ids:
            return
        self._read_background()
        for start in range(0, len(self.ids), CHUNK):
            yield self._chunk(self.ids[start : start + CHUNK].tolist())
        for state in self._states.values():
            self._finish(state)

    def tier_at_end(self, member_id: int) -> int:
        """The tier held at the end of the period."""
        state, at = self._states[member_id], self.period.ends_at
        return self._held(state, at).tier_id

    # --- One chunk ----------------------------------------------------------------------------------------------------

    def _chunk(self, ids: list[int]) -> list[Judged]:
        rows = _rows(_ACTIVITIES, [ids])
        lines = self._catalogue.lines(ids) if self._with_lines else {}
        given, first = _given(ids)
        items = [self._catalogue.activity(row, lines.get(row[0], ())) for row in rows]
        asked = [Asked(row[0], item) for row, item in zip(rows, items, strict=True)]
        more = facts.gather(asked, terms=self.terms)
        return [
            self._judge(row, item, facts_, given.get(row[0], {}), first.get(row[0]))
            for row, item, facts_ in zip(rows, items, more, strict=True)
        ]

    def _judge(
        self,
        row: tuple[Any, ...],
        item: NewActivity,
        more: Mapping[str, Any],
        given: Mapping[int, int],
        first: int | None,
    ) -> Judged:
        """Bring the member up to the moment of recording, then judge as ``earning`` does."""
        id_, public_id, recorded_at, tier_id = row[0], row[1], row[7], row[12]
        state = self._states.get(item.member_id) or self._state(item.member_id, recorded_at)
        self._bring_up_to(state, recorded_at, first)
        state.standing.hold = state.hold_at(recorded_at) if state.holds else None
        level = self._held(state, item.occurred_at)
        found = rules.evaluate(
            Case(item, level, more), rules=self.terms.rules_at(item.occurred_at), allowances=self.usage
        )
        any_granted = False
        for verdict in found:
            if verdict.granted:
                any_granted = True
                if verdict.rule.qualifying:
                    state.points.add(item.occurred_at, verdict.granted)
        if any_granted:
            self.usage.rewarded(item)
        if self._by_purchases and item.kind == PURCHASE:
            self._note_purchase(state, item.occurred_at, item.total, item.currency)
        if any_granted or self._by_purchases:
            state.due_at = recorded_at
        if id_ in self._reversed:
            granted = {verdict.rule: verdict.granted for verdict in found if verdict.granted}
            self._reversed[id_] = (given, granted, dict.fromkeys(granted, 0), [0])
        return Judged(id_, public_id, item, tier_id, given, level, found)

    def _held(self, state: MemberState, at: dt.datetime) -> Level:
        then = self.terms.tiers_at(at)
        state.standing.then = {at: state.counted(self._look(then, at, state), then.basis)}
        return tiers.held(state.standing, then, at)

    @staticmethod
    def _look(then: TierRules, at: dt.datetime, state: MemberState, *, open_end: bool = False) -> Look:
        return look(then, at, state.calendar, open_end=open_end)

    def _note_purchase(self, state: MemberState, at: dt.datetime, total: Decimal, currency: str) -> None:
        spend = self.terms.tiers_at(at).basis == Basis.SPEND
        value: Amount = (total if currency == self.terms.base_currency else Decimal(0)) if spend else 1
        state.purchases.add(at, value)

    # --- What happened between two activities -----------------------------------------------------------------------

    def _bring_up_to(self, state: MemberState, at: dt.datetime, first: int | None) -> None:
        """Let everything happen to the member that came before what was recorded at ``at``."""
        if state.due_at is not None and state.due_at < at:
            self._promote(state, state.due_at)
        while state.arrivals and _is_before(state.arrivals[0], at, first):
            arrival = state.arrivals.popleft()
            self._review_until(state, arrival.posted_at)
            self._arrive(state, arrival)
        self._review_until(state, at)

    def _finish(self, state: MemberState) -> None:
        """Let the rest happen: promotions and reviews up to the end of the period, and what came in later."""
        if state.due_at is not None:
            self._promote(state, state.due_at)
        while state.arrivals:
            self._arrive(state, state.arrivals.popleft())
        self._review_until(state, self.period.ends_at)

    def _arrive(self, state: MemberState, arrival: Arrival) -> None:
        if arrival.of_period:
            self._take_back(state, arrival)
            return
        if arrival.qualifies_at is not None:
            state.points.add(arrival.qualifies_at, arrival.points)
            if arrival.activity_id is not None and arrival.points > 0:
                self._promote(state, arrival.posted_at)
        if arrival.revision_id is not None and arrival.occurred_at is not None:
            rule = self.known.revision(arrival.revision_id)
            self.usage.given(state.member_id, rule.rule_id, arrival.occurred_at, arrival.points)

    def _take_back(self, state: MemberState, arrival: Arrival) -> None:
        """Points of a replayed activity come back: those of the ledger where it gave the same, else in proportion."""
        assert arrival.activity_id is not None and arrival.occurred_at is not None  # noqa: S101, PT018
        given, granted, taken, [so_far] = self._reversed[arrival.activity_id]
        points, total = -arrival.points, sum(given.values())
        self._reversed[arrival.activity_id][3][0] = so_far + points
        same = {rule.revision_id: value for rule, value in granted.items()} == dict(given)
        back: dict[Rule, int] = {}
        for rule, value in granted.items():
            if same:
                due = points if rule.revision_id == arrival.revision_id else 0
            else:
                due = value * min(so_far + points, total) // total - taken[rule] if total else 0
            if due:
                back[rule] = due
                taken[rule] += due
                if rule.qualifying:
                    state.points.add(arrival.occurred_at, -due)
                self.usage.taken_back(state.member_id, rule, arrival.occurred_at, due)
        self.taken_back.append(
            TakenBack(state.member_id, arrival.occurred_at, arrival.revision_id or 0, points, back)
        )

    def _promote(self, state: MemberState, at: dt.datetime) -> None:
        """What ``earning`` does at the end of a batch recorded at ``at``."""
        state.due_at = None
        then = self.terms.tiers_at(at)
        state.standing.hold = state.hold_at(at) if state.holds else None
        state.standing.now = state.counted(self._look(then, at, state, open_end=True), then.basis)
        for each in tiers.promotions(
            {state.member_id: state.standing}, {state.member_id: 0}, self.terms, at=at
        ):
            state.move(each.to_tier_id, at)

    def _review_until(self, state: MemberState, at: dt.datetime) -> None:
        """The nightly reviews that ran up to ``at``, and those that this member had alone."""
        while True:
            nightly = self._nights[state.reviewed] if state.reviewed < len(self._nights) else None
            own = state.judged_at[0] if state.judged_at else None
            moment = min((each for each in (nightly, own) if each is not None), default=None)
            if moment is None or moment > at:
                return
            state.reviewed += moment == nightly
            if moment == own:
                state.judged_at.popleft()
            self._review(state, moment)

    def _review(self, state: MemberState, at: dt.datetime) -> None:
        then = self.terms.tiers_at(at)
        amount = state.counted(self._look(then, at, state, open_end=True), then.basis).amount()
        held = Held(state.standing.tier_id, state.hold_at(at), state.stepped_at)
        decision = decide(then, held, amount, at=at, calendar=state.calendar)
        if decision.changed:
            state.move(decision.level.tier_id, at)
            state.stepped_at = at if decision.reason == TierChange.Reason.STEPPED else None

    # --- What the members had before ----------------------------------------------------------------------------------

    def _read_background(self) -> None:
        """Read, for all members of the period, what the replay does not make itself; a few statements."""
        self._nights = list(
            Run.objects.filter(name=REVIEWS, status=Run.Status.SUCCEEDED)
            .order_by("at")
            .values_list("at", flat=True)
        )
        self._arrivals: dict[int, deque[Arrival]] = defaultdict(deque)
        period = [self.period.starts_at, self.period.ends_at]
        since = _since(self.terms, self.period.starts_at)
        asked = [since, *period, *period, since, self.usage.revision_ids]
        for member_id, *facts_ in _rows(_ARRIVALS, asked):
            arrival = Arrival(*facts_)
            self._arrivals[member_id].append(arrival)
            if arrival.of_period and arrival.activity_id is not None:
                self._reversed[arrival.activity_id] = ({}, {}, {}, [0])
        self._changes: dict[int, list[tuple[dt.datetime, int, str]]] = defaultdict(list)
        for member_id, *change in _rows(_CHANGES, period):
            self._changes[member_id].append(tuple(change))  # type: ignore[arg-type]
        self._holds: dict[int, list[tuple[dt.datetime, dt.datetime | None, Hold]]] = defaultdict(list)
        for hold in TierHold.objects.filter(member_id__in=self.members).order_by("pk"):
            ends = [moment for moment in (hold.until, hold.ended_at) if moment]
            self._holds[hold.member_id].append(
                (hold.set_at, min(ends, default=None), Hold(hold.tier_id, hold.kind, hold.set_at, hold.pk))
            )
        self._joined: dict[int, dt.datetime] = {}
        if any(each.asks_for_joining for each in self.terms.tiers):
            self._joined = dict(Member.objects.filter(pk__in=self.members).values_list("pk", "joined_at"))
        self._bought: dict[int, list[tuple[dt.datetime, Decimal, str]]] = defaultdict(list)
        if self._by_purchases:
            for member_id, *bought in _rows(_BOUGHT, [*period, *period, self.ids[-1]]):
                self._bought[member_id].append(tuple(bought))  # type: ignore[arg-type]

    def _state(self, member_id: int, recorded_at: dt.datetime) -> MemberState:
        """The member as they were before the first activity of theirs, recorded at ``recorded_at``."""
        changes = self._changes.get(member_id, [])
        before = [each for each in changes if each[0] < recorded_at or each[2] == TierChange.Reason.ENROLLED]
        history = tuple((at, tier_id) for at, tier_id, _reason in before)
        since, tier_id = (
            history[-1] if history else (EVER, self.known.tiers_at(recorded_at).levels[0].tier_id)
        )
        state = self._states[member_id] = MemberState(
            member_id=member_id,
            standing=Standing(tier_id, since, history=history),
            calendar=Calendar(self.terms.time_zone, self._joined.get(member_id)),
            arrivals=self._arrivals.get(member_id, deque()),
            judged_at=deque(
                at for at, _tier, reason in changes if at >= recorded_at and reason not in _JUDGED_THEN
            ),
            reviewed=bisect.bisect_left(self._nights, recorded_at),
            holds=self._holds.get(member_id, ()),
            stepped_at=before[-1][0] if before and before[-1][2] == TierChange.Reason.STEPPED else None,
        )
        for at, total, currency in self._bought.get(member_id, ()):
            self._note_purchase(state, at, total, currency)
        return state


def _is_before(arrival: Arrival, at: dt.datetime, first: int | None) -> bool:
    """Whether it was posted before an activity recorded at ``at``, whose first transfer (if any) is ``first``."""
    return arrival.posted_at <= at if first is None else arrival.id < first


def _since(terms: Terms, starts_at: dt.datetime) -> dt.datetime:
    """From when on qualifying points may matter."""
    plain = all(
        each.window_kind == Window.ROLLING
        and each.keep == Keep.NONE
        and each.downgrade != Downgrade.PERIOD_END
        for each in terms.tiers
    )
    return starts_at - max(each.window for each in terms.tiers) if plain else EVER


def _asks_for_lines(rule: Rule) -> bool:
    """Whether judging the rule takes the purchase lines."""
    by_line = rule.effect in (rules.Effect.PER_UNIT, rules.Effect.PER_LINE)
    return by_line or rule.lines is not None or "lines" in rule.fact_names


# --- Reading ----------------------------------------------------------------------------------------------------------


def _rows(statement: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return cursor.fetchall()


def _activities_of(period: Period) -> tuple["array[int]", list[int]]:
    """The activities of a period in the order of recording, eight bytes each, and their members."""
    ids: array[int] = array("q")
    with connection.cursor() as cursor:
        asked = [period.starts_at, period.ends_at]
        cursor.execute(
            "SELECT id FROM members_activity WHERE occurred_at >= %s AND occurred_at < %s ORDER BY id", asked
        )
        while rows := cursor.fetchmany(50_000):
            ids.extend(row[0] for row in rows)
        cursor.execute(
            "SELECT DISTINCT member_id FROM members_activity WHERE occurred_at >= %s AND occurred_at < %s",
            asked,
        )
        return ids, [row[0] for row in cursor.fetchall()]


_ACTIVITIES = """
SELECT a.id, a.public_id, a.member_id, a.partner_id, a.external_id, a.kind_id, a.occurred_at, a.recorded_at, a.currency,
       a.total, a.store_id, a.channel_id, j.tier_id
FROM members_activity a LEFT JOIN rewards_judgement j ON j.activity_id = a.id
WHERE a.id = ANY(%s) ORDER BY a.id
"""

_LINES = """
SELECT activity_id, product_id, category_id, quantity, total FROM members_activityline
WHERE activity_id = ANY(%s) ORDER BY activity_id, position
"""

_GIVEN = """
SELECT activity_id, rule_revision_id, sum(points)::bigint, min(id) FROM rewards_transfer
WHERE activity_id = ANY(%s) AND reverses_id IS NULL AND rule_revision_id IS NOT NULL
GROUP BY activity_id, rule_revision_id
"""

_OF_PERIOD = "SELECT member_id FROM members_activity WHERE occurred_at >= %s AND occurred_at < %s"
_ARRIVALS = f"""
SELECT member_id, id, posted_at, CASE WHEN qualifies_at > %s THEN qualifies_at END, points,
       revision_id, activity_id, occurred_at, of_period
FROM (
    SELECT t.member_id, t.id, t.posted_at, t.qualifies_at,
           CASE WHEN t.reverses_id IS NULL THEN t.points ELSE -t.points END AS points,
           coalesce(t.rule_revision_id, o.rule_revision_id) AS revision_id, a.id AS activity_id, a.occurred_at,
           t.reverses_id IS NOT NULL AND o.rule_revision_id IS NOT NULL AND within AS of_period,
           t.reverses_id IS NULL AND within AS replayed
    FROM rewards_transfer t
    LEFT JOIN rewards_transfer o ON o.id = t.reverses_id
    LEFT JOIN members_activity a ON a.id = coalesce(o.activity_id, t.activity_id)
    CROSS JOIN LATERAL (SELECT coalesce(a.occurred_at >= %s AND a.occurred_at < %s, false) AS within) w
    WHERE t.member_id IN ({_OF_PERIOD}) AND (t.qualifies_at IS NOT NULL OR t.rule_revision_id IS NOT NULL)
) found
WHERE NOT replayed AND (of_period OR qualifies_at > %s OR revision_id = ANY(%s)) ORDER BY id
"""  # noqa: S608

_CHANGES = f"""
SELECT member_id, changed_at, to_tier_id, reason FROM members_tierchange WHERE member_id IN ({_OF_PERIOD}) ORDER BY id
"""  # noqa: S608

_BOUGHT = f"""
SELECT member_id, occurred_at, total, currency FROM members_activity
WHERE member_id IN ({_OF_PERIOD}) AND kind_id = 'purchase' AND NOT (occurred_at >= %s AND occurred_at < %s) AND id < %s
"""  # noqa: S608


def _given(ids: list[int]) -> tuple[dict[int, dict[int, int]], dict[int, int]]:
    """What the ledger gave for activities, by rule revision, and the first transfer of each."""
    given: dict[int, dict[int, int]] = defaultdict(dict)
    first: dict[int, int] = {}
    for activity_id, revision_id, points, transfer_id in _rows(_GIVEN, [ids]):
        given[activity_id][revision_id] = points
        first[activity_id] = min(transfer_id, first.get(activity_id, transfer_id))
    return given, first


class _Catalogue:
    """Names of stores, channels, products and categories, read as they are met."""

    def __init__(self) -> None:
        self.stores = dict(Store.objects.values_list("pk", "code"))
        self.channels = dict(SalesChannel.objects.values_list("pk", "code"))
        self.categories: dict[int | None, tuple[str, str]] = {None: ("", "")}
        for pk, name, department in Category.objects.values_list("pk", "name", "department"):
            self.categories[pk] = (name, department)
        self.products: dict[int | None, tuple[str, str]] = {None: ("", "")}

    def activity(self, row: tuple[Any, ...], lines: Sequence[LineFacts]) -> NewActivity:
        (
            _id,
            _public,
            member_id,
            partner_id,
            external_id,
            kind,
            occurred_at,
            _at,
            currency,
            total,
            store,
            channel,
            _t,
        ) = row
        return NewActivity(
            partner_id,
            member_id,
            external_id,
            kind,
            occurred_at,
            currency,
            total,
            self.stores[store] if store else "",
            self.channels[channel] if channel else "",
            tuple(lines),
        )

    def lines(self, ids: list[int]) -> dict[int, list[LineFacts]]:
        """The lines of activities, in order."""
        rows = _rows(_LINES, [ids])
        unseen = {row[1] for row in rows} - self.products.keys()
        if unseen:
            for pk, sku, brand in Product.objects.filter(pk__in=unseen).values_list("pk", "sku", "brand"):
                self.products[pk] = (sku, brand)
        found: dict[int, list[LineFacts]] = defaultdict(list)
        products, categories = self.products, self.categories
        for activity_id, product_id, category_id, quantity, total in rows:
            sku, brand = products[product_id]
            category, department = categories[category_id]
            found[activity_id].append(LineFacts(sku, category, department, quantity, total, brand))
        return found
