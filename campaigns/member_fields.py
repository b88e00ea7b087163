"""What conditions may ask of the messages a member was sent."""

from django.utils.translation import gettext_lazy as _

from campaigns.models import Campaign, Message
from loyalty.conditions import Field, FieldType, How, Measure, Relation, Rows, subject


def campaigns() -> list[tuple[str, str]]:
    return [(campaign.code, str(campaign)) for campaign in Campaign.objects.all()]


def register() -> None:
    """Declare the messages, those not sent too: their status says so."""
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
        Field("sent_at", FieldType.DATETIME, _("time of sending"), orm="sent_at"),
        Field("read_at", FieldType.DATETIME, _("time of reading in the portal"), orm="read_at"),
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
            ),
            rows=Rows(Message.objects.all, "member"),
        )
    )
