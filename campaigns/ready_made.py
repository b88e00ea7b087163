"""Campaigns to start from: settings and texts in three languages. The admin offers them; each becomes a draft."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from campaigns.building import free_code
from campaigns.models import Campaign, Text, Variant
from campaigns.ready_made_texts import texts_of
from members.models import Member

Kind, Occasion, Purpose = Campaign.Kind, Campaign.Occasion, Campaign.Purpose
A_DAY = 24 * 60
MORNING = {"at": "09:00"}


@dataclass(frozen=True)
class Blueprint:
    """A campaign to start from. ``title`` and ``note`` are for the card in the admin, ``settings`` the fields."""

    code: str
    icon: str
    title: StrOrPromise
    note: StrOrPromise
    names: Mapping[str, str]
    occasion: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        if not self.occasion:
            return Kind.ONE_OFF
        yearly = {Occasion.BIRTHDAY, Occasion.ANNIVERSARY, Occasion.SCHEDULE}
        return Kind.RECURRING if self.occasion in yearly else Kind.TRIGGERED

    @property
    def kind_name(self) -> StrOrPromise:
        return Kind(self.kind).label


BLUEPRINTS = (
    Blueprint(
        "welcome",
        "waving_hand",
        _("Welcome"),
        _("Soon after somebody joins: how the programme works."),
        {"fi": "Tervetuloa", "sv": "Välkommen", "en": "Welcome"},
        Occasion.EVENT,
        {
            "event": "member.enrolled",
            "event_conditions": {"field": "source", "op": "ne", "value": Member.Source.IMPORT.value},
            "delay_minutes": 10,
        },
    ),
    Blueprint(
        "after-purchase",
        "shopping_bag",
        _("After a purchase"),
        _("A day after: thanks, what was bought, and what goes with it."),
        {"fi": "Kiitos ostoksesta", "sv": "Tack för köpet", "en": "After a purchase"},
        Occasion.EVENT,
        {
            "event": "activity.recorded",
            "event_conditions": {"field": "kind", "op": "eq", "value": "purchase"},
            "delay_minutes": A_DAY,
        },
    ),
    Blueprint(
        "win-back",
        "undo",
        _("Win back"),
        _("To each member who has not bought for 60 days, on that day."),
        {"fi": "Tule takaisin", "sv": "Kom tillbaka", "en": "Win back"},
        Occasion.INACTIVE,
        {"days": 60, "goal_days": 30},
    ),
    Blueprint(
        "win-back-now",
        "replay",
        _("Win back now"),
        _("Once, to all who are slipping away: they bought often, and not for 60 days."),
        {"fi": "Tule takaisin nyt", "sv": "Kom tillbaka nu", "en": "Win back now"},
        "",
        {"audience": {"field": "segments", "op": "contains", "value": "slipping-away"}, "goal_days": 30},
    ),
    Blueprint(
        "points-expiring",
        "hourglass_bottom",
        _("Points about to expire"),
        _("A warning while there is time to use them."),
        {"fi": "Pisteet vanhenevat", "sv": "Poäng går ut", "en": "Points about to expire"},
        Occasion.EVENT,
        {
            "event": "points.expiring",
            "purpose": Purpose.SERVICE.value,
            "hold_out_percent": 0,
            "goal": Campaign.Goal.REDEMPTION.value,
        },
    ),
    Blueprint(
        "tier-reached",
        "military_tech",
        _("A higher tier"),
        _("Congratulations when somebody reaches a higher tier."),
        {"fi": "Uusi taso", "sv": "Ny nivå", "en": "A higher tier"},
        Occasion.EVENT,
        {
            "event": "tier.changed",
            "event_conditions": {"field": "direction", "op": "eq", "value": "up"},
            "purpose": Purpose.SERVICE.value,
            "hold_out_percent": 0,
        },
    ),
    Blueprint(
        "birthday-gift",
        "cake",
        _("Birthday"),
        _("On the member's own day, with points as a present."),
        {"fi": "Syntymäpäivälahja", "sv": "Födelsedagspresent", "en": "Birthday present"},
        Occasion.BIRTHDAY,
        {"rhythm": MORNING, "bonus_points": 100},
    ),
    Blueprint(
        "anniversary",
        "celebration",
        _("Anniversary of joining"),
        _("Each year on the day they joined, with points as a thank-you."),
        {"fi": "Jäsenyyden vuosipäivä", "sv": "Medlemskapets årsdag", "en": "Anniversary of joining"},
        Occasion.ANNIVERSARY,
        {"rhythm": MORNING, "bonus_points": 50},
    ),
    Blueprint(
        "challenge-nearly-done",
        "flag",
        _("A challenge is nearly done"),
        _("A nudge when little is missing."),
        {"fi": "Haaste melkein valmis", "sv": "Utmaningen nästan klar", "en": "Challenge nearly done"},
        Occasion.EVENT,
        {"event": "challenge.nearly_done"},
    ),
    Blueprint(
        "reward-affordable",
        "redeem",
        _("A favourite reward is within reach"),
        _("When the points are enough for a reward they marked."),
        {"fi": "Suosikki saatavilla", "sv": "Favoriten inom räckhåll", "en": "A favourite within reach"},
        Occasion.AFFORDABLE,
        {"goal": Campaign.Goal.REDEMPTION.value},
    ),
    Blueprint(
        "replenishment",
        "autorenew",
        _("Time to buy it again"),
        _("Four weeks after a product was bought; say which."),
        {"fi": "Aika ostaa lisää", "sv": "Dags att köpa igen", "en": "Time to buy it again"},
        Occasion.REPLENISH,
        {"days": 28},
    ),
)

_BY_CODE = {blueprint.code: blueprint for blueprint in BLUEPRINTS}


def create(code: str, *, staff_id: int | None, at: dt.datetime) -> Campaign:
    """A draft from the blueprint of this code, with its texts. Raises KeyError for an unknown code."""
    blueprint = _BY_CODE[code]
    with transaction.atomic():
        campaign = Campaign.objects.create(
            code=free_code(code),
            names=dict(blueprint.names),
            kind=blueprint.kind,
            occasion=blueprint.occasion,
            created_at=at,
            **blueprint.settings,
        )
        variant = Variant.objects.create(campaign=campaign, code="A")
        Text.objects.bulk_create(
            Text(variant=variant, language=language, **said) for language, said in texts_of(code).items()
        )
    return campaign
