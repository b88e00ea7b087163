"""What conditions may ask about an activity and a member. Registered at start-up by ``MembersConfig.ready``."""

from django.utils.dates import WEEKDAYS as WEEKDAY_NAMES
from django.utils.translation import gettext_lazy as _

from loyalty.conditions import Field, FieldType, Measure, Op, Relation, subject
from members.models import ActivityKind
from members.segments import fields
from members.segments.fields import tiers

WEEKDAYS = [(str(number + 1), name) for number, name in WEEKDAY_NAMES.items()]
"""ISO weekdays as text: "1" is Monday, "7" Sunday."""


def kinds() -> list[tuple[str, str]]:
    return [(kind.code, str(kind)) for kind in ActivityKind.objects.all()]


LINE_FIELDS = (
    Field("sku", FieldType.TEXT, _("SKU"), orm="product__sku"),
    Field("category", FieldType.TEXT, _("category"), orm="category__name"),
    Field("department", FieldType.TEXT, _("department"), orm="category__department"),
    Field("brand", FieldType.TEXT, _("brand"), orm="product__brand"),
    Field("quantity", FieldType.DECIMAL, _("quantity"), orm="quantity"),
    Field("total", FieldType.DECIMAL, _("total of the line"), orm="total"),
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


def register() -> None:
    """Declare the fields of an activity, of its lines and of its member."""
    line, activity, member = subject("line"), subject("activity"), subject("member")
    line.register(*LINE_FIELDS)
    activity.register(*ACTIVITY_FIELDS)
    fields.register(member)
    activity.include("member", member, label=_("member"), only=fields.KNOWN_TO_RULES)
    subject("audience").register(
        *(each for each in member.fields() if each.name in fields.KNOWN_TO_AUDIENCES)
    )
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
