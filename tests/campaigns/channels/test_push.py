"""Notifications: sealed for one browser, signed by the house, sent to every device, and gone devices left alone."""

import base64
import json
import struct
from dataclasses import dataclass
from io import StringIO
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.core.management import call_command
from pytest_django import Settings

from campaigns.channels import push
from campaigns.channels.base import ChannelDown, OutcomeUnknown, PassingError, Refused
from campaigns.models import Message, PushSubscription
from campaigns.preferences import add_device
from tests.campaigns.channels.http_sink import HttpSink
from tests.factories.channels import message_by, recipient, words
from tests.factories.members import NOON

pytestmark = pytest.mark.django_db


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Browser:
    """What a browser keeps to itself of a subscription."""

    key: ec.EllipticCurvePrivateKey
    secret: bytes

    @property
    def point(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def opened(self, sealed: bytes) -> Any:
        """What was sent, by RFC 8291 and RFC 8188."""
        salt, length = sealed[:16], sealed[20]
        (record,) = struct.unpack("!L", sealed[16:20])
        assert record >= len(sealed)
        their_point, ciphertext = sealed[21 : 21 + length], sealed[21 + length :]
        theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), their_point)

        def derived(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
            return HKDF(hashes.SHA256(), length, salt, info).derive(secret)

        shared = self.key.exchange(ec.ECDH(), theirs)
        secret = derived(shared, self.secret, b"WebPush: info\x00" + self.point + their_point, 32)
        key = derived(secret, salt, b"Content-Encoding: aes128gcm\x00", 16)
        nonce = derived(secret, salt, b"Content-Encoding: nonce\x00", 12)
        return json.loads(AESGCM(key).decrypt(nonce, ciphertext, None).rstrip(b"\x02"))


@pytest.fixture(autouse=True)
def _keys(settings: Settings) -> None:
    settings.VAPID_PRIVATE_KEY, settings.VAPID_CONTACT = push.new_private_key(), "club@example.org"


@pytest.fixture
def message() -> Message:
    return message_by("push")


def device(message: Message, endpoint: str) -> Browser:
    """A browser of the member that takes notifications at this address."""
    browser = Browser(ec.generate_private_key(ec.SECP256R1()), b"sixteen bytes !!")
    add_device(
        member_id=message.member_id,
        endpoint=endpoint,
        p256dh=encoded(browser.point),
        auth=encoded(browser.secret),
        device="Firefox, Android",
        at=NOON,
    )
    return browser


def deliver(message: Message, **changes: Any) -> str:
    channel = push.PushChannel()
    channel.ready()
    mine = PushSubscription.objects.filter(member=message.member, gone_at__isnull=True).order_by("pk")
    return channel.deliver(message, words(**changes), recipient(message, subscriptions=tuple(mine)))


def test_only_the_browser_can_read_it(http: HttpSink, message: Message) -> None:
    browser = device(message, f"{http.url}/p/1")
    http.status, http.headers = 201, {"Location": "https://push.example/m/9"}
    assert deliver(message) == "https://push.example/m/9"
    (request,) = http.requests
    assert (request.method, request.path) == ("POST", "/p/1")
    assert (request.headers["Content-Encoding"], request.headers["Ttl"]) == ("aes128gcm", "86400")
    assert b"bread" not in request.body
    assert browser.opened(request.body) == {
        "title": "Bread from this morning",
        "body": "Fresh bread until noon",
        "url": "https://club.example.org/r/abc",
        "tag": str(message.public_id),
        "lang": "en",
    }


def test_it_is_signed_by_the_houses_key(http: HttpSink, message: Message, settings: Settings) -> None:
    device(message, f"{http.url}/p/1")
    deliver(message)
    scheme, _blank, rest = http.requests[0].headers["Authorization"].partition(" ")
    parts = dict(part.strip().split("=", 1) for part in rest.split(","))
    assert scheme == "vapid"
    assert parts["k"] == push.public_key(settings.VAPID_PRIVATE_KEY)
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), decoded(parts["k"]))
    said = jwt.decode(parts["t"], key, algorithms=["ES256"], audience="http://127.0.0.1")  # type: ignore[arg-type]
    assert said["sub"] == "mailto:club@example.org"


def test_every_device_gets_it(http: HttpSink, message: Message) -> None:
    for number in range(3):
        device(message, f"{http.url}/p/{number}")
    deliver(message)
    assert [request.path for request in http.requests] == ["/p/0", "/p/1", "/p/2"]


@pytest.mark.parametrize("status", [404, 410])
def test_a_device_that_is_gone_is_noted_and_the_others_get_it(
    http: HttpSink, message: Message, status: int
) -> None:
    device(message, f"{http.url}/gone")
    device(message, f"{http.url}/here")
    http.statuses = {"/gone": status}
    deliver(message)
    gone = PushSubscription.objects.filter(gone_at__isnull=False)
    assert [each.endpoint for each in gone] == [f"{http.url}/gone"]
    deliver(message)
    assert [request.path for request in http.requests] == ["/gone", "/here", "/here"]


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, Refused), (410, Refused), (413, Refused), (429, PassingError), (503, PassingError)],
)
def test_when_no_device_takes_it_the_answers_are_told_apart(
    http: HttpSink, message: Message, status: int, error: type[Exception]
) -> None:
    device(message, f"{http.url}/a")
    http.status = status
    with pytest.raises(error):
        deliver(message)


def test_what_may_pass_is_tried_again_though_another_device_is_gone(http: HttpSink, message: Message) -> None:
    device(message, f"{http.url}/gone")
    device(message, f"{http.url}/busy")
    http.statuses = {"/gone": 410, "/busy": 429}
    with pytest.raises(PassingError):
        deliver(message)


def test_no_answer_means_unknown(http: HttpSink, message: Message) -> None:
    device(message, f"{http.url}/a")
    http.misbehaves = "silent"
    with pytest.raises(OutcomeUnknown):
        deliver(message)


def test_an_endpoint_in_our_own_network_is_not_called(
    http: HttpSink, message: Message, settings: Settings
) -> None:
    device(message, f"{http.url}/a")
    settings.OUTGOING_PRIVATE_TARGETS = False
    with pytest.raises(Refused):
        deliver(message)
    assert http.requests == []


def test_keys_that_are_none_are_refused(http: HttpSink, message: Message) -> None:
    device(message, f"{http.url}/a")
    PushSubscription.objects.update(p256dh="AAAA")
    with pytest.raises(Refused):
        deliver(message)


def test_without_devices_or_key_there_is_no_way(message: Message, settings: Settings) -> None:
    channel = push.PushChannel()
    assert channel.objection(message, recipient(message)) == Message.Reason.NO_ADDRESS
    with pytest.raises(Refused):
        deliver(message)
    settings.VAPID_PRIVATE_KEY = ""
    with pytest.raises(ChannelDown, match="vapid_keys"):
        channel.ready()


def test_the_command_prints_a_key_that_works() -> None:
    out = StringIO()
    call_command("vapid_keys", stdout=out)
    private = out.getvalue().splitlines()[0].removeprefix("VAPID_PRIVATE_KEY=")
    assert len(decoded(push.public_key(private))) == 65
    assert push.public_key(private) in out.getvalue()
    with pytest.raises(ValueError, match="32 bytes"):
        push.public_key("AAAA")
