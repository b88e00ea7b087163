"""A member's tier history in words: each change with its reason, as sentences for the member and for staff."""

from collections.abc import Sequence
from datetime import timedelta

from django.utils.formats import date_format, number_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loyalty import programme
from members.models import Member, TierChange

Reason = TierChange.Reason
_KEPT_IN_SIGHT = 50
_MOMENT = timedelta(microseconds=1)
"""What ends at midnight is said by the day before."""


def amount_text(amount: int, basis: str) -> str:
    """“1 000 points”, “1 000 EUR” or “12 purchases”."""
    figure = number_format(amount, force_grouping=True)
    if basis == "spend":
        return f"{figure} {programme.current().base_currency}"
    if basis == "purchases":
        return ngettext("%(figure)s purchase", "%(figure)s purchases", amount) % {"figure": figure}
    return ngettext("%(figure)s point", "%(figure)s points", amount) % {"figure": figure}


def history_of(member: Member) -> list[TierChange]:
    """The member's latest tier changes, newest first, with what the sentences need; one statement."""
    rows = TierChange.objects.filter(member=member).select_related("from_tier", "to_tier", "hold__staff")
    return list(rows.order_by("-changed_at", "-id")[:_KEPT_IN_SIGHT])


def sentence(change: TierChange) -> str:
    """Why the tier changed: “Silver was reached with 1 000 points.”"""
    facts = {
        "tier": change.to_tier,
        "before": change.from_tier or "",
        "amount": amount_text(change.qualifying_points, change.basis),
    }
    if change.hold is not None and change.hold.until is not None:
        facts["until"] = date_format(localtime(change.hold.until - _MOMENT), "SHORT_DATE_FORMAT")
    return _template(change) % facts


def _template(change: TierChange) -> str:
    rose = change.from_tier is None or change.to_tier.rank > change.from_tier.rank
    until = change.hold is not None and change.hold.until is not None
    if change.reason == Reason.BY_HAND and until:
        return _("%(tier)s was set by hand, until %(until)s.")
    if rose and change.reason in (Reason.PROMOTED, Reason.REVIEWED):
        return _("%(tier)s was reached with %(amount)s.")
    return {
        Reason.ENROLLED: _("Joined the programme as %(tier)s."),
        Reason.PROMOTED: _("%(tier)s was reached with %(amount)s."),
        Reason.REVIEWED: _("%(amount)s were no longer enough for %(before)s."),
        Reason.STEPPED: _("%(amount)s were no longer enough for %(before)s: one tier down."),
        Reason.PERIOD_END: _("The year ended with %(amount)s, which gives %(tier)s."),
        Reason.TERMS: _("The tiers were revised: %(amount)s now give %(tier)s."),
        Reason.BY_HAND: _("%(tier)s was set by hand."),
        Reason.HOLD_ENDED: _("The tier set by hand ended; %(amount)s give %(tier)s."),
    }.get(Reason(change.reason), change.get_reason_display())


def explained(changes: Sequence[TierChange]) -> list[tuple[TierChange, str]]:
    """Each change with its sentence."""
    return [(change, sentence(change)) for change in changes]
