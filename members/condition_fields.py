"""What conditions may ask about an activity and a member. Registered at start-up by ``MembersConfig.ready``."""

import datetime as dt

from django.conf import settings
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, TextField
from django.db.models.functions import Cast
from django.utils.dates import WEEKDAYS as WEEKDAY_NAMES
from django.utils.translation import gettext_lazy as _

from loyalty.conditions import Field, FieldType, Measure, Op, Relation, subject
from members.models import ActivityKind, Member, Tier

WEEKDAYS = [(str(number + 1), name) for number, name in WEEKDAY_NAMES.items()]
"""ISO weekdays as text: "1" is Monday, "7" Sunday."""


def kinds() -> list[tuple[str, str]]:
    return [(kind.code, str(kind)) for kind in ActivityKind.objects.all()]


def tiers() -> list[tuple[str, str]]:
    return [(tier.code, str(tier)) for tier in Tier.objects.all()]


def _tiers_reached(prefix: str, at: dt.datetime) -> ArraySubquery:
    """The codes of a member's tier and those below it."""
    del at
    reached = Tier.objects.filter(rank__lte=OuterRef(f"{prefix}tier__rank")).order_by("rank")
    return ArraySubquery(reached.values(text=Cast("code", TextField())))


LINE_FIELDS = (
    Field("sku", FieldType.TEXT, _("SKU")),
    Field("category", FieldType.TEXT, _("category")),
    Field("department", FieldType.TEXT, _("department")),
    Field("brand", FieldType.TEXT, _("brand")),
    Field("quantity", FieldType.DECIMAL, _("quantity")),
    Field("total", FieldType.DECIMAL, _("total of the line")),
)
ACTIVITY_FIELDS = (
    Field("kind", FieldType.CHOICE, _("kind of activity"), choices=kinds, orm="kind"),
    Field("total", FieldType.DECIMAL, _("total"), orm="total"),
    Field("store", FieldType.TEXT, _("store"), orm="store__code"),
    Field("channel", FieldType.TEXT, _("channel"), orm="channel__code"),
    Field("occurred_at", FieldType.DATETIME, _("time of the activity"), orm="occurred_at"),
    Field("tier", FieldType.CHOICE, _("tier held before"), choices=tiers),
    Field(
        "tier_reached",
        FieldType.TEXT_LIST,
        _("tier held before (or higher)"),
        choices=tiers,
        op_labels={Op.CONTAINS: _("is at least")},
        phrases={
            "contains": _("tier held before is %(value)s or higher"),
            "not contains": _("tier held before is below %(value)s"),
        },
    ),
    Field("weekday", FieldType.CHOICE, _("weekday in the store"), choices=WEEKDAYS),
    Field("hour", FieldType.INTEGER, _("hour in the store (0 to 23)")),
    Field("purchase_number", FieldType.INTEGER, _("number of the purchase (1 for the first)")),
    Field("days_since_last", FieldType.INTEGER, _("days since the purchase before")),
)
MEMBER_FIELDS = (
    Field("language", FieldType.CHOICE, _("language"), choices=settings.LANGUAGES, orm="language"),
    Field("age", FieldType.INTEGER, _("age in years")),
    Field("birthday_distance", FieldType.INTEGER, _("days from the birthday, before or after")),
    Field("joined_at", FieldType.DATETIME, _("time of joining"), orm="joined_at"),
    Field(
        "acquisition_channel",
        FieldType.CHOICE,
        _("acquisition channel"),
        choices=Member.AcquisitionChannel.choices,
        orm="acquisition_channel",
    ),
    Field("tier", FieldType.CHOICE, _("tier"), choices=tiers, orm="tier__code"),
    Field(
        "tier_reached",
        FieldType.TEXT_LIST,
        _("tier (or higher)"),
        choices=tiers,
        orm=_tiers_reached,
        op_labels={Op.CONTAINS: _("is at least")},
        phrases={
            "contains": _("tier is %(value)s or higher"),
            "not contains": _("tier is below %(value)s"),
        },
    ),
)


def register() -> None:
    """Declare the fields of an activity, of its lines and of its member."""
    line, activity, member = subject("line"), subject("activity"), subject("member")
    line.register(*LINE_FIELDS)
    activity.register(*ACTIVITY_FIELDS)
    member.register(*MEMBER_FIELDS)
    # An activity is judged by the tier held when it happened, which it has as a field of its own.
    activity.include("member", member, label=_("member"), without=("tier", "tier_reached"))
    activity.relate(
        Relation(
            "lines",
            line,
            label=_("purchase lines"),
            some=_("there is at least one purchase line"),
            none=_("there is no purchase line"),
            measures=(
                Measure("count", _("number of purchase lines")),
                Measure("quantity", _("quantity of the purchase lines"), of="quantity"),
                Measure("total", _("total of the purchase lines"), of="total"),
            ),
        )
    )
