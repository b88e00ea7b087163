"""Reads about messages for the member they were written to."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from campaigns.models import Message
from members.models import Member

PAGE = 20


@dataclass(frozen=True)
class InboxPage:
    """Messages, newest first; ``has_more`` tells whether older ones follow."""

    messages: list[Message]
    number: int
    has_more: bool


def inbox(member: Member, *, number: int = 1, size: int = PAGE) -> InboxPage:
    """What was sent to the member: to the portal's inbox, and copies of what went out by e-mail. One statement."""
    start = (number - 1) * size
    rows = list(
        Message.objects.filter(member=member, status=Message.Status.SENT)
        .order_by("-sent_at", "-pk")
        .only("channel", "language", "subject", "body", "content", "points", "sent_at", "read_at")[
            start : start + size + 1
        ]
    )
    return InboxPage(rows[:size], number, len(rows) > size)


@dataclass(frozen=True, slots=True)
class Shown:
    """A message as the inbox shows it. ``html`` is what rendering escaped, "" where there is only plain text."""

    heading: str
    text: str
    html: str
    button_label: str
    button_link: str


def shown(message: Message) -> Shown:
    """What a message's row says, whatever it was written by: rows from before have a subject and a text alone."""
    content = message.content
    return Shown(
        heading=content.get("heading") or message.subject,
        text=message.body or content.get("short", ""),
        html=content.get("html", ""),
        button_label=content.get("button_label", "") if content.get("button_link") else "",
        button_link=content.get("button_link", ""),
    )


def copy_of(member: Member) -> list[dict[str, Any]]:
    """Every message that was written to the member, oldest first, for their own copy of their data."""
    return [
        {
            "campaign": message.campaign.code,
            "channel": message.channel,
            "language": message.language,
            "subject": message.subject,
            "body": message.body,
            "points": message.points,
            "status": message.status,
            "created_at": message.created_at,
            "sent_at": message.sent_at,
            "read_at": message.read_at,
        }
        for message in Message.objects.filter(member=member).select_related("campaign").order_by("pk")
    ]


def unread_of(member: Member) -> int:
    """How many messages of the portal's inbox the member has not seen. E-mails were read elsewhere and do not count."""
    return _unread().filter(member=member).count()


def mark_read(messages: Iterable[Message], *, at: dt.datetime) -> int:
    """Note that messages of the inbox were seen at ``at``, and how many were new; the first time stays."""
    new = [message.pk for message in messages if is_new(message)]
    return _unread().filter(pk__in=new).update(read_at=at) if new else 0


def is_new(message: Message) -> bool:
    """Whether the member sees it for the first time."""
    return message.channel == Message.Channel.INBOX and message.read_at is None


def _unread() -> QuerySet[Message]:
    return Message.objects.filter(
        status=Message.Status.SENT, channel=Message.Channel.INBOX, read_at__isnull=True
    )
