"""Messages handed to the operator's own system: what it is told, that it can trust it, and where we never call."""

import base64
import hashlib
import hmac
import json
import socket
from typing import Any

import pytest
import time_machine
from pytest_django import Settings

from campaigns.channels.base import ChannelDown, OutcomeUnknown, PassingError, Refused
from campaigns.channels.http import is_public, post_to_public
from campaigns.channels.webhook import WebhookChannel
from campaigns.models import Message
from tests.campaigns.channels.http_sink import HttpSink
from tests.factories.channels import message_by, recipient, words
from tests.factories.members import NOON

pytestmark = pytest.mark.django_db
SECRET = "whsec_" + base64.b64encode(b"a secret of twenty-four").decode()


@pytest.fixture
def target(http: HttpSink, settings: Settings) -> HttpSink:
    settings.MESSAGE_WEBHOOK_URL, settings.MESSAGE_WEBHOOK_SECRET = f"{http.url}/kantis?a=1", SECRET
    return http


def deliver(message: Message) -> str:
    channel = WebhookChannel()
    channel.ready()
    return channel.deliver(message, words(), recipient(message))


def test_the_other_side_is_told_the_message_and_no_name(target: HttpSink) -> None:
    message = message_by("webhook", occasion="birthday:2026")
    with time_machine.travel(NOON, tick=False):
        assert deliver(message) == f"msg_{message.public_id.hex}"
    (request,) = target.requests
    assert (request.method, request.path) == ("POST", "/kantis?a=1")
    assert json.loads(request.body) == {
        "type": "message.sent",
        "timestamp": NOON.isoformat(),
        "data": {
            "message": str(message.public_id),
            "member": str(message.member.public_id),
            "campaign": "birthday",
            "occasion": "birthday:2026",
            "language": "en",
            "subject": "Fresh bread",
            "heading": "Bread from this morning",
            "text": "Come before noon.",
            "button": {"label": "See it", "link": "https://club.example.org/r/abc"},
        },
    }
    assert message.member.email.encode() not in request.body


def test_the_signature_is_that_of_standard_webhooks(target: HttpSink) -> None:
    message = message_by("webhook")
    with time_machine.travel(NOON, tick=False):
        deliver(message)
    (request,) = target.requests
    number, at = request.headers["webhook-id"], request.headers["webhook-timestamp"]
    assert (number, at) == (f"msg_{message.public_id.hex}", str(int(NOON.timestamp())))
    signed = b".".join([number.encode(), at.encode(), request.body])
    digest = hmac.new(b"a secret of twenty-four", signed, hashlib.sha256).digest()
    assert request.headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"


def test_the_vector_of_the_specification_holds() -> None:
    from campaigns.channels.webhook import signed

    headers = signed(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        b'{"test": 2432232314}',
        at=1614265330,
        secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_tried_again_it_has_the_same_number(target: HttpSink) -> None:
    message = message_by("webhook")
    target.status = 503
    with pytest.raises(PassingError):
        deliver(message)
    target.status = 200
    deliver(message)
    assert len({request.headers["webhook-id"] for request in target.requests}) == 1


@pytest.mark.parametrize(
    ("status", "error"), [(301, Refused), (307, Refused), (400, Refused), (410, Refused), (500, PassingError)]
)
def test_redirects_are_not_followed_and_answers_are_told_apart(
    target: HttpSink, status: int, error: type[Exception]
) -> None:
    target.status, target.headers = status, {"Location": f"{target.url}/elsewhere"}
    with pytest.raises(error):
        deliver(message_by("webhook"))
    assert len(target.requests) == 1


@pytest.mark.parametrize("how", ["silent", "hangs up"])
def test_no_answer_means_unknown(target: HttpSink, how: str) -> None:
    target.misbehaves = how
    with pytest.raises(OutcomeUnknown):
        deliver(message_by("webhook"))


def test_a_target_that_is_away_got_nothing(settings: Settings, nobody_there: str) -> None:
    settings.MESSAGE_WEBHOOK_URL, settings.MESSAGE_WEBHOOK_SECRET = nobody_there, SECRET
    with pytest.raises(PassingError):
        deliver(message_by("webhook"))


@pytest.mark.parametrize(
    ("url", "secret"), [("", SECRET), ("https://a.example", ""), ("http://a", "whsec_not base64!")]
)
def test_half_set_up_the_channel_is_down(settings: Settings, url: str, secret: str) -> None:
    settings.MESSAGE_WEBHOOK_URL, settings.MESSAGE_WEBHOOK_SECRET = url, secret
    with pytest.raises(ChannelDown):
        deliver(message_by("webhook"))


# --- Where we never call ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
        *("224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fd00::1", "ff02::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:7f00:1::", "x"),
    ],
)
def test_our_own_network_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"])
def test_the_open_network_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433"])
def test_a_private_target_is_refused_before_anything_is_sent(
    http: HttpSink, settings: Settings, host: str
) -> None:
    settings.OUTGOING_PRIVATE_TARGETS = False
    port = http.url.rpartition(":")[2]
    with pytest.raises((Refused, PassingError)):  # some systems do not know a number for a name
        post_to_public(f"http://{host}:{port}/", body=b"", headers={})
    assert http.requests == []


def answers(*addresses: str) -> Any:
    """A name server's answers, one for each time it is asked; the last one stays."""
    left = list(addresses)

    def getaddrinfo(_host: str, port: int, *_args: Any, **_more: Any) -> list[Any]:
        address = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in address.split()]

    return getaddrinfo


def test_a_name_with_any_private_address_is_refused(
    http: HttpSink, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.OUTGOING_PRIVATE_TARGETS = False
    monkeypatch.setattr("campaigns.channels.http.socket.getaddrinfo", answers("93.184.216.34 127.0.0.1"))
    with pytest.raises(Refused):
        post_to_public("http://hook.example/", body=b"", headers={})


def test_a_second_answer_of_the_name_server_leads_nowhere_else(
    http: HttpSink, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.OUTGOING_PRIVATE_TARGETS = False
    settings.OUTGOING_TIMEOUT = 0.2
    called: list[str] = []

    def connect(address: tuple[str, int], *_args: Any, **_more: Any) -> Any:
        called.append(address[0])
        raise OSError("no way out of here")

    monkeypatch.setattr("campaigns.channels.http.socket.getaddrinfo", answers("93.184.216.34", "127.0.0.1"))
    monkeypatch.setattr("urllib3.util.connection.create_connection", connect)
    port = http.url.rpartition(":")[2]
    with pytest.raises(PassingError):
        post_to_public(f"http://hook.example:{port}/", body=b"", headers={})
    assert called == ["93.184.216.34"]
    assert http.requests == []


def test_the_host_named_is_the_host_asked_for(http: HttpSink, monkeypatch: pytest.MonkeyPatch) -> None:
    port = http.url.rpartition(":")[2]
    monkeypatch.setattr("campaigns.channels.http.socket.getaddrinfo", answers("127.0.0.1"))
    assert post_to_public(f"http://hook.example:{port}/a", body=b"x", headers={}).status == 200
    assert http.requests[0].headers["Host"] == f"hook.example:{port}"


@pytest.mark.parametrize(
    "url",
    [
        *("http://hook.example/", "ftp://hook.example/", "file:///etc/passwd", "https://a:b@hook.example/"),
        *("https:///x", "https://hook.example:99999/"),
    ],
)
def test_only_https_addresses_are_called_outside_the_demo(settings: Settings, url: str) -> None:
    settings.DEMO = False
    with pytest.raises(Refused):
        post_to_public(url, body=b"", headers={})
