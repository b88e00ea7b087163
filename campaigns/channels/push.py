"""Notifications to members' browsers by Web Push, encrypted for each and signed with the house's VAPID key."""

import base64
import functools
import json
from typing import TYPE_CHECKING, Any

from django.conf import settings

from campaigns.channels.base import (
    Channel,
    ChannelDown,
    OutcomeUnknown,
    PassingError,
    Recipient,
    Refused,
    Undelivered,
)
from campaigns.channels.http import expect_success, post_to_public
from campaigns.models import ChannelCode, Message, PushSubscription
from campaigns.rendering.rendered import Rendered
from loyalty import clock

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from webpush import WebPush

_GONE = frozenset({404, 410})
_KEPT_FOR = 24 * 3600
"""Seconds for which the browser's service keeps a notification for a device that is off."""
_LONGEST_TEXT = 1000


class PushChannel(Channel):
    """A message goes to every browser of the member; it counts as sent when one of them took it."""

    code = ChannelCode.PUSH.value

    def ready(self) -> None:
        if not settings.VAPID_PRIVATE_KEY:
            raise ChannelDown("VAPID_PRIVATE_KEY is not set (manage.py vapid_keys makes one)")

    def objection(self, message: Message, recipient: Recipient) -> str:
        return "" if recipient.subscriptions else Message.Reason.NO_ADDRESS

    def deliver(self, message: Message, rendered: Rendered, recipient: Recipient) -> str:
        body = json.dumps(notification(message, rendered), ensure_ascii=False).encode()
        troubles: list[Undelivered] = []
        numbers = []
        for browser in recipient.subscriptions:
            try:
                numbers.append(_send(browser, body))
            except Undelivered as error:
                troubles.append(error)
        if numbers:
            return numbers[0]
        raise _worst(troubles)


def notification(message: Message, rendered: Rendered) -> dict[str, str]:
    """What the service worker shows: a title, a text, and where a touch leads."""
    return {
        "title": rendered.heading or rendered.subject,
        "body": (rendered.short or rendered.subject)[:_LONGEST_TEXT],
        "url": rendered.button_link or settings.PUBLIC_URL,
        "tag": str(message.public_id),
        "lang": rendered.language or message.language,
    }


def _send(browser: PushSubscription, body: bytes) -> str:
    """Hand it to one browser's service; returns the service's address of the notification, or "".

    A browser that is gone is noted, and refused.
    """
    from pydantic import ValidationError
    from webpush.types import WebPushKeys, WebPushSubscription

    try:
        to = WebPushSubscription(
            endpoint=browser.endpoint,  # type: ignore[arg-type]
            keys=WebPushKeys(p256dh=browser.p256dh, auth=browser.auth),
        )
        sealed = _sealer(settings.VAPID_PRIVATE_KEY, settings.VAPID_CONTACT).get(body, to)
    except (ValidationError, ValueError) as error:
        raise Refused(f"{browser.device}: not an address of a browser") from error
    answer = post_to_public(
        browser.endpoint,
        body=sealed.encrypted,
        headers={"Content-Type": "application/octet-stream", **_headers(sealed.headers)},
    )
    if answer.status in _GONE:
        PushSubscription.objects.filter(pk=browser.pk, gone_at__isnull=True).update(gone_at=clock.now())
    return expect_success(answer).headers.get("Location", "")[:200]


def _worst(troubles: list[Undelivered]) -> Undelivered:
    """What became of a message that no browser took: unknown before passing before refused."""
    for kind in (OutcomeUnknown, PassingError):
        for each in troubles:
            if isinstance(each, kind):
                return each
    return troubles[0] if troubles else Refused("no browser takes notifications any more")


def _headers(given: Any) -> dict[str, str]:
    return {str(name).title(): str(value) for name, value in given.items()}


# --- The house's key --------------------------------------------------------------------------------------------------


def new_private_key() -> str:
    """A new VAPID key as ``VAPID_PRIVATE_KEY`` holds it: 32 bytes in URL-safe Base64."""
    from cryptography.hazmat.primitives.asymmetric import ec

    number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    return _base64(number.to_bytes(32, "big"))


def public_key(private: str) -> str:
    """What browsers are told of the key, to subscribe by. Raises ValueError for what is no key."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    point = _key(private).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return _base64(point)


def _key(private: str) -> "EllipticCurvePrivateKey":
    from cryptography.hazmat.primitives.asymmetric import ec

    raw = base64.urlsafe_b64decode(private + "=" * (-len(private) % 4))
    if len(raw) != 32:
        raise ValueError("VAPID_PRIVATE_KEY is 32 bytes in URL-safe Base64")
    return ec.derive_private_key(int.from_bytes(raw, "big"), ec.SECP256R1())


@functools.lru_cache(maxsize=2)
def _sealer(private: str, contact: str) -> "WebPush":
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )
    from webpush import WebPush

    key = _key(private)
    return WebPush(
        private_key=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        public_key=key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        subscriber=contact,
        ttl=_KEPT_FOR,
    )


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
