"""Judging an activity by the earning rules: facts in, verdicts with reasons out. Pure: no database, no clock.

``rewards.earning`` gathers the facts and posts what is granted; the simulation, the refund and the backtest judge by
the same function.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from enum import StrEnum

from members.activities import LineFacts, NewActivity
from rewards.case import Case
from rewards.models import RuleRevision
from rewards.terms import Rule

Effect = RuleRevision.Effect
Stacking = RuleRevision.Stacking
_ROUNDING = {
    RuleRevision.Rounding.DOWN: ROUND_FLOOR,
    RuleRevision.Rounding.NEAREST: ROUND_HALF_UP,
    RuleRevision.Rounding.UP: ROUND_CEILING,
}


class Limit(StrEnum):
    """What kept a rule, whose conditions held, from giving (all of) its points."""

    ACTIVITY_CAP = "activity_cap"
    MEMBER_CAP = "member_cap"
    BUDGET = "budget"
    COOLDOWN = "cooldown"
    STACK = "stack"
    NOT_ACTIVATED = "not_activated"
    KIND_LIMIT = "kind_limit"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A rule whose conditions held: the points it was for, those it gives, and what kept the rest back."""

    rule: Rule
    wanted: int
    granted: int
    limit: Limit | None = None


@dataclass(frozen=True, slots=True)
class Used:
    """What a rule gave a member before: points in the cap's period, and when it last gave any."""

    points: int = 0
    last_at: dt.datetime | None = None


class Allowances:
    """What is left of caps, budgets and cooldowns. This one knows no limits; ``rewards.usage`` knows the real ones."""

    def used(self, rule: Rule, activity: NewActivity) -> Used:
        """What the rule has given the member so far."""
        return Used()

    def budget_left(self, rule: Rule) -> int | None:
        """What is left of the rule's budget; None: it has none."""
        return None

    def activated(self, rule: Rule, activity: NewActivity) -> bool:
        """Whether the member had taken up the offer by then."""
        return True

    def kind_is_used_up(self, activity: NewActivity) -> bool:
        """Whether the member has had as many rewarded activities of this kind on this day as the kind allows."""
        return False

    def note(self, verdict: Verdict, activity: NewActivity) -> None:
        """Remember what was granted, for the activities that follow."""


def evaluate(case: Case, *, rules: Sequence[Rule], allowances: Allowances | None = None) -> list[Verdict]:
    """The verdict of each rule whose conditions hold, in the rules' order (priority first).

    Wanted points come first, then the group's competition, then caps and budget on what is left. Allowances are noted
    as they are used, so that several activities can be judged one after the other.
    """
    allowances = allowances or Allowances()
    verdicts = [Verdict(rule, wanted, wanted) for rule, wanted in _wanted(case, rules) if wanted]
    verdicts = _compete(_offered(case.activity, verdicts, allowances))
    limited = []
    for verdict in verdicts:
        final = _limited(case.activity, verdict, allowances)
        allowances.note(final, case.activity)
        limited.append(final)
    return limited


# --- What a rule wants to give ------------------------------------------------------------------------------------


def _wanted(case: Case, rules: Sequence[Rule]) -> list[tuple[Rule, int]]:
    """Each rule that applies, with its points; later rules see what earlier ones want (bonus upon base)."""
    found: list[tuple[Rule, int]] = []
    for rule in case.likely(rules):
        if not rule.asks_for_tier or case.holds(rule.condition):
            found.append((rule, _EFFECTS[rule.effect](rule, case, found)))
    return found


def with_allowance(case: Case, rules: Sequence[Rule]) -> list[Rule]:
    """The rules that could give points for an activity, whatever the tier, if their allowances let them."""
    return [
        rule
        for rule in case.likely(rules)
        if rule.has_allowance and (rule.lines is None or case.matching(rule.lines))
    ]


def _matching(rule: Rule, case: Case) -> Sequence[LineFacts]:
    """The purchase lines that the rule is about."""
    return case.activity.lines if rule.lines is None else case.matching(rule.lines)


def _money(rule: Rule, case: Case) -> Decimal:
    """The money that the rule counts: the whole total, or that of the matching lines."""
    if rule.lines is None:
        return case.activity.total
    return sum((line.total for line in _matching(rule, case)), Decimal(0))


def _whole(value: Decimal, rounding: str) -> int:
    return int(value.to_integral_value(rounding=_ROUNDING[RuleRevision.Rounding(rounding)]))


Found = Sequence[tuple[Rule, int]]


def _per_amount(rule: Rule, case: Case, _found: Found) -> int:
    return _of_money(rule, _money(rule, case))


