"""The events a triggered campaign can wait for: how staff read them, and what may be asked of what happened.

Each has a subject of conditions. What an event told is kept with the message as its facts, for the texts; conditions
are judged on the same facts, but for activities, which are looked at again as refunds have left them.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from campaigns import member_fields
from campaigns.models import Campaign
from loyalty import conditions
from loyalty.conditions import Field, FieldType, subject
from members.models import Activity, Member, Tier
from members.models.consent import ConsentChannel, Purpose
from members.segments.fields import segments, tiers
from rewards.challenges import pieces
from rewards.models import Badge, Challenge, Draw, Refund, Reward, VoucherFamily

Facts = Mapping[str, Any]

ACTIVITY = "activity.recorded"
AFFORDABLE = "reward.affordable"
PARTNER_EVENT = "partner.event"
PARTNER_PREFIX = "partner."
"""Partners' own events are named "partner.cart_abandoned"; the API announces them all as ``partner.event``."""
OPENED, CLICKED = "message.opened", "message.clicked"
ASKED_FOR = "api"
"""No event on the bus: a partner asks for the campaign itself (``campaigns.asking``)."""


@dataclass(frozen=True)
class TriggerEvent:
    """An event that staff may choose. ``subject`` names the subject of conditions on what happened.

    ``once`` names the facts that make the occasion: the same again, by another event, brings no second message.
    """

    name: str
    label: StrOrPromise
    subject: str
    fields: tuple[Field, ...] = ()
    more: Callable[[Sequence[Facts]], list[Facts]] | None = None
    once: tuple[str, ...] = ()

    @property
    def is_judged_at_once(self) -> bool:
        """Whether its facts say all, and never change."""
        return self.name != ACTIVITY


def _codes(rows: Iterable[Any], key: str = "code") -> list[tuple[str, str]]:
    return [(str(getattr(row, key)), str(row)) for row in rows]


def _ranks(facts: Sequence[Facts]) -> list[Facts]:
    """Whether a change of tier led up or down."""
    ranks = dict(Tier.objects.values_list("code", "rank"))

    def rank_of(told: Facts, name: str) -> int:
        return ranks.get(str(told.get(name)), 0)

    return [
        {
            **each,
            "direction": "up" if rank_of(each, "to") > rank_of(each, "from") else "down",
        }
        for each in facts
    ]


def _campaigns(facts: Sequence[Facts]) -> list[Facts]:
    """The code of the campaign that the message was of."""
    ids = [int(each.get("campaign_id") or 0) for each in facts]
    codes = dict(Campaign.objects.filter(pk__in=set(ids)).values_list("pk", "code"))
    return [{**each, "campaign": codes.get(id_)} for each, id_ in zip(facts, ids, strict=True)]


_points = Field("points", FieldType.INTEGER, _("points"))
_challenge = Field(
    "challenge",
    FieldType.CHOICE,
    _("challenge"),
    choices=lambda: _codes(Challenge.objects.all()),
)
_segment = Field("segment", FieldType.CHOICE, _("segment"), choices=segments)
_family = Field(
    "family", FieldType.CHOICE, _("kind of voucher"), choices=lambda: _codes(VoucherFamily.objects.all())
)
_draw = Field("draw", FieldType.CHOICE, _("draw"), choices=lambda: _codes(Draw.objects.all()))
_campaign = Field("campaign", FieldType.CHOICE, _("campaign"), choices=member_fields.campaigns)

