"""An activity as the earning rules see it: the facts that conditions ask for, and the lines that they hold on. Pure."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from loyalty import conditions
from members.activities import LineFacts, NewActivity
from rewards.terms import Level, Rule, RuleSet

_ANY_LEVEL = Level(tier_id=0, code="", names={}, rank=0, threshold=0, multiplier=Decimal(1))


@dataclass(frozen=True)
class Case:
    """One activity with all that conditions may ask about it. ``more`` are the facts beyond the activity itself.

    What does not depend on the level is worked out once, also for the cases made by ``under``.
    """

    activity: NewActivity
    level: Level
    more: Mapping[str, Any]

    @classmethod
    def before_tiers(cls, activity: NewActivity, more: Mapping[str, Any]) -> "Case":
        """The case while nobody has looked up which tier the member held; ``under`` makes it whole."""
        return cls(activity, _ANY_LEVEL, more)

    def under(self, level: Level) -> "Case":
        """The same activity, by a member of this level."""
        case = Case(self.activity, level, self.more)
        vars(case)["_shared"] = self._shared
        return case

    @cached_property
    def _shared(self) -> "_Shared":
        return _Shared(self.activity)

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        """The activity as the conditions see it; names are those registered in ``members.condition_fields``."""
        facts = {**facts_of(self.activity, self.line_facts, tier_code=self.level.code), **self.more}
        ladder = self.more.get("ladder", ())
        if self.level.code in ladder:
            facts["tier_reached"] = ladder[: ladder.index(self.level.code) + 1]
        return facts

    @property
    def at(self) -> dt.datetime:
        """The moment of the activity, in UTC."""
        return self._shared.at

    @property
    def today(self) -> dt.date:
        """The date of the activity, which conditions on dates are judged against."""
        return self._shared.today

    @property
    def line_facts(self) -> Sequence[Mapping[str, Any]]:
        """The purchase lines as the conditions see them."""
        return self._shared.line_facts

    def holds(self, condition: conditions.Condition | None) -> bool:
        """Whether a condition about the activity holds."""
        shared = self._shared
        return condition is None or condition.judge(self.facts, shared.at, shared.today)

    def likely(self, rules: Sequence[Rule]) -> Sequence[Rule]:
        """The rules whose conditions hold, in order, with those that ask for the tier, which are still to be judged."""
        shared = self._shared
        if shared.asked is not rules:
            facts, at, today = self.facts, shared.at, shared.today
            short = rules.shortlist(facts, shared.lines_by) if isinstance(rules, RuleSet) else rules
            shared.likely = [
                rule
                for rule in short
                if rule.condition is None or rule.asks_for_tier or rule.condition.judge(facts, at, today)
            ]
            shared.asked = rules
        return shared.likely

    def matching(self, condition: conditions.Condition) -> list[LineFacts]:
        """The purchase lines on which a condition holds."""
        shared, facts, lines = self._shared, self.line_facts, self.activity.lines
        return [
            lines[place]
            for place in shared.places(condition)
            if condition.judge(facts[place], shared.at, shared.today)
        ]


class _Shared:
    """What can be worked out of an activity whatever the tier."""

    def __init__(self, activity: NewActivity) -> None:
        self.activity = activity
        self.at = activity.occurred_at.astimezone(dt.UTC)
        self.asked: Sequence[Rule] | None = None
        self.likely: Sequence[Rule] = ()
        self._lines_by: dict[str, dict[Any, list[int]]] = {}

    @cached_property
    def today(self) -> dt.date:
        return conditions.today_at(self.at)

    @cached_property
    def line_facts(self) -> list[dict[str, Any]]:
        return [line_facts(line) for line in self.activity.lines]

    def lines_by(self, name: str) -> Mapping[Any, Sequence[int]]:
        """The places of the purchase lines by their value of a fact."""
        found = self._lines_by.get(name)
        if found is None:
            found = self._lines_by[name] = {}
            for place, facts in enumerate(self.line_facts):
                found.setdefault(facts.get(name), []).append(place)
        return found

    def places(self, condition: conditions.Condition) -> Sequence[int]:
        """The places of the purchase lines on which the condition may hold, in order."""
        if not condition.demands:
            return range(len(self.activity.lines))
        demand = condition.demands[0]
        by_value = self.lines_by(demand.name)
        return sorted(place for value in demand.values for place in by_value.get(value, ()))


def facts_of(activity: NewActivity, lines: Sequence[Mapping[str, Any]], *, tier_code: str) -> dict[str, Any]:
    """What the activity itself tells."""
    return {
        "kind": activity.kind,
        "total": activity.total,
        "store": activity.store,
        "channel": activity.channel,
        "occurred_at": activity.occurred_at,
        "tier": tier_code,
        "lines": lines,
    }


def line_facts(line: LineFacts) -> dict[str, Any]:
    """A purchase line as the conditions see it."""
    return {
        "sku": line.sku,
        "category": line.category,
        "department": line.department,
        "brand": line.brand,
        "quantity": line.quantity,
        "total": line.total,
    }
