"""What conditions may ask about a member: profile, consents, tier, purchases, value and segments.

Every field says where the database keeps it, so that the same condition picks segments in SQL and judges one member in
memory. Floors above register what they know on ``subject("member")`` themselves.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.postgres.expressions import ArraySubquery
from django.db import models
from django.db.models import ExpressionWrapper, F, Func, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Cast, Concat
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from loyalty.conditions import Field, FieldType, How, Measure, Op, Relation, Rows, Subject, subject
from members.models import Activity, ActivityKind, ActivityLine, Consent, Member, Segment, SegmentMember, Tier
from members.models.consent import ConsentChannel, Purpose
from members.queries import ASKED

KNOWN_TO_RULES = (
    *("language", "age", "birthday_distance", "joined_at", "acquisition_channel"),
    "segments",
)
"""What earning rules may ask of a member: facts that are gathered with every activity (``rewards.facts``)."""


KNOWN_TO_AUDIENCES = (*KNOWN_TO_RULES, "tier", "tier_reached")
"""What may be asked of the member that a reward or a challenge is for; all else is asked by a segment."""


def tiers() -> list[tuple[str, str]]:
    return [(tier.code, str(tier)) for tier in Tier.objects.all()]


def segments() -> list[tuple[str, str]]:
    return [(segment.code, str(segment)) for segment in Segment.objects.filter(is_active=True)]


def other_kinds() -> list[tuple[str, str]]:
    return [(kind.code, str(kind)) for kind in ActivityKind.objects.exclude(code="purchase")]


def consent_choices() -> Iterator[tuple[str, str]]:
    """Each purpose by each way it is asked for: “offers and news (e-mail)”."""
    for purpose, channel in (*ASKED, (Purpose.MARKETING, ConsentChannel.POST)):
        yield f"{purpose}/{channel}", f"{purpose.label} ({channel.label})"


def _own_today(prefix: str, at: datetime) -> Func:
    """The date on the member's own calendar."""
    moment = Value(at, output_field=models.DateTimeField())
    zone = F(f"{prefix}time_zone")
    return Func(
        moment,
        zone,
        template="(%(expressions)s)::date",
        arg_joiner=" AT TIME ZONE ",
        output_field=models.DateField(),
    )


def _of_birthday(function: str) -> Callable[[str, datetime], Any]:
    """A number that one of the database's own functions makes of the date of birth and the member's today."""

    def expression(prefix: str, at: datetime) -> Func:
        return Func(
            F(f"{prefix}birth_date"),
            _own_today(prefix, at),
            function=function,
            output_field=models.IntegerField(),
        )

    return expression


def _holds(**lookups: Any) -> Callable[[str, datetime], Any]:
    """Yes or no: whether these lookups hold."""

    def expression(prefix: str, at: datetime) -> Any:
        condition = Q(**{prefix + name: value for name, value in lookups.items()})
        return ExpressionWrapper(condition, output_field=models.BooleanField())

    return expression


def _tiers_reached(prefix: str, at: datetime) -> ArraySubquery:
    """The codes of a member's tier and those below it."""
    del at
    reached = Tier.objects.filter(rank__lte=OuterRef(f"{prefix}tier__rank")).order_by("rank")
    return ArraySubquery(reached.values(text=Cast("code", models.TextField())))


def _consents_given() -> QuerySet[Any]:
    key = Concat("purpose", Value("/"), "channel", output_field=models.TextField())
    return Consent.objects.filter(granted=True).annotate(key=key)


def _purchases() -> QuerySet[Any]:
    return Activity.objects.filter(kind="purchase")


def _others() -> QuerySet[Any]:
    return Activity.objects.exclude(kind="purchase")


def _lines() -> QuerySet[Any]:
    return ActivityLine.objects.filter(activity__kind="purchase")