_DECLARED = (
    TriggerEvent(
        "member.enrolled",
        _("somebody became a member"),
        "event_enrolled",
        (
            Field("source", FieldType.CHOICE, _("enrolled by way of"), choices=Member.Source.choices),
            Field(
                "acquisition_channel",
                FieldType.CHOICE,
                _("acquisition channel"),
                choices=Member.AcquisitionChannel.choices,
            ),
        ),
    ),
    TriggerEvent(ACTIVITY, _("a purchase or another activity was recorded"), "activity"),
    TriggerEvent(
        "activity.refunded",
        _("a purchase was returned"),
        "event_refunded",
        (
            Field("amount", FieldType.DECIMAL, _("money given back")),
            Field("points", FieldType.INTEGER, _("points taken back")),
            Field("status", FieldType.CHOICE, _("status of the refund"), choices=Refund.Status.choices),
        ),
    ),
    TriggerEvent(
        "points.earned",
        _("points were earned"),
        "event_earned",
        (_points, Field("total", FieldType.DECIMAL, _("total of the purchase"))),
    ),
    TriggerEvent(
        "tier.changed",
        _("the tier changed"),
        "event_tier",
        (
            Field("to", FieldType.CHOICE, _("new tier"), choices=tiers),
            Field("from", FieldType.CHOICE, _("tier before"), choices=tiers),
            Field(
                "direction",
                FieldType.CHOICE,
                _("direction"),
                choices=(("up", _("to a higher tier")), ("down", _("to a lower tier"))),
            ),
        ),
        more=_ranks,
    ),
    TriggerEvent(
        "points.expiring",
        _("points are about to expire"),
        "event_expiring",
        (_points, Field("days", FieldType.INTEGER, _("days until they expire"))),
    ),
    TriggerEvent("points.expired", _("points expired"), "event_expired", (_points,)),
    TriggerEvent(
        AFFORDABLE,
        _("a favourite reward is within reach"),
        "event_affordable",
        (
            Field(
                "reward",
                FieldType.CHOICE,
                _("reward"),
                choices=lambda: _codes(Reward.objects.all(), "public_id"),
            ),
            _points,
        ),
    ),
    TriggerEvent(
        "reward.redeemed",
        _("a reward was redeemed"),
        "event_redeemed",
        (
            Field("reward", FieldType.CHOICE, _("reward"), choices=lambda: _codes(Reward.objects.all())),
            _points,
            Field("money", FieldType.DECIMAL, _("money paid besides points")),
        ),
    ),
    TriggerEvent(
        "challenge.nearly_done",
        _("a challenge is nearly done"),
        "event_challenge_nearly_done",
        (_challenge, Field("percent", FieldType.INTEGER, _("done (percent)"))),
        once=("challenge", "round"),
    ),
    TriggerEvent(
        "challenge.step_reached",
        _("a step of a challenge was reached"),
        "event_challenge_step",
        (_challenge, _points, Field("step", FieldType.DECIMAL, _("step"))),
    ),
    TriggerEvent(
        "challenge.completed", _("a challenge was completed"), "event_challenge_completed", (_challenge,)
    ),
    TriggerEvent(
        "badge.earned",
        _("a badge was earned"),
        "event_badge",
        (
            Field("badge", FieldType.CHOICE, _("badge"), choices=lambda: _codes(Badge.objects.all())),
            Field("level", FieldType.INTEGER, _("level")),
        ),
    ),
    TriggerEvent("voucher.issued", _("a voucher was issued"), "event_voucher_issued", (_family,)),
    TriggerEvent("voucher.redeemed", _("a voucher was used"), "event_voucher_used", (_family,)),
    TriggerEvent("voucher.expired", _("a voucher expired unused"), "event_voucher_expired", (_family,)),
    TriggerEvent(
        "draw.entered",
        _("somebody entered a draw"),
        "event_draw_entered",
        (_draw, Field("chances", FieldType.INTEGER, _("chances in the draw"))),
    ),
    TriggerEvent("draw.won", _("a draw was won"), "event_draw_won", (_draw,)),
    TriggerEvent(
        OPENED,
        _("a message of another campaign was opened"),
        "event_message_opened",
        (_campaign,),
        more=_campaigns,
    ),
    TriggerEvent(
        CLICKED,
        _("a link in a message of another campaign was followed"),
        "event_message_clicked",
        (_campaign, Field("link", FieldType.TEXT, _("address of the link"))),
        more=_campaigns,
    ),
    TriggerEvent("points.received", _("points came from another member"), "event_received", (_points,)),
    TriggerEvent("segment.joined", _("somebody joined a segment"), "event_segment_joined", (_segment,)),
    TriggerEvent("segment.left", _("somebody left a segment"), "event_segment_left", (_segment,)),
    TriggerEvent(
        "consent.changed",
        _("a consent was given or withdrawn"),
        "event_consent",
        (
            Field("purpose", FieldType.CHOICE, _("purpose"), choices=Purpose.choices),
            Field("channel", FieldType.CHOICE, _("way of sending"), choices=ConsentChannel.choices),
            Field("granted", FieldType.BOOLEAN, _("the consent was given")),
        ),
    ),
)

_told_by_partners = (
    Field("partner", FieldType.TEXT, _("partner")),
    Field("reference", FieldType.TEXT, _("reference")),
    Field("sku", FieldType.TEXT, _("SKU")),
    Field("category", FieldType.TEXT, _("category")),
    Field("total", FieldType.DECIMAL, _("total")),
    Field("count", FieldType.INTEGER, _("count")),
)

