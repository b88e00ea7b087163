"""Why these points: for each rule in force at an activity's time what it gave, or why it gave nothing, as a sentence.

What was judged is read from the judgement kept with the activity; rules whose conditions did not hold are judged again
(pure), under the tier held then. Read by the API, the portal's statement and the admin, in the active language.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _
from django_stubs_ext import StrOrPromise

from loyalty.conditions import Condition
from loyalty.conditions.sentence import all_of, clause
from loyalty.conditions.tree import AllOf, Not
from loyalty.translated import in_language
from members.models import Activity, ActivityLine
from members.queries import lines_by_activity
from rewards import facts, rules, terms
from rewards.case import Case
from rewards.facts import Asked
from rewards.models import Judgement, RuleRevision, Transfer
from rewards.refunds import as_reported
from rewards.rules import Limit
from rewards.terms import Rule, Terms
from rewards.wording import number, what_it_gives

GIVEN = "given"
CONDITION, LINES, AMOUNT, TIER, BASE, FRACTION, LATER = (
    *("condition", "lines", "less_than_amount", "tier", "no_base_points", "less_than_a_point", "not_in_use"),
)
OUTCOMES = (GIVEN, *(str(limit) for limit in Limit), CONDITION, LINES, AMOUNT, TIER, BASE, FRACTION, LATER)

Period = RuleRevision.Period


@dataclass(frozen=True, slots=True)
class Explanation:
    """What one rule did about one activity. ``outcome`` is one of OUTCOMES: GIVEN, or what kept (part of) it back."""

    rule: str
    name: str
    revision: int
    points: int
    outcome: str
    text: str
    pending: bool = False


@dataclass(frozen=True, slots=True)
class _Kept:
    """What the judgement says of one rule."""

    wanted: int
    granted: int
    limit: str | None


def explain(activity: Activity) -> list[Explanation]:
    """Every rule in force at the activity's time, those that gave points first."""
    return explain_many([activity])[activity.pk]


def explain_many(
    activities: Sequence[Activity], lines: Mapping[int, Sequence[ActivityLine]] | None = None
) -> dict[int, list[Explanation]]:
    """The explanations by activity id, in a constant number of statements; ``store`` and ``channel`` are loaded.

    ``lines`` are the receipts by activity id, for a caller that has read them anyway.
    """
    known = terms.current()
    receipts = lines_by_activity(activity.pk for activity in activities) if lines is None else lines
    reported = [as_reported(activity, receipts.get(activity.pk, ())) for activity in activities]
    asked = [Asked(activity.pk, new) for activity, new in zip(activities, reported, strict=True)]
    judged = _judged(activities)
    revisions = _revisions(kept for _tier, verdicts in judged.values() for kept in verdicts)
    found = {}
    for each, more in zip(asked, facts.gather(asked, terms=known), strict=True):
        id_ = each.id or 0
        tier_id, kept = judged[id_]
        level = known.tiers_at(each.activity.occurred_at).level_of(tier_id)
        found[id_] = _explained(Case(each.activity, level, more), kept, revisions, known)
    return found


def _judged(activities: Sequence[Activity]) -> dict[int, tuple[int, dict[int, _Kept]]]:
    """Tier held and verdicts by revision, of each activity; from the ledger alone where no judgement was kept."""
    found: dict[int, tuple[int, dict[int, _Kept]]] = {
        row.activity_id: (
            row.tier_id,
            {
                verdict["revision"]: _Kept(verdict["wanted"], verdict["granted"], verdict["limit"])
                for verdict in row.verdicts
            },
        )
        for row in Judgement.objects.filter(activity__in=activities)
    }
    bare = [activity.pk for activity in activities if activity.pk not in found]
    found |= {id_: (0, {}) for id_ in bare}
    rows = (
        Transfer.objects.filter(activity__in=bare, reverses=None, rule_revision__isnull=False) if bare else ()
    )
    for row in rows:
        if row.activity_id is not None and row.rule_revision_id is not None:
            kept = found[row.activity_id][1]
            points = row.points + (kept[row.rule_revision_id].granted if row.rule_revision_id in kept else 0)
            kept[row.rule_revision_id] = _Kept(points, points, None)
    return found


def _revisions(ids: Iterable[int]) -> dict[int, RuleRevision]:
    return RuleRevision.objects.select_related("rule", "wallet").in_bulk(sorted(set(ids)))


