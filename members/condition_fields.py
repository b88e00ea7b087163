"""What conditions may ask about an activity and a member. Registered at start-up by ``MembersConfig.ready``."""

from django.utils.translation import gettext_lazy as _

from loyalty.conditions import Field, FieldType, Measure, Relation, subject
from members.models import ActivityKind, Tier


def kinds() -> list[tuple[str, str]]:
    return [(kind.code, str(kind)) for kind in ActivityKind.objects.all()]


def tiers() -> list[tuple[str, str]]:
    return [(tier.code, str(tier)) for tier in Tier.objects.all()]


def register() -> None:
    """Declare the fields of an activity and of its lines."""
    line = subject("line")
    line.register(
        Field("sku", FieldType.TEXT, _("SKU")),
        Field("category", FieldType.TEXT, _("category")),
        Field("department", FieldType.TEXT, _("department")),
        Field("quantity", FieldType.DECIMAL, _("quantity")),
        Field("total", FieldType.DECIMAL, _("total of the line")),
    )
    activity = subject("activity")
    activity.register(
        Field("kind", FieldType.CHOICE, _("kind of activity"), choices=kinds, orm="kind"),
        Field("total", FieldType.DECIMAL, _("total"), orm="total"),
        Field("store", FieldType.TEXT, _("store"), orm="store__code"),
        Field("channel", FieldType.TEXT, _("channel"), orm="channel__code"),
        Field("occurred_at", FieldType.DATETIME, _("time of the activity"), orm="occurred_at"),
        Field("tier", FieldType.CHOICE, _("tier held before"), choices=tiers),
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
