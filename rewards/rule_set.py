"""The earning rules of one time: what each gives and when, and which of them an activity may concern.

A programme has hundreds of rules after some years, and a purchase meets the conditions of few. Most ask for one
category, product, shop or day; those are found by what the purchase has, and the rest never looked at.
"""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from loyalty import conditions
from loyalty.conditions import Demand
from rewards.models import RuleRevision

Effect = RuleRevision.Effect

_OF_TIER = frozenset({"tier", "tier_reached"})


@dataclass(frozen=True, eq=False)
class Rule:
    """One revision of an earning rule, ready to be judged. ``amount`` is in the base currency.

    ``condition`` is about the activity, ``lines`` about the purchase lines that count; None: all.
    """

    rule_id: int
    revision_id: int
    number: int
    code: str
    names: dict[str, str]
    wallet_id: int
    valid_from: dt.datetime
    valid_to: dt.datetime | None
    condition: conditions.Condition | None
    effect: str
    points: int
    amount: Decimal | None
    qualifying: bool
    is_active: bool = True
    pending_days: int = 0
    pending_until: dt.datetime | None = None
    pending_confirmation: bool = False
    lines: conditions.Condition | None = None
    factor: Decimal | None = None
    rounding: str = RuleRevision.Rounding.DOWN
    stack_group: str = ""
    stacking: str = RuleRevision.Stacking.ADD
    cap_per_activity: int | None = None
    over_cap: str = RuleRevision.OverCap.TRIM
    cap_per_member: int | None = None
    cap_period: str = RuleRevision.Period.MONTH
    budget: int | None = None
    cooldown_days: int = 0
    needs_activation: bool = False

    @property
    def asks_for_usage(self) -> bool:
        """Whether what the rule may give depends on what it gave the member before."""
        return self.cap_per_member is not None or self.cooldown_days > 0

    @cached_property
    def fact_names(self) -> frozenset[str]:
        """What its condition looks at."""
        return self.condition.fact_names if self.condition else frozenset()

    @cached_property
    def asks_for_tier(self) -> bool:
        """Whether its condition looks at the tier held."""
        return not self.fact_names.isdisjoint(_OF_TIER)

    @cached_property
    def has_allowance(self) -> bool:
        """Whether something beside its conditions says what it may give: earlier points, a budget, an activation."""
        return self.asks_for_usage or self.budget is not None or self.needs_activation

    def in_force(self, at: dt.datetime) -> bool:
        return self.valid_from <= at and (self.valid_to is None or at < self.valid_to)


Places = dict[str, dict[Any, list[int]]]
"""By a fact's name and value, the places in the set of the rules that demand it."""


class RuleSet(tuple[Rule, ...]):
    """Rules in the order they are judged, with an index of what they demand, made when it is first asked."""

    @cached_property
    def fact_names(self) -> frozenset[str]:
        """What their conditions look at."""
        return frozenset().union(*(rule.fact_names for rule in self))

    def shortlist(
        self, facts: Mapping[str, Any], lines_by: Callable[[str], Mapping[Any, object]]
    ) -> list[Rule]:
        """The rules that may apply, in order; the others are sure not to, whatever the tier.

        ``lines_by`` gives the values of a fact that the purchase lines have, as the keys of a mapping.
        """
        found = set(self._always)
        for name, places in self._by_fact.items():
            found.update(places.get(facts.get(name), ()))
        for name, places in self._by_line.items():
            for value in lines_by(name):
                found.update(places.get(value, ()))
        return [self[place] for place in sorted(found)]

    @cached_property
    def _index(self) -> tuple[list[int], Places, Places]:
        """Places of the rules without demands, and of the others under the one of their demands made most rarely."""
        asked = [tuple(_demands(rule)) for rule in self]
        often = Counter(key for each in asked for demand in each for key in _keys(demand))
        always: list[int] = []
        by_fact: Places = {}
        by_line: Places = {}
        for place, choices in enumerate(asked):
            if not choices:
                always.append(place)
                continue
            rarest = min(choices, key=lambda demand: sum(often[key] for key in _keys(demand)))
            places = (by_line if rarest.relation else by_fact).setdefault(rarest.name, {})
            for value in rarest.values:
                places.setdefault(value, []).append(place)
        return always, by_fact, by_line

    @property
    def _always(self) -> list[int]:
        return self._index[0]

    @property
    def _by_fact(self) -> Places:
        return self._index[1]

    @property
    def _by_line(self) -> Places:
        return self._index[2]


def _keys(demand: Demand) -> list[tuple[str, str, Any]]:
    return [(demand.relation, demand.name, value) for value in demand.values]


def _demands(rule: Rule) -> Iterator[Demand]:
    """What an activity must have for the rule to matter.

    A rule about some lines gives nothing without one. Base rules matter even so: other rules multiply by their terms,
    on lines of their own. The tier is left out, for it may not be known yet.
    """
    for demand in rule.condition.demands if rule.condition else ():
        if demand.name not in _OF_TIER and demand.relation in ("", "lines"):
            yield demand
    is_base = rule.effect == Effect.PER_AMOUNT and rule.qualifying
    if rule.lines is not None and not is_base and rule.effect != Effect.TIER_BONUS:
        for demand in rule.lines.demands:
            yield Demand(demand.name, demand.values, "lines")
