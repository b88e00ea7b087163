"""What an earning rule is to give, as callers say it, and whether it can be so. Read by the admin, drafts and the API.

The checks name the field to mend, so that every caller can say the same thing beside the same field.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from loyalty import conditions
from rewards.models import RuleRevision

Effect = RuleRevision.Effect
Stacking = RuleRevision.Stacking

WITH_POINTS = frozenset({Effect.PER_AMOUNT, Effect.FIXED, Effect.PER_UNIT, Effect.PER_LINE})
WITH_ROUNDING = frozenset({Effect.PER_AMOUNT, Effect.MULTIPLIER, Effect.PER_UNIT})
ON_TOP = frozenset({Effect.MULTIPLIER, Effect.TIER_BONUS})
"""Effects that add to what rules judged before them give."""

DEFAULT_PRIORITY = 100
"""After the base rule (0) and the tier's extra (10)."""


class RevisionRefused(Exception):
    """These terms cannot be put in force so; the message says why. ``field`` is what to mend."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTerms:
    """What a rule is to give; the names are those of ``RuleRevision``.

    ``amount`` in the base currency; ``conditions`` (about the activity) and ``lines`` in the form of
    ``loyalty.conditions``.
    """

    wallet_id: int
    effect: str
    points: int = 1
    amount: Decimal | None = None
    factor: Decimal | None = None
    rounding: str = RuleRevision.Rounding.DOWN
    qualifying: bool = False
    pending_days: int = 0
    pending_until: dt.datetime | None = None
    pending_confirmation: bool = False
    priority: int = 0
    conditions: Mapping[str, Any] = field(default_factory=dict)
    lines: Mapping[str, Any] = field(default_factory=dict)
    stack_group: str = ""
    stacking: str = Stacking.ADD
    cap_per_activity: int | None = None
    over_cap: str = RuleRevision.OverCap.TRIM
    cap_per_member: int | None = None
    cap_period: str = RuleRevision.Period.MONTH
    budget: int | None = None
    cooldown_days: int = 0
    needs_activation: bool = False

    @classmethod
    def of(cls, revision: RuleRevision) -> "RuleTerms":
        """The terms of a revision, to be changed into those of the next."""
        return cls(**{each.name: getattr(revision, each.name) for each in fields(cls)})

    def columns(self) -> dict[str, Any]:
        """The columns of a revision; what the effect has no use for is left out, so that it never misleads."""
        found = {each.name: getattr(self, each.name) for each in fields(self)}
        found |= {"conditions": dict(self.conditions), "lines": dict(self.lines)}
        found["stack_group"] = self.stack_group.strip()
        if self.effect not in WITH_POINTS:
            found["points"] = 1
        if self.effect not in WITH_ROUNDING:
            found["rounding"] = RuleRevision.Rounding.DOWN
        if self.effect != Effect.PER_AMOUNT:
            found["amount"] = None
        if self.effect != Effect.MULTIPLIER:
            found["factor"] = None
        if self.effect == Effect.TIER_BONUS:
            found["lines"] = {}
        return found


def check(terms: RuleTerms, *, rule_id: int | None, start: dt.datetime) -> None:
    """Raise RevisionRefused unless these can be the terms of a rule from ``start`` on. ``rule_id`` None: a new rule."""
    _check_effect(terms)
    _check_limits(terms)
    _check_pending(terms, start)
    _check_conditions(terms)
    running = RuleRevision.objects.filter(Q(valid_to=None) | Q(valid_to__gt=start), rule__is_active=True)
    others = list(running.exclude(rule_id=rule_id).select_related("rule").order_by("priority", "pk"))
    _check_group(terms, others)
    _check_order(terms, others)


def _check_effect(terms: RuleTerms) -> None:
    if terms.effect not in Effect.values:
        raise RevisionRefused("effect", _("Choose what the rule gives."))
    if terms.effect in WITH_POINTS and terms.points < 1:
        raise RevisionRefused("points", _("Give the points: 1 or more."))
    if terms.effect == Effect.PER_AMOUNT and not (terms.amount and terms.amount > 0):
        raise RevisionRefused("amount", _("Give the amount that brings the points."))
    if terms.effect == Effect.MULTIPLIER and not (terms.factor and terms.factor > 1):
        raise RevisionRefused("factor", _("Give a factor above 1: 2 doubles the base points, 1.5 adds half."))


def _check_limits(terms: RuleTerms) -> None:
    for name in ("cap_per_activity", "cap_per_member", "budget"):
        value = getattr(terms, name)
        if value is not None and value < 1:
            raise RevisionRefused(name, _("Give 1 or more, or leave it empty for no limit."))
    if terms.cooldown_days < 0:
        raise RevisionRefused("cooldown_days", _("Give the days, or 0 for no limit."))


def _check_pending(terms: RuleTerms, start: dt.datetime) -> None:
    if terms.pending_confirmation and (terms.pending_days or terms.pending_until):
        raise RevisionRefused(
            "pending_confirmation",
            _("Points that wait for a confirmation cannot also wait for a date. Choose one of the two."),
        )
    if terms.pending_until and terms.pending_until <= start:
        raise RevisionRefused("pending_until", _("Choose a moment after the rule begins."))


def _check_conditions(terms: RuleTerms) -> None:
    for name, subject in (("conditions", "activity"), ("lines", "line")):
        try:
            conditions.parse(getattr(terms, name) or {}, subject)
        except conditions.ConditionError as error:
            raise RevisionRefused(name, str(error)) from error


def _check_group(terms: RuleTerms, others: list[RuleRevision]) -> None:
    group = terms.stack_group.strip()
    if not group:
        if terms.stacking != Stacking.ADD:
            raise RevisionRefused("stack_group", _("Name the group whose rules compete with this one."))
        return
    for other in others:
        if other.stack_group == group and other.stacking != terms.stacking:
            raise RevisionRefused(
                "stacking",
                _("All rules of a group compete alike. In “%(group)s” the rule “%(rule)s” has: %(stacking)s.")
                % {"group": group, "rule": other.rule, "stacking": other.get_stacking_display()},
            )


def _check_order(terms: RuleTerms, others: list[RuleRevision]) -> None:
    """A multiple is of what was judged before: the base rules have to have lower priorities than it."""
    here = [other for other in others if other.wallet_id == terms.wallet_id]
    if terms.effect in ON_TOP:
        bases = [other for other in here if other.effect == Effect.PER_AMOUNT and other.qualifying]
        if not bases:
            raise RevisionRefused(
                "effect",
                _("No rule gives base points in this wallet, so there is nothing to multiply."),
            )
        if terms.priority <= (highest := max(base.priority for base in bases)):
            raise RevisionRefused(
                "priority",
                _("Give a priority above %(priority)s: the base points have to be judged first.")
                % {"priority": highest},
            )
    if terms.effect == Effect.PER_AMOUNT and terms.qualifying:
        upon = [other for other in here if other.effect in ON_TOP]
        if upon and terms.priority >= upon[0].priority:
            raise RevisionRefused(
                "priority",
                _("Give a priority below %(priority)s: the rule “%(rule)s” multiplies what this one gives.")
                % {"priority": upon[0].priority, "rule": upon[0].rule},
            )
