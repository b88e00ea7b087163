"""Terms read out as sentences in the active language, for staff (and one day for members)."""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from rewards.models import ExpiryPolicy, TierTerms
from rewards.rule_wording import number, sentence_of, what_it_gives, when_it_gives

__all__ = ["expiry_of", "levels_of", "number", "sentence_of", "what_it_gives", "when_it_gives"]


def levels_of(terms: TierTerms) -> str:
    """“Bronze 0 (×1), Silver 1 000 (×1.25)”; its levels and their tiers have to be loaded."""
    levels = sorted(terms.levels.all(), key=lambda level: level.threshold)
    return ", ".join(
        f"{level.tier} {number(level.threshold)} (×{number(level.multiplier)})" for level in levels
    )


def expiry_of(policy: ExpiryPolicy) -> str:
    """“24 months, at the end of the month; each activity begins it anew”."""
    if policy.months is None and policy.days is None:
        return _("never")
    if policy.days is not None:
        length = ngettext("%(days)s day", "%(days)s days", policy.days) % {"days": policy.days}
    else:
        months = policy.months or 0
        length = ngettext("%(months)s month", "%(months)s months", months) % {"months": months}
    text = f"{length}, {policy.get_rounding_display()}"
    return f"{text}; {_('each activity begins it anew')}" if policy.sliding else text
