"""Why a referral is held, in words for staff, in the active language. Members never see this."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from referrals.fraud.signals import OF_MARK
from referrals.models import Signal, SignalKind
from rewards.vouchers.wording import money_text

_OF_MARKS = frozenset(OF_MARK.values())


def reason(signal: Signal) -> str:
    """A sentence of what was found: “The same device: the referrer, and 3 other friends of theirs.”"""
    name = signal.get_kind_display()
    detail = _shared(signal.facts) if signal.kind in _OF_MARKS else _detail(signal.kind, signal.facts)
    return f"{name[:1].upper()}{name[1:]}{': ' if detail else ''}{detail}."


def _shared(facts: Mapping[str, Any]) -> str:
    friends = int(facts.get("friends", 0))
    others = ngettext("%(count)s other friend of theirs", "%(count)s other friends of theirs", friends)
    parts = [_("the referrer")] if facts.get("referrer") else []
    parts += [others % {"count": friends}] if friends else []
    return ", ".join(parts)


def _detail(kind: str, facts: Mapping[str, Any]) -> str:
    match kind:
        case SignalKind.VELOCITY:
            count = int(facts["friends"])
            return ngettext("%(count)s friend within a day", "%(count)s friends within a day", count) % {
                "count": count
            }
        case SignalKind.CIRCLE:
            count = int(facts["people"])
            return ngettext("%(count)s person", "%(count)s people", count) % {"count": count}
        case SignalKind.CHAIN:
            count = int(facts["links"])
            return ngettext("%(count)s in a row", "%(count)s in a row", count) % {"count": count}
        case SignalKind.JUST_ENOUGH:
            return _("%(paid)s, where %(minimum)s is enough") % {
                "paid": money_text(Decimal(facts["paid"])),
                "minimum": money_text(Decimal(facts["minimum"])),
            }
        case SignalKind.RETURNED:
            return _("%(returned)s of %(purchases)s") % facts
    return ""