def _of_money(rule: Rule, money: Decimal) -> int:
    """Points per *full* amount when rounding down (the default); else of the fraction too."""
    if not rule.amount:
        return 0
    if rule.rounding == RuleRevision.Rounding.DOWN:
        return int(money // rule.amount) * rule.points
    return _whole(money / rule.amount * rule.points, rule.rounding)


def _fixed(rule: Rule, case: Case, _found: Found) -> int:
    return rule.points if rule.lines is None or _matching(rule, case) else 0


def _multiplier(rule: Rule, case: Case, found: Found) -> int:
    """The extra of a multiplied base: what the base rules give for the money in question, times the factor less one."""
    if rule.lines is None:
        base = _base(rule, found)
    else:
        money = _money(rule, case)
        base = sum(_of_money(other, money) for other, _points in found if _is_base(other, rule))
    return _whole(base * ((rule.factor or Decimal(1)) - 1), rule.rounding)


def _tier_bonus(rule: Rule, case: Case, found: Found) -> int:
    return int(_base(rule, found) * (case.level.multiplier - 1))


def _is_base(other: Rule, rule: Rule) -> bool:
    return other.qualifying and other.effect == Effect.PER_AMOUNT and other.wallet_id == rule.wallet_id


def _base(rule: Rule, found: Found) -> int:
    """The qualifying points of the rules judged before, in the rule's wallet."""
    return sum(points for other, points in found if other.qualifying and other.wallet_id == rule.wallet_id)


def _per_unit(rule: Rule, case: Case, _found: Found) -> int:
    return _whole(
        sum((line.quantity for line in _matching(rule, case)), Decimal(0)) * rule.points, rule.rounding
    )


def _per_line(rule: Rule, case: Case, _found: Found) -> int:
    return len(_matching(rule, case)) * rule.points


_EFFECTS: Mapping[str, Callable[[Rule, Case, Found], int]] = {
    Effect.PER_AMOUNT: _per_amount,
    Effect.FIXED: _fixed,
    Effect.MULTIPLIER: _multiplier,
    Effect.TIER_BONUS: _tier_bonus,
    Effect.PER_UNIT: _per_unit,
    Effect.PER_LINE: _per_line,
}


# --- What it may give ---------------------------------------------------------------------------------------------


def _none(verdict: Verdict, limit: Limit) -> Verdict:
    return replace(verdict, granted=0, limit=limit)


def _offered(activity: NewActivity, verdicts: Sequence[Verdict], allowances: Allowances) -> list[Verdict]:
    """Refuse offers not taken up, rules in their cooldown, and everything when the kind is used up for the day."""
    if verdicts and allowances.kind_is_used_up(activity):
        return [_none(verdict, Limit.KIND_LIMIT) for verdict in verdicts]
    return [_offer(activity, verdict, allowances) for verdict in verdicts]


def _offer(activity: NewActivity, verdict: Verdict, allowances: Allowances) -> Verdict:
    rule = verdict.rule
    if rule.needs_activation and not allowances.activated(rule, activity):
        return _none(verdict, Limit.NOT_ACTIVATED)
    if rule.cooldown_days:
        last_at = allowances.used(rule, activity).last_at
        if last_at is not None and abs(activity.occurred_at - last_at) < dt.timedelta(
            days=rule.cooldown_days
        ):
            return _none(verdict, Limit.COOLDOWN)
    return verdict


def _compete(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """In each group let only the best, or only the first, give; rules outside groups all add up."""
    groups: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        if verdict.rule.stack_group and verdict.rule.stacking != Stacking.ADD and verdict.granted:
            groups[verdict.rule.stack_group].append(verdict)
    winners = {group: _winner(rivals).rule.revision_id for group, rivals in groups.items()}
    return [
        _none(verdict, Limit.STACK)
        if verdict.rule.stacking != Stacking.ADD
        and verdict.granted
        and winners.get(verdict.rule.stack_group, verdict.rule.revision_id) != verdict.rule.revision_id
        else verdict
        for verdict in verdicts
    ]


def _winner(rivals: Sequence[Verdict]) -> Verdict:
    """The first by priority when any rival is exclusive, else the one that gives most (the first of equals)."""
    if any(verdict.rule.stacking == Stacking.EXCLUSIVE for verdict in rivals):
        return rivals[0]
    return max(rivals, key=lambda verdict: verdict.granted)


def _limited(activity: NewActivity, verdict: Verdict, allowances: Allowances) -> Verdict:
    """Apply the caps and the budget: the activity's cap rejects or trims as chosen, the others trim."""
    rule = verdict.rule
    if not verdict.granted:
        return verdict
    if rule.cap_per_activity is not None and verdict.granted > rule.cap_per_activity:
        if rule.over_cap == RuleRevision.OverCap.REJECT:
            return _none(verdict, Limit.ACTIVITY_CAP)
        verdict = replace(verdict, granted=rule.cap_per_activity, limit=Limit.ACTIVITY_CAP)
    if rule.cap_per_member is not None:
        left = max(rule.cap_per_member - allowances.used(rule, activity).points, 0)
        if verdict.granted > left:
            verdict = replace(verdict, granted=left, limit=Limit.MEMBER_CAP)
    if rule.budget is not None:
        in_budget = max(allowances.budget_left(rule) or 0, 0)
        if verdict.granted > in_budget:
            verdict = replace(verdict, granted=in_budget, limit=Limit.BUDGET)
    return verdict


def waits_until(rule: Rule, occurred_at: dt.datetime) -> dt.datetime | None:
    """When the rule's pending points become available; None: never by themselves, or not pending at all."""
    if rule.pending_confirmation:
        return None
    moments = [occurred_at + dt.timedelta(days=rule.pending_days)] if rule.pending_days else []
    if rule.pending_until and rule.pending_until > occurred_at:
        moments.append(rule.pending_until)
    return max(moments, default=None)


def is_pending(rule: Rule, occurred_at: dt.datetime) -> bool:
    """Whether points of the rule have to wait."""
    return rule.pending_confirmation or waits_until(rule, occurred_at) is not None