PROFILE = (
    Field("language", FieldType.CHOICE, _("language"), choices=settings.LANGUAGES, orm="language"),
    Field("age", FieldType.INTEGER, _("age in years"), orm=_of_birthday("kantis_age")),
    Field(
        "birthday_distance",
        FieldType.INTEGER,
        _("days from the birthday, before or after"),
        orm=_of_birthday("kantis_birthday_distance"),
    ),
    Field(
        "days_to_birthday",
        FieldType.INTEGER,
        _("days to the next birthday (0 on the day)"),
        orm=_of_birthday("kantis_days_to_birthday"),
    ),
    Field(
        "months_to_birthday",
        FieldType.INTEGER,
        _("months to the month of the birthday (0 in it)"),
        orm=_of_birthday("kantis_months_to_birthday"),
    ),
    Field("joined_at", FieldType.DATETIME, _("time of joining"), orm="joined_at"),
    Field(
        "acquisition_channel",
        FieldType.CHOICE,
        _("acquisition channel"),
        choices=Member.AcquisitionChannel.choices,
        orm="acquisition_channel",
    ),
    Field(
        "source",
        FieldType.CHOICE,
        _("way of enrolment"),
        choices=Member.Source.choices,
        orm="source",
    ),
    Field(
        "status",
        FieldType.CHOICE,
        _("status"),
        choices=[(each.value, each.label) for each in (Member.Status.ACTIVE, Member.Status.CLOSED)],
        orm="status",
        help_text=_("Without it only active members are looked at."),
    ),
    Field("has_email", FieldType.BOOLEAN, _("e-mail address known"), orm=_holds(email__gt="")),
    Field("has_phone", FieldType.BOOLEAN, _("phone number known"), orm=_holds(phone__gt="")),
    Field("has_login", FieldType.BOOLEAN, _("log-in to the portal"), orm=_holds(user__isnull=False)),
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
    Field("tier_since", FieldType.DATETIME, _("time of reaching the tier"), orm="tier_since"),
    Field(
        "value_percent",
        FieldType.INTEGER,
        _("place among the best customers (percent)"),
        orm="value__top_percent",
        help_text=_(
            "By purchases of 12 months, each night: 5 and less are the best twentieth of the buyers."
        ),
    ),
)
LISTS = (
    Field(
        "consents",
        FieldType.TEXT_LIST,
        _("consents"),
        choices=consent_choices,
        rows=Rows(_consents_given, "member", value="key"),
        op_labels={Op.CONTAINS: _("include"), Op.IN: _("include one of")},
    ),
    Field(
        "segments",
        FieldType.TEXT_LIST,
        _("segments"),
        choices=segments,
        rows=Rows(SegmentMember.objects.all, "member", value="segment__code"),
        op_labels={Op.CONTAINS: _("include"), Op.IN: _("include one of")},
        phrases={
            "contains": _("segment is %(value)s"),
            "not contains": _("segment is not %(value)s"),
            "in": _("segment is %(value)s"),
            "not in": _("segment is not %(value)s"),
        },
    ),
)


def _when(path: str = "", *, moment: StrOrPromise, day: StrOrPromise) -> tuple[Field, ...]:
    return (
        Field("occurred_at", FieldType.DATETIME, moment, orm=f"{path}occurred_at"),
        Field("day", FieldType.DATE, day, orm=f"{path}occurred_at", of_moment=True),
    )


def _where(path: str = "") -> tuple[Field, ...]:
    return (
        Field("store", FieldType.TEXT, _("store"), orm=f"{path}store__code"),
        Field("channel", FieldType.TEXT, _("channel"), orm=f"{path}channel__code"),
        Field("partner", FieldType.TEXT, _("partner"), orm=f"{path}partner__slug"),
    )


PURCHASE_WHEN = _when(moment=_("time of the purchase"), day=_("day of the purchase"))
BOUGHT_WHEN = _when("activity__", moment=_("time of the purchase"), day=_("day of the purchase"))
OTHER_WHEN = _when(moment=_("time of the activity"), day=_("day of the activity"))


