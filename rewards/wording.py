"""Terms read out as sentences in the active language, for staff (and one day for members)."""

from decimal import Decimal

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loyalty import conditions
from loyalty.programme import current
from rewards.models import ExpiryPolicy, RuleRevision, TierTerms


def number(value: int | Decimal) -> str:
    """A number as people write it, without decimals that say nothing."""
    whole = value == int(value)
    return number_format(int(value) if whole else value, force_grouping=True)


def what_it_gives(revision: RuleRevision) -> str:
    """“1 point for each full 1 EUR; counts towards tiers”."""
    parts = [_effect(revision)]
    if revision.qualifying:
        parts.append(_("counts towards tiers"))
    if revision.pending_days:
        days = revision.pending_days
        parts.append(ngettext("pending for %(days)s day", "pending for %(days)s days", days) % {"days": days})
    return "; ".join(parts)


def _effect(revision: RuleRevision) -> str:
    points = ngettext("%(points)s point", "%(points)s points", revision.points) % {
        "points": number(revision.points)
    }
    if revision.effect == RuleRevision.Effect.PER_AMOUNT:
        return _("%(points)s for each full %(amount)s %(currency)s") % {
            "points": points,
            "amount": number(revision.amount or 0),
            "currency": current().base_currency,
        }
    if revision.effect == RuleRevision.Effect.TIER_BONUS:
        return _("the tier's extra on top of qualifying points")
    return points


def when_it_gives(revision: RuleRevision) -> str:
    """The conditions as a sentence."""
    try:
        condition = conditions.parse(revision.conditions or {}, "activity", check_choices=False)
    except conditions.ConditionError:
        return _("These conditions cannot be read.")
    return condition.sentence(always=_("For every activity."))


def levels_of(terms: TierTerms) -> str:
    """“Bronze 0 (×1), Silver 1 000 (×1.25)”; its levels and their tiers have to be loaded."""
    levels = sorted(terms.levels.all(), key=lambda level: level.threshold)
    return ", ".join(
        f"{level.tier} {number(level.threshold)} (×{number(level.multiplier)})" for level in levels
    )


def expiry_of(policy: ExpiryPolicy) -> str:
    """“24 months, at the end of the month”."""
    if policy.months is None:
        return _("never")
    months = ngettext("%(months)s month", "%(months)s months", policy.months) % {"months": policy.months}
    return f"{months}, {policy.get_rounding_display()}"
