"""What conditions may ask of the messages a member was sent, and what became of them."""

import datetime as dt

from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.utils.translation import gettext_lazy as _

from campaigns.models import Campaign, Message
from loyalty.conditions import Field, FieldType, How, Measure, Relation, Rows, subject
from rewards.models import VoucherUse

ARMS = [(value, label) for value, label in Message.Arm.choices if value]


def campaigns() -> list[tuple[str, str]]:
    return [(campaign.code, str(campaign)) for campaign in Campaign.objects.all()]


def _uses(prefix: str) -> QuerySet[VoucherUse]:
    """The uses, not taken back, of the voucher that the message gave: found by its member's vouchers."""
    return VoucherUse.objects.filter(
        voucher__member=OuterRef(f"{prefix}member"),
        voucher__source="campaigns.message",
        voucher__source_id=OuterRef(f"{prefix}pk"),
        state=VoucherUse.State.REDEEMED,
    )


def _voucher_used(prefix: str, at: dt.datetime) -> Exists:
    return Exists(_uses(prefix))


def _voucher_used_at(prefix: str, at: dt.datetime) -> Subquery:
    """The first use, where the voucher can be used more than once."""
    return Subquery(_uses(prefix).order_by("at", "pk").values("at")[:1])


def register() -> None:
    """Declare the messages, those not sent too: their status says so.

    "Was sent the campaign and has not clicked" is: at least one message of the campaign that is sent, and none of it
    whose time of clicking is known.
    """
    message = subject("message")
    message.register(
        Field("campaign", FieldType.CHOICE, _("campaign"), choices=campaigns, orm="campaign__code"),
        Field(
            "channel", FieldType.CHOICE, _("way of sending"), choices=Message.Channel.choices, orm="channel"
        ),
        Field(
            "status",
            FieldType.CHOICE,
            _("status of the message"),
            choices=Message.Status.choices,
            orm="status",
        ),
        Field(
            "reason",
            FieldType.CHOICE,
            _("reason why it was not sent"),
            choices=Message.Reason.choices,
            orm="reason",
        ),
        Field("arm", FieldType.CHOICE, _("side of the experiment"), choices=ARMS, orm="arm"),
        Field("variant", FieldType.TEXT, _("variant"), orm="variant__code"),
        Field("sent_at", FieldType.DATETIME, _("time of sending"), orm="sent_at"),
        Field("read_at", FieldType.DATETIME, _("time of reading in the portal"), orm="read_at"),
        Field("opened_at", FieldType.DATETIME, _("time of opening"), orm="opened_at"),
        Field("clicked_at", FieldType.DATETIME, _("time of following a link"), orm="clicked_at"),
        Field(
            "voucher_used",
            FieldType.BOOLEAN,
            _("the voucher given with the message was used"),
            orm=_voucher_used,
        ),
        Field(
            "voucher_used_at",
            FieldType.DATETIME,
            _("time of using the voucher given with the message"),
            orm=_voucher_used_at,
        ),
    )
    subject("member").relate(
        Relation(
            "messages",
            message,
            label=_("messages"),
            some=_("there is at least one message"),
            none=_("there is no message"),
            measures=(
                Measure("count", _("number of messages")),
                Measure("last", _("time of the last message"), of="sent_at", how=How.GREATEST),
                Measure("last_opened", _("time of the last opening"), of="opened_at", how=How.GREATEST),
                Measure("last_clicked", _("time of the last click"), of="clicked_at", how=How.GREATEST),
            ),
            rows=Rows(Message.objects.all, "member"),
        )
    )
