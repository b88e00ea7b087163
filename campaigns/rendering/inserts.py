"""The inserts that texts may use, with what they are and a made-up value for previews. The one list of them.

``campaigns.rendering.context`` fills them for members, the checks know them by it, and staff choose from it.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from campaigns.models import Campaign, Message, Variant
from campaigns.rendering.values import Day, Money, Number
from loyalty import programme
from members.models import Member

Occasion = Campaign.Occasion


@dataclass(frozen=True, slots=True)
class Insert:
    """One thing to put into a text: ``path`` as it is written. Of a list, ``path`` is the list and ``of_each`` names
    what every entry has. ``free``: it may have any parts. ``missing`` says why a campaign has none, or "" when it has.
    """

    path: str
    label: Any
    of_each: tuple[str, ...] = ()
    free: bool = False
    missing: Callable[[Campaign], Any] = lambda campaign: ""


def _no_points(campaign: Campaign) -> Any:
    return "" if campaign.bonus_points or campaign.occasion == Occasion.BIRTHDAY else _("it gives no points")


def _no_voucher(campaign: Campaign) -> Any:
    return "" if campaign.voucher_family_id else _("it gives no voucher")


def _no_event(campaign: Campaign) -> Any:
    return "" if campaign.kind == Campaign.Kind.TRIGGERED else _("nothing has happened: it is not triggered")


def _no_purchase(campaign: Campaign) -> Any:
    about = campaign.occasion in {Occasion.EVENT, Occasion.INACTIVE, Occasion.REPLENISH}
    return "" if about else _("it is not about a purchase")


INSERTS: tuple[Insert, ...] = (
    Insert("member.first_name", _("first name")),
    Insert("member.last_name", _("last name")),
    Insert("member.card_number", _("card number")),
    Insert("member.language", _("language")),
    Insert("points", _("points given with the message"), missing=_no_points),
    Insert("balance.available", _("points that can be spent")),
    Insert("balance.pending", _("points still pending")),
    Insert("tier.name", _("tier")),
    Insert("tier.next_name", _("next tier; empty at the top")),
    Insert("tier.missing", _("what is missing for the next tier")),
    Insert("expiring.points", _("points that expire next")),
    Insert("expiring.date", _("the last day they are good for")),
    Insert("reward.name", _("the reward it is about, else the one they save for")),
    Insert("reward.points", _("its price in points")),
    Insert("reward.missing", _("points missing for it")),
    Insert("voucher.name", _("the voucher given with the message"), missing=_no_voucher),
    Insert("voucher.code", _("its code"), missing=_no_voucher),
    Insert("voucher.value", _("what it takes off"), missing=_no_voucher),
    Insert("voucher.valid_to", _("the last day it is good for"), missing=_no_voucher),
    Insert("vouchers", _("all vouchers they hold"), of_each=("name", "code", "value", "valid_to")),
    Insert("recommendations", _("products they may like"), of_each=("name", "category", "brand")),
    Insert("event", _("what happened"), free=True, missing=_no_event),
    Insert("activity.date", _("day of the purchase"), missing=_no_purchase),
    Insert("activity.total", _("what it came to"), missing=_no_purchase),
    Insert("activity.store", _("where"), missing=_no_purchase),
    Insert(
        "activity.products",
        _("what was bought"),
        of_each=("name", "category", "quantity"),
        missing=_no_purchase,
    ),
    Insert("programme.name", _("name of the programme")),
    Insert("links.portal", _("address of the portal")),
    Insert("links.rewards", _("address of the catalogue")),
    Insert("links.preferences", _("address of what they want to get")),
    Insert("links.unsubscribe", _("address for stopping such messages")),
)
ROOTS = frozenset(insert.path.split(".")[0] for insert in INSERTS)

IN_LAYOUTS = ("subject", "preheader", "heading", "body", "button_label", "button_link")
"""What an own layout puts around: ``{{ message.body }}``."""

_NAMES = {"fi": ("Aino", "Virtanen"), "sv": ("Linnea", "Lindqvist"), "en": ("Alex", "Smith")}
_REWARDS = {"fi": "Cappuccino ja korvapuusti", "sv": "Cappuccino och kanelbulle", "en": "Cappuccino and bun"}
_TIERS = {"fi": ("Hopea", "Kulta"), "sv": ("Silver", "Guld"), "en": ("Silver", "Gold")}
_PRODUCTS = {
    "fi": ("Korvapuusti", "Karjalanpiirakka", "Ruisleipä", "Leivonnaiset", "Kahvila Esplanadi"),
    "sv": ("Kanelbulle", "Karelsk pirog", "Rågbröd", "Bakverk", "Café Esplanaden"),
    "en": ("Cinnamon bun", "Karelian pasty", "Rye bread", "Pastries", "Café Esplanadi"),
}
_VOUCHERS = {
    "fi": ("Viisi euroa", "5,00 € alennus"),
    "sv": ("Fem euro", "5,00 € rabatt"),
    "en": ("Five euros", "5,00 € off"),
}


def sample(campaign: Campaign, language: str, *, today: dt.date) -> dict[str, Any]:
    """Every insert with a made-up value that fits the campaign, for a preview without a member."""
    known = language if language in _NAMES else settings.LANGUAGE_CODE
    first_name, last_name = _NAMES[known]
    products = _PRODUCTS[known]
    soon = Day.fromordinal(today.toordinal() + 14)
    voucher = {
        "name": _VOUCHERS[known][0],
        "code": "KAHVI-7K3D-9XMP-4RWC",
        "value": _VOUCHERS[known][1],
        "valid_to": str(soon),
    }
    return {
        "member": {
            "first_name": first_name,
            "last_name": last_name,
            "card_number": "6421 0000 0001",
            "language": language,
        },
        "points": Number(campaign.bonus_points),
        "balance": {"available": Number(1240), "pending": Number(85)},
        "tier": {"name": _TIERS[known][0], "next_name": _TIERS[known][1], "missing": Number(260)},
        "expiring": {"points": Number(120), "date": soon},
        "reward": {"name": _REWARDS[known], "points": Number(320), "missing": Number(0)},
        "voucher": voucher if campaign.voucher_family_id else {},
        "vouchers": [voucher],
        "recommendations": [{"name": name, "category": products[3], "brand": ""} for name in products[:3]],
        "event": {"points": 120, "days": 14, "to": _TIERS[known][1], "total": "12.50"},
        "activity": {
            "date": Day.fromordinal(today.toordinal() - 3),
            "total": Money(Decimal("12.50")),
            "store": products[4],
            "products": [{"name": products[0], "category": products[3], "quantity": Number(2)}],
        },
        "programme": {"name": programme.current().name},
    }


def unsent(
    campaign: Campaign, variant: Variant, language: str, channel: str, member: Member | None = None
) -> Message:
    """A row as a message of the campaign would have it, that is never saved; for previews and checks."""
    return Message(
        pk=0,
        member_id=member.pk if member else 0,
        campaign=campaign,
        variant=variant,
        occasion="preview",
        language=language,
        channel=channel,
        points=campaign.bonus_points,
    )
