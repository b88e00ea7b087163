"""Messages handed to a system of the operator's own, signed as https://www.standardwebhooks.com says."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from campaigns.channels.base import Channel, ChannelDown, Recipient
from campaigns.channels.http import expect_success, post_to_public
from campaigns.models import ChannelCode, Message
from campaigns.rendering.rendered import Rendered
from loyalty import clock

_PREFIX = "whsec_"


class WebhookChannel(Channel):
    """Each message one request. Tried again it has the same number, so that the other side can tell twice from once."""

    code = ChannelCode.WEBHOOK.value

    def ready(self) -> None:
        if not settings.MESSAGE_WEBHOOK_URL or not settings.MESSAGE_WEBHOOK_SECRET:
            raise ChannelDown("MESSAGE_WEBHOOK_URL and MESSAGE_WEBHOOK_SECRET are not both set")

    def deliver(self, message: Message, rendered: Rendered, recipient: Recipient) -> str:
        number = f"msg_{message.public_id.hex}"
        body = json.dumps(payload(message, rendered, recipient), ensure_ascii=False).encode()
        at = int(clock.now().timestamp())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Kantis",
            **signed(number, body, at=at, secret=settings.MESSAGE_WEBHOOK_SECRET),
        }
        expect_success(post_to_public(settings.MESSAGE_WEBHOOK_URL, body=body, headers=headers))
        return number


def payload(message: Message, rendered: Rendered, recipient: Recipient) -> dict[str, Any]:
    """What the other side is told. The member by their public id: names and addresses stay here."""
    return {
        "type": "message.sent",
        "timestamp": clock.now().isoformat(),
        "data": {
            "message": str(message.public_id),
            "member": str(recipient.public_id),
            "campaign": message.campaign.code,
            "occasion": message.occasion,
            "language": rendered.language or message.language,
            "subject": rendered.subject,
            "heading": rendered.heading,
            "text": rendered.body,
            "button": {"label": rendered.button_label, "link": rendered.button_link},
        },
    }


def signed(number: str, body: bytes, *, at: int, secret: str) -> Mapping[str, str]:
    """The three headers of Standard Webhooks, by HMAC-SHA256 of ``number.at.body``; ``at`` in seconds since 1970."""
    digest = hmac.new(key_of(secret), f"{number}.{at}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": number,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def key_of(secret: str) -> bytes:
    """The bytes of a secret: Base64 after ``whsec_``, and any other text as it stands."""
    if secret.startswith(_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except binascii.Error as error:
            raise ChannelDown("MESSAGE_WEBHOOK_SECRET is not Base64 after whsec_") from error
    return secret.encode()
