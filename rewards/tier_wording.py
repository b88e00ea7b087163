"""Tier terms and where a member's tier is heading, read out in the active language for members and staff."""

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loyalty.translated import in_language
from members.tier_history import amount_text
from rewards.projection import Projection
from rewards.tier_rules import Basis, Downgrade, Keep, Level, TierRules, Window
from rewards.wording import number

__all__ = [
    "amount_text",
    "basis_text",
    "benefits",
    "heading_text",
    "keep_text",
    "loss_text",
    "policy_text",
    "window_text",
]


def basis_text(rules: TierRules) -> str:
    """What tiers are reached by."""
    return {
        Basis.SPEND: _("money spent, less refunds"),
        Basis.PURCHASES: _("the number of purchases"),
    }.get(Basis(rules.basis), _("qualifying points"))


def window_text(rules: TierRules) -> str:
    """“in 12 months”, “in a calendar year”."""
    if rules.window_kind == Window.CALENDAR_YEAR:
        return _("in a calendar year")
    if rules.window_kind == Window.MEMBERSHIP_YEAR:
        return _("in a year of membership")
    if rules.window_kind == Window.LIFETIME:
        return _("since joining")
    if rules.window.days == 365:
        return _("in 12 months")
    return ngettext("in %(days)s day", "in %(days)s days", rules.window.days) % {"days": rules.window.days}


def keep_text(rules: TierRules) -> str:
    """For how long a tier that was reached is kept; "" without such a rule."""
    length = rules.keep_length
    if rules.keep == Keep.DAYS:
        return ngettext(
            "A tier is kept for at least %(days)s day after it was last reached.",
            "A tier is kept for at least %(days)s days after it was last reached.",
            length,
        ) % {"days": length}
    if rules.keep == Keep.NONE:
        return ""
    membership = rules.keep == Keep.MEMBERSHIP_YEAR
    if length == 0:
        return (
            _("A tier is kept until the end of the membership year in which it was reached.")
            if membership
            else _("A tier is kept until the end of the year in which it was reached.")
        )
    if length == 1:
        return (
            _("A tier is kept until the end of the next membership year.")
            if membership
            else _("A tier is kept until the end of the next year.")
        )
    return _("A tier is kept until the end of the year in which it was reached and %(years)s more.") % {
        "years": length
    }


def loss_text(rules: TierRules) -> str:
    """What happens when the amount is no longer enough."""
    if rules.downgrade == Downgrade.NEVER:
        return _("A tier is never lost.")
    if rules.downgrade == Downgrade.ONE_STEP:
        return _("After that it falls one tier at a time.")
    if rules.downgrade == Downgrade.PERIOD_END:
        if not rules.grace_days:
            return _("Tiers are lost only when a year ends.")
        return ngettext(
            "Tiers are lost only when a year ends, with %(days)s day of grace.",
            "Tiers are lost only when a year ends, with %(days)s days of grace.",
            rules.grace_days,
        ) % {"days": rules.grace_days}
    return _("When it is no longer enough, the night's review gives the tier that it is enough for.")


def policy_text(rules: TierRules) -> str:
    """The terms without their levels, in a few sentences."""
    first = _("Tiers are reached by %(basis)s, counted %(window)s.") % {
        "basis": basis_text(rules),
        "window": window_text(rules),
    }
    return " ".join(part for part in (first, keep_text(rules), loss_text(rules)) if part)


def heading_text(found: Projection, following: Level | None, name: str, next_name: str) -> list[str]:
    """Where the tier is heading: the next one at this pace, until when this one lasts, and what holds it by hand."""
    said = []
    if following is not None and found.next_on is not None:
        month = date_format(found.next_on, "YEAR_MONTH_FORMAT")
        said.append(_("At this pace %(tier)s in %(month)s.") % {"tier": next_name, "month": month})
    if found.lasts_until is not None:
        day = date_format(found.lasts_until, "SHORT_DATE_FORMAT")
        said.append(_("%(tier)s is yours at least until %(day)s.") % {"tier": name, "day": day})
    return said


def level_text(level: Level, rules: TierRules) -> str:
    """“1 000 points in 12 months”; "" for the lowest tier."""
    if not level.threshold:
        return ""
    return _("%(amount)s %(window)s") % {
        "amount": amount_text(level.threshold, rules.basis),
        "window": window_text(rules),
    }


def multiplier_text(level: Level) -> str:
    """“1.25 times the points”; "" for one that gives no more."""
    if level.multiplier <= 1:
        return ""
    return _("%(times)s times the points") % {"times": number(level.multiplier.normalize())}


def benefits(level: Level) -> list[str]:
    """What a tier gives, as a list of texts."""
    found = [multiplier_text(level)]
    if level.birthday_points:
        points = amount_text(level.birthday_points, "points")
        found.append(_("%(points)s on your birthday") % {"points": points})
    return [text for text in (*found, *(in_language(texts) for texts in level.benefits)) if text]
