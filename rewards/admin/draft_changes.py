"""The changes of a draft, read out for staff."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext

from loyalty.translated import in_language
from rewards import drafts
from rewards.models import EarningRule, RuleRevision
from rewards.rule_wording import number, sentence_of
from rewards.tier_drafts import NewTerms
from rewards.wording import expiry_of


def revision_of(entry: Mapping[str, Any]) -> RuleRevision:
    """A drafted rule as a revision of the rule it names, or of one still to be made."""
    rule = EarningRule(code=entry["code"], names=entry["names"] or {})
    return drafts.revision_of(entry, rule=rule)


def read_out(changes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The changes of a draft as the page shows them: what it is, its sentence, and where to change it."""
    known = {rule.code: rule for rule in EarningRule.objects.all()}
    found: list[dict[str, Any]] = []
    for entry in drafts.rules_of(changes):
        name = str(known.get(entry["code"]) or in_language(entry["names"] or {}) or entry["code"])
        sentence = sentence_of(revision_of(entry)) if entry["terms"] else gettext("The rule ends.")
        kind = gettext("new rule") if entry["code"] not in known else gettext("rule")
        found.append(
            {
                "title": name,
                "kind": kind,
                "sentence": sentence,
                "what": f"rule:{entry['code']}",
                "code": entry["code"],
            }
        )
    if tiers := changes.get("tiers"):
        levels = NewTerms.of(tiers).levels
        sentence = ", ".join(
            f"{in_language(level.names) or level.code} {number(level.threshold)} (×{number(level.multiplier)})"
            for level in levels
        )
        found.append(
            {"title": gettext("Tiers"), "kind": gettext("tiers"), "sentence": sentence, "what": "tiers"}
        )
    found += [
        {
            "title": gettext("Expiry"),
            "kind": gettext("expiry"),
            "sentence": expiry_of(drafts.policy_of(entry)),
            "what": "expiry",
        }
        for entry in changes.get("expiry") or ()
    ]
    return found
