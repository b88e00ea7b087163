"""What channels are handed: a message, its words, and whom it is for."""

from typing import Any

from campaigns.channels.base import Recipient
from campaigns.models import Message
from campaigns.rendering.rendered import Rendered
from tests.factories.campaigns import MessageFactory


def words(**changes: Any) -> Rendered:
    """A message as rendering gives it."""
    facts = {
        "subject": "Fresh bread",
        "heading": "Bread from this morning",
        "body": "Come before noon.",
        "text": "Come before noon.\n\nhttps://club.example.org",
        "html": "<html><body><p>Come before noon.</p></body></html>",
        "short": "Fresh bread until noon",
        "button_label": "See it",
        "button_link": "https://club.example.org/r/abc",
        "language": "en",
    }
    return Rendered(**(facts | changes))


def recipient(message: Message, **changes: Any) -> Recipient:
    """The message's member."""
    member = message.member
    facts = {
        "member_id": member.pk,
        "public_id": member.public_id,
        "email": member.email,
        "phone": member.phone,
    }
    return Recipient(**(facts | changes))


def message_by(channel: str, **facts: Any) -> Message:
    """A message of the birthday campaign by a channel, being sent."""
    facts.setdefault("status", Message.Status.SENDING)
    return MessageFactory(channel=channel, **facts)
