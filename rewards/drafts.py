"""What stands in a draft of new terms: the terms it would make, for the backtest, and their publishing, in one step.

The admin writes drafts with ``rule_entry``, ``expiry_entry`` and, for tiers, what ``tier_drafts.NewTerms`` makes.
"""

import dataclasses
import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from rewards import revisions, terms, tier_drafts
from rewards.models import Draft, EarningRule, ExpiryPolicy, RuleRevision, TierDraft
from rewards.rule_terms import RevisionRefused, RuleTerms
from rewards.terms import Policy, Rule, Terms
from rewards.tier_drafts import NewTerms

_BEGINNING = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_LAST = 1 << 62
"""Among rules of one priority a draft's comes last, as the newest revision will."""


# --- Writing a draft --------------------------------------------------------------------------------------------------


def rule_entry(
    code: str, rule_terms: RuleTerms | None, *, names: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """A rule's place in a draft: what it is to give, or (None) that it is to end. ``names``: of a new rule."""
    return {
        "code": code,
        "names": dict(names) if names else None,
        "terms": _written(dataclasses.asdict(rule_terms)) if rule_terms else None,
    }


def _written(values: Any) -> Any:
    """The values as JSON keeps them: decimals and moments as text."""
    if isinstance(values, Mapping):
        return {name: _written(value) for name, value in values.items()}
    if isinstance(values, list | tuple):
        return [_written(value) for value in values]
    if isinstance(values, Decimal):
        return str(values)
    if isinstance(values, dt.datetime):
        return values.isoformat()
    return values


def expiry_entry(
    *,
    wallet_id: int,
    months: int | None = None,
    days: int | None = None,
    rounding: str,
    sliding: bool = False,
) -> dict[str, Any]:
    """An expiry policy in a draft. Raises RevisionRefused for a length that cannot be."""
    revisions.check_length(months, days, rounding, sliding=sliding)
    return {
        "wallet_id": wallet_id,
        "months": months,
        "days": days,
        "rounding": rounding,
        "sliding": sliding,
    }


def policy_of(entry: Mapping[str, Any]) -> ExpiryPolicy:
    """A drafted expiry policy, not saved. Drafts of earlier times know months only."""
    return ExpiryPolicy(
        wallet_id=entry["wallet_id"],
        valid_from=_BEGINNING,
        months=entry["months"],
        days=entry.get("days"),
        rounding=entry["rounding"],
        sliding=entry.get("sliding", False),
    )


def rules_of(changes: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(changes.get("rules") or ())


def with_rule(changes: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """The changes with this entry, in the place of an earlier one of the same rule."""
    kept = without_rule(changes, entry["code"])
    return {**kept, "rules": [*kept["rules"], dict(entry)]}


def without_rule(changes: Mapping[str, Any], code: str) -> dict[str, Any]:
    return {**changes, "rules": [each for each in rules_of(changes) if each["code"] != code]}


def with_expiry(changes: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """The changes with this expiry policy, in the place of an earlier one of the same wallet."""
    kept = [each for each in changes.get("expiry") or () if each["wallet_id"] != entry["wallet_id"]]
    return {**changes, "expiry": [*kept, dict(entry)]}


def is_empty(changes: Mapping[str, Any]) -> bool:
    return not (rules_of(changes) or changes.get("tiers") or changes.get("expiry"))


# --- The terms it would make ------------------------------------------------------------------------------------------


def revision_of(entry: Mapping[str, Any], *, rule: EarningRule, pk: int | None = None) -> RuleRevision:
    """A drafted rule as a revision that is not saved."""
    columns = terms_of(entry).columns()
    return RuleRevision(pk=pk, rule=rule, number=0, valid_from=_BEGINNING, **columns)


def terms_of(entry: Mapping[str, Any]) -> RuleTerms:
    """What a drafted rule is to give."""
    return RuleTerms(**_read(entry["terms"]))


def _read(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a revision, out of JSON."""
    columns: dict[str, Any] = {
        name: column
        for column in RuleRevision._meta.concrete_fields
        for name in {column.name, column.attname}
    }
    return {
        name: columns[name].to_python(value) if name in columns else value for name, value in values.items()
    }


@dataclass(frozen=True)
class DraftTerms(Terms):
    """Terms as they would be, for a replay."""


def terms_with(changes: Mapping[str, Any], known: Terms) -> DraftTerms:
    """The terms as they would be had the changes always been in force."""
    facts = {field.name: getattr(known, field.name) for field in dataclasses.fields(Terms)}
    facts["all_rules"] = _rules_with(rules_of(changes), known)
    if changes.get("tiers"):
        drafted = tier_drafts.rules_of(NewTerms.of(changes["tiers"]), valid_from=_BEGINNING)
        facts["tiers"] = (drafted,)
        facts["tier_names"] = known.tier_names | {
            level.tier_id: (level.code, level.names) for level in drafted.levels
        }
    facts["policies"] = known.policies | {
        entry["wallet_id"]: (_judged_by(policy_of(entry)),) for entry in changes.get("expiry") or ()
    }
    return DraftTerms(**facts)


def _judged_by(policy: ExpiryPolicy) -> Policy:
    return Policy(policy.valid_from, policy.months, policy.rounding, policy.days, policy.sliding)


def _rules_with(entries: Iterable[Mapping[str, Any]], known: Terms) -> tuple[Rule, ...]:
    """All rules, those of the entries replaced, in the order in which they would be judged."""
    priorities = dict(RuleRevision.objects.values_list("pk", "priority"))
    changed = {entry["code"]: entry for entry in entries}
    existing = {rule.code: rule for rule in EarningRule.objects.filter(code__in=changed)}
    found = [
        ((priorities.get(rule.revision_id, 0), rule.revision_id), rule)
        for rule in known.all_rules
        if rule.code not in changed
    ]
    for number, (code, entry) in enumerate(changed.items(), start=1):
        if entry["terms"] is None:
            continue
        rule = existing.get(code) or EarningRule(pk=-number, code=code, names=entry["names"] or {})
        revision = revision_of(entry, rule=rule, pk=-number)
        found.append(((revision.priority, _LAST + number), terms.rule_of(revision)))
    return tuple(rule for _order, rule in sorted(found, key=lambda pair: pair[0]))


# --- Publishing -------------------------------------------------------------------------------------------------------


class NotPublishable(Exception):
    """The draft was published before, or there is nothing in it."""


def publish(
    *, draft_id: int, at: dt.datetime, staff_id: int | None, valid_from: dt.datetime | None = None
) -> Draft:
    """Make the revisions that the draft is about, all in force from ``valid_from`` on (default: now), or none of them.

    Raises NotPublishable, and RevisionRefused when one of them cannot be made so. Of two who publish at once, one does.
    """
    with transaction.atomic():
        draft = Draft.objects.select_for_update().get(pk=draft_id)
        if draft.published_at is not None or is_empty(draft.changes):
            raise NotPublishable
        for entry in rules_of(draft.changes):
            _publish_rule(entry, at=at, valid_from=valid_from)
        if draft.changes.get("tiers"):
            tiers = TierDraft.objects.create(
                name=draft.name, content=draft.changes["tiers"], valid_from=valid_from
            )
            tier_drafts.publish(draft_id=tiers.pk, at=at)
        for entry in draft.changes.get("expiry") or ():
            revisions.revise_expiry(**entry, at=at, valid_from=valid_from)
        draft.published_at, draft.published_by_id = at, staff_id
        draft.save(update_fields=["published_at", "published_by"])
        return draft


def _publish_rule(entry: Mapping[str, Any], *, at: dt.datetime, valid_from: dt.datetime | None) -> None:
    rule = EarningRule.objects.filter(code=entry["code"]).first()
    if entry["terms"] is None:
        if rule is None:
            raise RevisionRefused("rules", _("There is no rule “%(code)s” to end.") % {"code": entry["code"]})
        revisions.end_rule(rule_id=rule.pk, at=valid_from or at)
        return
    if rule is None:
        rule = EarningRule.objects.create(code=entry["code"], names=entry["names"] or {})
    revisions.revise_rule(rule_id=rule.pk, rule_terms=terms_of(entry), at=at, valid_from=valid_from)