def register(member: Subject) -> None:
    """Declare what this floor knows of a member, and the rows that belong to one."""
    member.register(*PROFILE, *LISTS)
    for relation in (_purchase_relation(), _bought_relation(), _other_relation()):
        member.relate(relation)


def _purchase_relation() -> Relation:
    purchase = subject("purchase")
    purchase.register(
        *PURCHASE_WHEN, Field("total", FieldType.DECIMAL, _("total of the purchase"), orm="total"), *_where()
    )
    purchase.relate(
        Relation(
            "lines",
            subject("line"),
            label=_("purchase lines"),
            some=_("there is at least one purchase line"),
            none=_("there is no purchase line"),
            measures=(
                Measure("count", _("number of purchase lines")),
                Measure("quantity", _("quantity of the purchase lines"), of="quantity"),
                Measure("total", _("total of the purchase lines"), of="total"),
            ),
            rows=Rows(ActivityLine.objects.all, "activity"),
        )
    )
    return Relation(
        "purchases",
        purchase,
        label=_("purchases"),
        some=_("there is at least one purchase"),
        none=_("there is no purchase"),
        measures=(
            Measure("count", _("number of purchases")),
            Measure("total", _("money spent on purchases"), of="total"),
            Measure("largest", _("largest purchase"), of="total", how=How.GREATEST),
            Measure("smallest", _("smallest purchase"), of="total", how=How.LEAST),
            Measure("first", _("time of the first purchase"), of="occurred_at", how=How.LEAST),
            Measure("last", _("time of the last purchase"), of="occurred_at", how=How.GREATEST),
            Measure("stores", _("number of stores visited"), of="store", how=How.DISTINCT),
        ),
        rows=Rows(_purchases, "member"),
    )


def _bought_relation() -> Relation:
    bought = subject("bought")
    bought.register(
        Field("department", FieldType.TEXT, _("department"), orm="category__department"),
        Field("category", FieldType.TEXT, _("category"), orm="category__name"),
        Field("brand", FieldType.TEXT, _("brand"), orm="product__brand"),
        Field("sku", FieldType.TEXT, _("SKU"), orm="product__sku"),
        Field("quantity", FieldType.DECIMAL, _("quantity"), orm="quantity"),
        Field("total", FieldType.DECIMAL, _("total of the line"), orm="total"),
        *BOUGHT_WHEN,
        *_where("activity__"),
        Field("purchase", FieldType.INTEGER, _("purchase"), orm="activity", hidden=True),
        Field("product", FieldType.INTEGER, _("product"), orm="product", hidden=True),
    )
    return Relation(
        "bought",
        bought,
        label=_("products bought"),
        some=_("at least one product was bought"),
        none=_("no product was bought"),
        measures=(
            Measure("purchases", _("number of purchases of products"), of="purchase", how=How.DISTINCT),
            Measure("products", _("number of different products"), of="product", how=How.DISTINCT),
            Measure("quantity", _("quantity of products"), of="quantity"),
            Measure("total", _("money spent on products"), of="total"),
            Measure("first", _("time of first buying products"), of="occurred_at", how=How.LEAST),
            Measure("last", _("time of last buying products"), of="occurred_at", how=How.GREATEST),
        ),
        rows=Rows(_lines, "activity__member"),
    )


def _other_relation() -> Relation:
    other = subject("other_activity")
    other.register(
        Field("kind", FieldType.CHOICE, _("kind of activity"), choices=other_kinds, orm="kind"),
        *OTHER_WHEN,
        *_where(),
    )
    return Relation(
        "activities",
        other,
        label=_("other activities"),
        some=_("there is at least one other activity"),
        none=_("there is no other activity"),
        measures=(
            Measure("count", _("number of other activities")),
            Measure("first", _("time of the first other activity"), of="occurred_at", how=How.LEAST),
            Measure("last", _("time of the last other activity"), of="occurred_at", how=How.GREATEST),
        ),
        rows=Rows(_others, "member"),
    )