_ON_REQUEST = TriggerEvent(
    ASKED_FOR, _("a partner asks for it by the API"), "event_asked_for", _told_by_partners
)

EVENTS: Mapping[str, TriggerEvent] = {each.name: each for each in (*_DECLARED, _ON_REQUEST)}

_OF_PARTNERS = TriggerEvent(PARTNER_EVENT, _("a partner's own event"), "event_partner", _told_by_partners)
"""Of what a partner tells, conditions may ask these facts; texts find whatever else it told, too."""

HEARD = (*(each.name for each in _DECLARED), PARTNER_EVENT)
"""The names on the event bus."""


def register() -> None:
    """Declare the subjects of conditions, while the application starts."""
    for event in (*_DECLARED, _ON_REQUEST, _OF_PARTNERS):
        if event.fields:
            subject(event.subject).register(*event.fields)


def find(name: str) -> TriggerEvent | None:
    """The event of this name, a partner's own included; None where there is none."""
    if name.startswith(PARTNER_PREFIX) and len(name) > len(PARTNER_PREFIX):
        return _OF_PARTNERS
    return EVENTS.get(name)


def choices() -> list[tuple[str, StrOrPromise]]:
    """What staff choose from, in the order of the list; partners' own events are typed."""
    return [(event.name, event.label) for event in EVENTS.values()]


def event_of(campaign: Campaign) -> str:
    """The name of the event that a triggered campaign waits for; "" for those that wait for days to pass."""
    return AFFORDABLE if campaign.occasion == Campaign.Occasion.AFFORDABLE else campaign.event


def subject_of(campaign: Campaign) -> str:
    """The subject of the campaign's conditions on what happened: for products bought again, a purchase line."""
    if campaign.occasion == Campaign.Occasion.REPLENISH:
        return "line"
    event = find(event_of(campaign))
    return event.subject if event is not None else "activity"


def condition_of(campaign: Campaign) -> conditions.Condition:
    """The campaign's conditions on what happened; raises ConditionError where they cannot be read."""
    return conditions.parse(campaign.event_conditions or {}, subject_of(campaign), check_choices=False)


def judge(
    event: TriggerEvent, condition: conditions.Condition, told: Sequence[tuple[Facts, dt.datetime]]
) -> list[bool]:
    """Whether each of these events, as told and when, is one that the conditions mean. Few statements for all.

    Of an activity of which nothing is left, nothing is meant.
    """
    if event.name == ACTIVITY:
        return _judge_activities(condition, [facts for facts, _at in told])
    if condition.is_always:
        return [True] * len(told)
    known = [facts for facts, _at in told]
    if event.more is not None:
        known = event.more(known)
    typed = [_typed(facts, event.fields) for facts in known]
    return [condition.matches(facts, at=at) for facts, (_facts, at) in zip(typed, told, strict=True)]


def _judge_activities(condition: conditions.Condition, told: Sequence[Facts]) -> list[bool]:
    public_ids = [str(facts.get("activity") or "") for facts in told]
    known = dict(
        Activity.objects.filter(public_id__in=set(filter(None, public_ids))).values_list("public_id", "pk")
    )
    rows = pieces.rows_of(Activity.objects.filter(pk__in=known.values()))
    names = condition.fact_names
    deeds = pieces.deeds(rows, names=names, with_lines=True)
    meant = {
        deed.activity_id
        for deed in deeds
        if deed.case is not None and condition.judge(deed.case.facts, deed.case.at, deed.case.today)
    }
    ids = {str(public_id): pk for public_id, pk in known.items()}
    return [ids.get(public_id) in meant for public_id in public_ids]


def _typed(facts: Facts, fields: Sequence[Field]) -> Facts:
    """The facts as conditions compare them: amounts come as text in JSON; what is no amount is not known."""
    found = dict(facts)
    for field in fields:
        if field.type is FieldType.DECIMAL and found.get(field.name) is not None:
            try:
                amount = Decimal(str(found[field.name]))
            except InvalidOperation:
                amount = Decimal("NaN")
            found[field.name] = amount if amount.is_finite() else None
        elif field.type is FieldType.INTEGER and not isinstance(found.get(field.name), int):
            found[field.name] = None
        elif field.type in {FieldType.CHOICE, FieldType.TEXT} and found.get(field.name) is not None:
            found[field.name] = str(found[field.name])
    return found
