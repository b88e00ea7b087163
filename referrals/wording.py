"""Terms and states of referrals in words, in the active language, for members and staff alike."""

import datetime as dt

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from members.models import ActivityKind
from referrals.models import ProgrammeTerms, Referral
from referrals.states import Reason, State
from rewards.models import VoucherFamily
from rewards.vouchers.wording import money_text
from rewards.wording import number

Trigger = ProgrammeTerms.Trigger


def what_it_takes(terms: ProgrammeTerms) -> str:
    """What a friend has to do: “a first purchase of at least 20,00 €”."""
    least = money_text(terms.minimum_purchase)
    match terms.trigger:
        case Trigger.SPEND:
            return _("purchases of %(amount)s in all") % {"amount": money_text(terms.spend)}
        case Trigger.NTH_PURCHASE if terms.minimum_purchase:
            return ngettext(
                "%(count)s purchase of at least %(amount)s",
                "%(count)s purchases of at least %(amount)s each",
                terms.purchases,
            ) % {"count": terms.purchases, "amount": least}
        case Trigger.NTH_PURCHASE:
            return ngettext("%(count)s purchase", "%(count)s purchases", terms.purchases) % {
                "count": terms.purchases
            }
        case Trigger.ACTIVITY:
            kind = ActivityKind.objects.filter(pk=terms.activity_kind).first()
            return str(kind) if kind else terms.activity_kind
    if terms.minimum_purchase:
        return _("a first purchase of at least %(amount)s") % {"amount": least}
    return _("a first purchase")


def what_it_gives(points: int, voucher: VoucherFamily | None) -> str:
    """“500 points and Free coffee”; blank for nothing."""
    parts = []
    if points:
        parts.append(ngettext("%(points)s point", "%(points)s points", points) % {"points": number(points)})
    if voucher is not None:
        parts.append(str(voucher))
    return _(" and ").join(parts)


def friends_gift(terms: ProgrammeTerms) -> str:
    """What the friend gets."""
    return what_it_gives(terms.friend_points, terms.friend_voucher)


def referrers_gift(terms: ProgrammeTerms) -> str:
    """What the referrer gets."""
    return what_it_gives(terms.referrer_points, terms.referrer_voucher)


def why(referral: Referral) -> str:
    """What a referral waits for, or why it ended or brought less: a sentence for the referrer; blank when all is well.

    Says nothing of how fraud is found.
    """
    match referral.state:
        case State.JOINED | State.PURCHASED if referral.terms is not None and referral.lapses_at is not None:
            return _("Still to come by %(day)s: %(what)s.") % {
                "day": _day(referral.lapses_at),
                "what": what_it_takes(referral.terms),
            }
        case State.WAITING if referral.due_at is not None:
            return _("Settled after %(day)s, when a return is no longer likely.") % {
                "day": _day(referral.due_at)
            }
        case State.HELD:
            return _("We are checking this one. Nothing is lost meanwhile.")
        case State.REJECTED if referral.reason == Reason.FRAUD:
            return _("It did not meet the terms. You can ask us to look at it again.")
    return _sentence(Reason(referral.reason).label) if referral.reason else ""


def _sentence(text: object) -> str:
    words = str(text)
    return f"{words[:1].upper()}{words[1:]}."


def _day(moment: dt.datetime) -> str:
    return date_format(localtime(moment), "SHORT_DATE_FORMAT")