def _explained(
    case: Case, kept: Mapping[int, _Kept], revisions: Mapping[int, RuleRevision], known: Terms
) -> list[Explanation]:
    """Both halves: the rules that were judged to apply, and those in force that were not."""
    at = case.activity.occurred_at
    applied = [rule for rule in known.all_rules if rule.revision_id in kept]
    others = [rule for rule in known.rules_at(at) if rule.revision_id not in kept]
    told = [_of_verdict(rule, case, kept, revisions[rule.revision_id], applied) for rule in applied]
    would = {verdict.rule.revision_id for verdict in rules.evaluate(case, rules=(*applied, *others))}
    told += [_of_silence(rule, case, applied, rule.revision_id in would) for rule in others]
    return sorted(told, key=lambda each: not each.points)


# --- Rules that applied -------------------------------------------------------------------------------------------

_PERIOD_CAPS: Mapping[str, StrOrPromise] = {
    Period.DAY: gettext_lazy("The rule gives a member at most %(cap)s points a day."),
    Period.WEEK: gettext_lazy("The rule gives a member at most %(cap)s points a week."),
    Period.MONTH: gettext_lazy("The rule gives a member at most %(cap)s points a month."),
    Period.YEAR: gettext_lazy("The rule gives a member at most %(cap)s points a year."),
    Period.EVER: gettext_lazy("The rule gives a member at most %(cap)s points in all."),
}


def _of_verdict(
    rule: Rule, case: Case, all_kept: Mapping[int, _Kept], revision: RuleRevision, applied: Sequence[Rule]
) -> Explanation:
    kept = all_kept[rule.revision_id]
    if kept.limit is None:
        text = _("%(given)s: %(what)s.") % {"given": _gave(kept.granted), "what": what_it_gives(revision)}
    else:
        gave = _gave_part(kept) if kept.granted else _("No points.")
        text = _("%(gave)s %(why)s") % {"gave": gave, "why": _why_limited(rule, kept, all_kept, applied)}
    pending = bool(kept.granted) and rules.is_pending(rule, case.activity.occurred_at)
    return _told(rule, kept.limit or GIVEN, text, points=kept.granted, pending=pending)


def _told(rule: Rule, outcome: str, text: str, *, points: int = 0, pending: bool = False) -> Explanation:
    return Explanation(
        rule=rule.code,
        name=in_language(rule.names) or rule.code,
        revision=rule.number,
        points=points,
        outcome=str(outcome),
        text=text,
        pending=pending,
    )


def _gave(points: int) -> str:
    return ngettext("%(points)s point", "%(points)s points", points) % {"points": number(points)}


def _gave_part(kept: _Kept) -> str:
    text = ngettext(
        "%(points)s point instead of %(wanted)s.", "%(points)s points instead of %(wanted)s.", kept.granted
    )
    return text % {"points": number(kept.granted), "wanted": number(kept.wanted)}


def _why_limited(rule: Rule, kept: _Kept, all_kept: Mapping[int, _Kept], applied: Sequence[Rule]) -> str:
    """What kept the rest back, as a sentence of its own."""
    match kept.limit:
        case Limit.ACTIVITY_CAP if not kept.granted:
            text = _("%(wanted)s would be more than the rule allows for one activity, which is %(cap)s.")
            return text % {"wanted": number(kept.wanted), "cap": number(rule.cap_per_activity or 0)}
        case Limit.ACTIVITY_CAP:
            text = _("The rule gives at most %(cap)s points for one activity.")
            return text % {"cap": number(rule.cap_per_activity or 0)}
        case Limit.MEMBER_CAP:
            return str(_PERIOD_CAPS[rule.cap_period]) % {"cap": number(rule.cap_per_member or 0)}
        case Limit.BUDGET:
            return _("The rule's budget was used up.")
        case Limit.COOLDOWN:
            days = rule.cooldown_days
            text = ngettext(
                "The rule gives a member points at most once within %(days)s day.",
                "The rule gives a member points at most once within %(days)s days.",
                days,
            )
            return text % {"days": number(days)}
        case Limit.STACK:
            return _stack(rule, all_kept, applied)
        case Limit.NOT_ACTIVATED:
            return _("This is a personal offer, and it had not been activated by then.")
        case Limit.KIND_LIMIT:
            return _("As many activities of this kind as can earn points on one day were rewarded already.")
    return _("A limit of the rule was reached.")


