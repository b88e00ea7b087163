"""Messages on a member's page: a tab, and entries of the timeline that say why each was sent or not."""

from collections.abc import Iterable
from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from campaigns import explaining
from campaigns.admin.messages import first_word
from campaigns.models import ChannelCode, Message
from members import admin_parts, timeline
from members.models import Member

ICONS = {
    ChannelCode.EMAIL: "mail",
    ChannelCode.SMS: "sms",
    ChannelCode.PUSH: "notifications",
    ChannelCode.INBOX: "inbox",
    ChannelCode.WEBHOOK: "webhook",
}
QUIET = (Message.Status.SKIPPED, Message.Status.HELD_OUT)


def entries(member: Member, before: datetime | None, size: int) -> Iterable[timeline.Entry]:
    """The member's messages for the timeline, those that were not sent too."""
    rows = Message.objects.filter(member=member).select_related("campaign")
    if before is not None:
        rows = rows.filter(created_at__lte=before)
    for row in rows.order_by("-created_at", "-id")[:size]:
        way = "" if row.status in QUIET else f" ({row.get_channel_display()})"
        yield timeline.Entry(
            at=row.created_at,
            kind="message",
            icon="do_not_disturb_on" if row.status in QUIET else ICONS.get(ChannelCode(row.channel), "mail"),
            title=first_word(row),
            detail=f"{explaining.sentence(row)}{way}",
            by=str(row.campaign),
            permission="campaigns.view_message",
            url=reverse("admin:campaigns_message_change", args=[row.pk]),
            tone="warn" if row.status in {Message.Status.FAILED, Message.Status.UNKNOWN} else "",
            order=row.pk,
        )


def messages_url(member: Member) -> str:
    return f"{reverse('admin:campaigns_message_changelist')}?member__id__exact={member.pk}"


timeline.add_source("campaigns.messages", entries)
admin_parts.add_tab(
    admin_parts.Link(
        key="messages", label=_("Messages"), url=messages_url, permission="campaigns.view_message"
    )
)
