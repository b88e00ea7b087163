"""Judging a past period again, in the order in which it was judged, with nothing written. Used by ``rewards.backtest``.

The activities of the period are streamed; what their members had besides (older points, adjustments, activities of
other times) is read once and comes in where it came in then. Tiers, caps, budgets and cooldowns are kept in memory and
follow from what the replay itself gives, by the very functions that ``rewards.earning`` judges by.
"""

import datetime as dt
import heapq
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

from members.activities import NewActivity
from members.models import TierChange
from rewards import facts, replay_reading, rules, tiers
from rewards.case import Case
from rewards.drafts import DraftTerms
from rewards.facts import Asked
from rewards.replay_members import Arrival, Background, MemberState, TakenSoFar, Trade
from rewards.replay_reading import NOTHING, Catalogue, Given, Period, Place, Row
from rewards.replay_usage import Happening, ReplayUsage
from rewards.rules import Verdict
from rewards.terms import Level, Rule, Terms, TierRules
from rewards.tier_rules import Basis, Held, Look, decide, look

__all__ = ["Judged", "Period", "Replay", "TakenBack"]

CHUNK = 4_000
PURCHASE = "purchase"


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


class Replay:
    """One pass over a period under some terms. Iterate over ``chunks`` once; then ask for the tiers at the end."""

    def __init__(self, period: Period, *, terms: DraftTerms, known: Terms) -> None:
        self.period, self.terms, self.known = period, terms, known
        self._recorded = replay_reading.recorded_in(period)
        self.ids = self._recorded.ids
        self.usage = ReplayUsage(terms, known, self._recorded)
        self.taken_back: list[TakenBack] = []
        self._states: dict[int, MemberState] = {}
        self._by_trade = any(each.basis != Basis.POINTS for each in terms.tiers)
        self._with_lines = any(_asks_for_lines(rule) for rule in terms.rules)
        self._catalogue = Catalogue()

    def chunks(self) -> Iterator[list[Judged]]:
        """The activities in the order in which they were judged, judged again, some thousands at a time."""
        if not self.ids:
            return
        self._background = Background(
            self._recorded,
            terms=self.terms,
            known=self.known,
            revision_ids=self.usage.revision_ids,
            trades=self._by_trade,
        )
        self._reversed = {
            each.activity_id: TakenSoFar()
            for _member, each in self._background.reversals
            if each.activity_id is not None
        }
        self._happenings = deque(
            heapq.merge(self.usage.happenings, self._returns(), key=lambda each: each.transfer_id)
        )
        for start in range(0, len(self.ids), CHUNK):
            yield self._chunk(self.ids[start : start + CHUNK].tolist())
        for state in self._states.values():
            self._finish(state)

    def tier_at_end(self, member_id: int) -> int:
        """The tier held at the end of the period."""
        return self._held(self._states[member_id], self.period.ends_at).tier_id

    # --- One chunk ----------------------------------------------------------------------------------------------------

    def _chunk(self, ids: list[int]) -> list[Judged]:
        found = replay_reading.activities(ids)
        lines = self._catalogue.lines(ids) if self._with_lines else {}
        given = replay_reading.given(ids)
        items = [self._catalogue.activity(row, lines.get(row.id, ())) for row in found]
        blind_from = self._recorded.blind_from
        asked = [Asked(blind_from.get(row.id, row.id), item) for row, item in zip(found, items, strict=True)]
        more = facts.gather(asked, terms=self.terms)
        return [
            self._judge(row, item, facts_, given.get(row.id, NOTHING))
            for row, item, facts_ in zip(found, items, more, strict=True)
        ]

    def _judge(self, row: Row, item: NewActivity, more: Mapping[str, Any], given: Given) -> Judged:
        """Bring everybody up to the moment of recording, then judge as ``earning`` does."""
        place = Place(row.recorded_at, row.id, given.first)
        while self._happenings and self._happenings[0].is_before(place):
            self._happenings.popleft().happen()
        state = self._states.get(item.member_id)
        if state is None:
            state = self._background.state(item.member_id, row.recorded_at)
            self._states[item.member_id] = state
        self._bring_up_to(state, place)
        state.standing.hold = state.hold_at(row.recorded_at) if state.holds else None
        level = self._held(state, item.occurred_at)
        found = rules.evaluate(
            Case(item, level, more), rules=self.terms.rules_at(item.occurred_at), allowances=self.usage
        )
        self._note(state, row, item, found)
        if row.id in self._reversed:
            self._reversed[row.id].judged(given.points, found)
        return Judged(row.id, row.public_id, item, row.tier_id, given.points, level, found)

    def _note(self, state: MemberState, row: Row, item: NewActivity, found: Sequence[Verdict]) -> None:
        """Remember what an activity gave, for those that follow."""
        any_granted = False
        for verdict in found:
            if verdict.granted:
                any_granted = True
                if verdict.rule.qualifying:
                    state.points.add(item.occurred_at, verdict.granted)
        if any_granted:
            self.usage.rewarded(item)
        if self._by_trade and item.kind == PURCHASE:
            self._trade(state, item.occurred_at, item.total, item.currency, 1)
        if any_granted or self._by_trade:
            state.due_at = row.recorded_at

    def _held(self, state: MemberState, at: dt.datetime) -> Level:
        then = self.terms.tiers_at(at)
        state.standing.then = {at: state.amounts[then.basis].counted(self._look(then, at, state))}
        return tiers.held(state.standing, then, at)

    @staticmethod
    def _look(then: TierRules, at: dt.datetime, state: MemberState, *, open_end: bool = False) -> Look:
        return look(then, at, state.calendar, open_end=open_end)

    def _trade(
        self, state: MemberState, at: dt.datetime, total: Decimal, currency: str, purchases: int
    ) -> None:
        state.note_trade(at, total if currency == self.terms.base_currency else Decimal(0), purchases)

    # --- What happened between two activities -----------------------------------------------------------------------

    def _returns(self) -> Iterator[Happening]:
        """Points of the period taken back: what they free may go to another member's next purchase."""
        for member_id, arrival in self._background.reversals:
            place = Place(arrival.posted_at, 0, arrival.id + 1)
            yield Happening(
                arrival.id, arrival.posted_at, partial(self._bring_member_up_to, member_id, place)
            )

    def _bring_member_up_to(self, member_id: int, place: Place) -> None:
        if member_id in self._states:
            self._bring_up_to(self._states[member_id], place)

    def _bring_up_to(self, state: MemberState, place: Place) -> None:
        """Let everything happen to the member that came before a place in the ledger."""
        while (each := state.next_before(place)) is not None:
            self._pass_time(state, each.posted_at)
            self._come_in(state, each)
        self._pass_time(state, place.at)

    def _finish(self, state: MemberState) -> None:
        """Let the rest happen: promotions and reviews up to the end of the period, and what came in later."""
        ends_at = self.period.ends_at
        while (each := state.next_before(None)) is not None:
            self._pass_time(state, min(each.posted_at, ends_at))
            self._come_in(state, each)
        if state.due_at is not None:
            self._promote(state, state.due_at)
        self._pass_time(state, ends_at)

    def _pass_time(self, state: MemberState, at: dt.datetime) -> None:
        """The promotion of a batch recorded before ``at``, and the reviews up to then."""
        if state.due_at is not None and state.due_at < at:
            self._promote(state, state.due_at)
        self._review_until(state, at)

    def _come_in(self, state: MemberState, each: Arrival | Trade) -> None:
        if isinstance(each, Trade):
            self._trade(state, each.occurred_at, each.total, each.currency, each.purchases)
            granted = each.purchases > 0
        elif each.of_period:
            if state.due_at is not None:
                self._promote(state, state.due_at)
            self._take_back(state, each)
            granted = False
        else:
            self._arrive(state, each)
            granted = each.qualifies_at is not None and each.activity_id is not None and each.points > 0
        if granted and each.posted_at >= state.began_at:
            state.due_at = each.posted_at

    def _arrive(self, state: MemberState, arrival: Arrival) -> None:
        if arrival.qualifies_at is not None:
            state.points.add(arrival.qualifies_at, arrival.points)
        if arrival.revision_id is not None and arrival.occurred_at is not None:
            rule = self.known.revision(arrival.revision_id)
            self.usage.given(state.member_id, rule.rule_id, arrival.occurred_at, arrival.points)

    def _take_back(self, state: MemberState, arrival: Arrival) -> None:
        """Points of a replayed activity come back: those of the ledger where it gave the same, else in proportion."""
        assert arrival.activity_id is not None and arrival.occurred_at is not None  # noqa: S101, PT018
        points = -arrival.points
        back = self._reversed[arrival.activity_id].take(arrival.revision_id, points)
        for rule, due in back.items():
            if rule.qualifying:
                state.points.add(arrival.occurred_at, -due)
            self.usage.taken_back(state.member_id, rule, arrival.occurred_at, due)
        self.taken_back.append(
            TakenBack(state.member_id, arrival.occurred_at, arrival.revision_id or 0, points, back)
        )

    # --- Tiers --------------------------------------------------------------------------------------------------------

    def _promote(self, state: MemberState, at: dt.datetime) -> None:
        """What ``earning`` does at the end of a batch recorded at ``at``."""
        state.due_at = None
        then = self.terms.tiers_at(at)
        state.standing.hold = state.hold_at(at) if state.holds else None
        state.standing.now = state.amounts[then.basis].counted(self._look(then, at, state, open_end=True))
        for each in tiers.promotions(
            {state.member_id: state.standing}, {state.member_id: 0}, self.terms, at=at
        ):
            state.move(each.to_tier_id, at)

    def _review_until(self, state: MemberState, at: dt.datetime) -> None:
        """The nightly reviews that ran up to ``at``, and those that this member had alone."""
        nights = self._background.nights
        while True:
            nightly = nights[state.reviewed] if state.reviewed < len(nights) else None
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
        amount = state.amounts[then.basis].counted(self._look(then, at, state, open_end=True)).amount()
        held = Held(state.standing.tier_id, state.hold_at(at), state.stepped_at)
        decision = decide(then, held, amount, at=at, calendar=state.calendar)
        if decision.changed:
            state.move(decision.level.tier_id, at)
            state.stepped_at = at if decision.reason == TierChange.Reason.STEPPED else None


def _asks_for_lines(rule: Rule) -> bool:
    """Whether judging the rule takes the purchase lines."""
    by_line = rule.effect in (rules.Effect.PER_UNIT, rules.Effect.PER_LINE)
    return by_line or rule.lines is not None or "lines" in rule.fact_names