def _stack(rule: Rule, all_kept: Mapping[int, _Kept], applied: Sequence[Rule]) -> str:
    """Who won the group's competition."""
    winner = next(
        (
            other
            for other in applied
            if other.stack_group == rule.stack_group
            and other is not rule
            and all_kept[other.revision_id].limit != Limit.STACK
            and other.stacking != RuleRevision.Stacking.ADD
            and all_kept[other.revision_id].wanted
        ),
        None,
    )
    if winner is None:
        return _("Another rule of the same group was given instead.")
    return _("Only one rule of the group is given, and it was “%(rule)s”.") % {
        "rule": in_language(winner.names) or winner.code
    }


# --- Rules that did not apply -------------------------------------------------------------------------------------


def _of_silence(rule: Rule, case: Case, applied: Sequence[Rule], would_now: bool) -> Explanation:
    """Why a rule in force has no verdict."""
    if unmet := _unmet(rule, case):
        text = _("No points, because %(clause)s.") % {"clause": all_of(unmet)}
        return _told(rule, CONDITION, text)
    if would_now:
        return _told(rule, LATER, _("No points: the rule did not apply when the activity was recorded."))
    lines = _counted(rule, case)
    if rule.lines is not None and not lines:
        words = {"clause": _said(rule, -1, get_language() or "", _minute())}
        return _told(rule, LINES, _("No points, because on no purchase line %(clause)s.") % words)
    return _of_nothing(rule, case, lines, applied)


def _of_nothing(rule: Rule, case: Case, lines: Sequence[Any], applied: Sequence[Rule]) -> Explanation:
    """Why a rule whose conditions hold comes to zero."""
    money = case.activity.total if rule.lines is None else sum((line["total"] for line in lines), Decimal(0))
    if rule.effect == RuleRevision.Effect.PER_AMOUNT and rule.amount and money < rule.amount:
        text = _("No points, because %(money)s is less than the full %(amount)s that gives points.")
        currency = case.activity.currency
        return _told(
            rule, AMOUNT, text % {"money": _money(money, currency), "amount": _money(rule.amount, currency)}
        )
    if rule.effect == RuleRevision.Effect.TIER_BONUS and case.level.multiplier <= 1:
        text = _("No points, because the tier held then, %(tier)s, gives no extra.")
        return _told(rule, TIER, text % {"tier": in_language(case.level.names) or case.level.code})
    if rule.effect in {RuleRevision.Effect.TIER_BONUS, RuleRevision.Effect.MULTIPLIER} and not any(
        other.qualifying and other.wallet_id == rule.wallet_id for other in applied
    ):
        return _told(rule, BASE, _("No points, because there were no base points to add to."))
    return _told(rule, FRACTION, _("No points, because it came to less than one point."))


def _counted(rule: Rule, case: Case) -> list[Mapping[str, Any]]:
    """The purchase lines that the rule is about."""
    at = case.activity.occurred_at
    return [each for each in case.line_facts if rule.lines is None or rule.lines.matches(each, at=at)]


def _money(amount: Decimal, currency: str) -> str:
    return f"{number_format(amount, 2, force_grouping=True)}\N{NO-BREAK SPACE}{currency}"


def _unmet(rule: Rule, case: Case) -> list[str]:
    """The parts of the rule's condition that did not hold, each denied in a clause: “weekday is not Saturday”."""
    at = case.activity.occurred_at
    language, minute = get_language() or "", _minute()
    return [
        _said(rule, place, language, minute)
        for place, part in enumerate(_parts(rule))
        if not part.matches(case.facts, at=at)
    ]


@lru_cache(maxsize=1024)
def _parts(rule: Rule) -> tuple[Condition, ...]:
    """The condition taken apart where all of it has to hold."""
    return tuple(_taken_apart(rule.condition)) if rule.condition else ()


def _taken_apart(condition: Condition) -> list[Condition]:
    if not isinstance(condition.node, AllOf):
        return [condition]
    children = (Condition(condition.subject, child) for child in condition.node.children)
    return [part for child in children for part in _taken_apart(child)]


@lru_cache(maxsize=8192)
def _said(rule: Rule, place: int, language: str, minute: int) -> str:
    """A part of the condition, denied; place -1: which lines count, as it stands.

    Names of kinds and tiers are looked up anew each minute only: a page of explanations repeats the same few clauses.
    """
    if place < 0:
        return clause(rule.lines.node) if rule.lines else ""
    return clause(Not(_parts(rule)[place].node))


def _minute() -> int:
    return int(time.monotonic() // 60)
