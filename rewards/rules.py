"""Judging an activity by the earning rules: facts in, grants with reasons out. Pure: no database, no clock."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from members.activities import NewActivity
from rewards.models import RuleRevision
from rewards.terms import Level, Rule

Effect = RuleRevision.Effect


@dataclass(frozen=True, slots=True)
class Award:
    """What one rule gives for one activity: positive whole points."""

    rule: Rule
    points: int


def facts_of(activity: NewActivity, *, tier_code: str) -> Mapping[str, Any]:
    """The activity as the conditions see it; names are those registered in ``members.condition_fields``."""
    return {
        "kind": activity.kind,
        "total": activity.total,
        "store": activity.store,
        "channel": activity.channel,
        "occurred_at": activity.occurred_at,
        "tier": tier_code,
        "lines": [
            {
                "sku": line.sku,
                "category": line.category,
                "department": line.department,
                "quantity": line.quantity,
                "total": line.total,
            }
            for line in activity.lines
        ],
    }


def evaluate(activity: NewActivity, *, rules: Sequence[Rule], level: Level) -> list[Award]:
    """What the rules give for an activity of a member at ``level`` (the tier held before it), in the rules' order."""
    awards: list[Award] = []
    facts: Mapping[str, Any] | None = None
    for rule in rules:
        if rule.condition is not None:
            facts = facts or facts_of(activity, tier_code=level.code)
            if not rule.condition.matches(facts, at=activity.occurred_at):
                continue
        if points := _points(rule, activity, awards, level):
            awards.append(Award(rule, points))
    return awards


def _points(rule: Rule, activity: NewActivity, awards: Sequence[Award], level: Level) -> int:
    """The rule's points, rounded down."""
    if rule.effect == Effect.PER_AMOUNT and rule.amount is not None:
        return int(activity.total // rule.amount) * rule.points
    if rule.effect == Effect.FIXED:
        return rule.points
    base = sum(
        award.points for award in awards if award.rule.qualifying and award.rule.wallet_id == rule.wallet_id
    )
    return int(base * (level.multiplier - Decimal(1)))


def available_at(rule: Rule, occurred_at: dt.datetime) -> dt.datetime | None:
    """When the rule's points become available; None: at once."""
    return occurred_at + dt.timedelta(days=rule.pending_days) if rule.pending_days else None
