"""Text messages by a gateway: what it is asked, and what its answers mean."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from pytest_django import Settings

from campaigns.channels.base import ChannelDown, OutcomeUnknown, PassingError, Refused
from campaigns.channels.sms import SmsChannel, filled
from campaigns.models import Message
from tests.campaigns.channels.http_sink import HttpSink
from tests.factories.campaigns import celebrant
from tests.factories.channels import message_by, recipient, words

pytestmark = pytest.mark.django_db
GATEWAY = {
    "url": "",
    "method": "POST",
    "headers": {},
    "token": "",
    "format": "json",
    "body": {"to": "{to}", "text": "{text}", "reference": "{id}"},
    "sender": "",
    "id_path": "id",
}


@pytest.fixture
def gateway(http: HttpSink, settings: Settings) -> HttpSink:
    settings.SMS_GATEWAY = GATEWAY | {"url": f"{http.url}/send"}
    return http


@pytest.fixture
def message() -> Message:
    return message_by("sms", member=celebrant(phone="+358401234567"))


def deliver(message: Message, **changes: Any) -> str:
    channel = SmsChannel()
    channel.ready()
    return channel.deliver(message, words(**changes), recipient(message))


def test_the_gateway_gets_number_text_and_our_reference(gateway: HttpSink, message: Message) -> None:
    gateway.answer = b'{"id": "sms-17"}'
    assert deliver(message) == "sms-17"
    (request,) = gateway.requests
    assert (request.method, request.path) == ("POST", "/send")
    assert json.loads(request.body) == {
        "to": "+358401234567",
        "text": "Fresh bread until noon",
        "reference": str(message.public_id),
    }
    assert request.headers["Idempotency-Key"] == str(message.public_id)
    assert "Authorization" not in request.headers


def test_token_headers_method_and_body_are_the_operators(
    gateway: HttpSink, message: Message, settings: Settings
) -> None:
    settings.SMS_GATEWAY |= {
        "method": "PUT",
        "token": "s3cret",
        "headers": {"X-Account": "42"},
        "sender": "Kantis",
        "body": {"from": "{sender}", "recipients": [{"msisdn": "{to}"}], "content": "{text}", "ttl": 60},
        "id_path": "messages.0.number",
    }
    gateway.answer = b'{"messages": [{"number": 991}]}'
    assert deliver(message) == "991"
    (request,) = gateway.requests
    assert request.method == "PUT"
    assert (request.headers["Authorization"], request.headers["X-Account"]) == ("Bearer s3cret", "42")
    assert json.loads(request.body) == {
        "from": "Kantis",
        "recipients": [{"msisdn": "+358401234567"}],
        "content": "Fresh bread until noon",
        "ttl": 60,
    }


def test_a_gateway_may_want_a_form(gateway: HttpSink, message: Message, settings: Settings) -> None:
    settings.SMS_GATEWAY |= {"format": "form", "body": {"To": "{to}", "Body": "{text}"}}
    deliver(message, short="Ää & co")
    assert parse_qs(gateway.requests[0].body.decode()) == {"To": ["+358401234567"], "Body": ["Ää & co"]}


def test_what_a_text_says_stays_text() -> None:
    values = {"to": "+1", "text": '{"id"} {id} ", "x": "', "sender": "{to}", "id": "7"}
    template = {"a": "{text}", "b": "{sender}", "c": "{unknown} {0}", "d": 3}
    assert filled(template, values) == {
        "a": '{"id"} {id} ", "x": "',
        "b": "{to}",
        "c": "{unknown} {0}",
        "d": 3,
    }


def test_without_a_short_text_the_subject_goes(gateway: HttpSink, message: Message) -> None:
    deliver(message, short="")
    assert json.loads(gateway.requests[0].body)["text"] == "Fresh bread"


@pytest.mark.parametrize("answer", [b"", b"ok", b"[]", b'{"id": {}}', b'{"number": 1}', b"\xff"])
def test_an_answer_without_a_number_is_taken_too(gateway: HttpSink, message: Message, answer: bytes) -> None:
    gateway.answer = answer
    assert deliver(message) == ""


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, Refused),
        (404, Refused),
        (422, Refused),
        (302, Refused),
        (401, PassingError),
        (402, PassingError),
        (429, PassingError),
        (500, PassingError),
        (503, PassingError),
    ],
)
def test_answers_are_told_apart(
    gateway: HttpSink, message: Message, status: int, error: type[Exception]
) -> None:
    gateway.status, gateway.answer = status, b'{"reason": "so it is"}'
    gateway.headers = {"Location": f"{gateway.url}/elsewhere"}
    with pytest.raises(error, match=f'{status} {{"reason": "so it is"}}'):
        deliver(message)
    assert len(gateway.requests) == 1  # no redirect is followed, and nothing tried twice


@pytest.mark.parametrize("how", ["silent", "hangs up"])
def test_no_answer_means_unknown(gateway: HttpSink, message: Message, how: str) -> None:
    gateway.misbehaves = how
    with pytest.raises(OutcomeUnknown):
        deliver(message)
    assert len(gateway.requests) == 1


def test_a_gateway_that_is_away_got_nothing(message: Message, settings: Settings, nobody_there: str) -> None:
    settings.SMS_GATEWAY = GATEWAY | {"url": nobody_there}
    with pytest.raises(PassingError):
        deliver(message)


def test_an_unknown_host_got_nothing(
    message: Message, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SMS_GATEWAY = GATEWAY | {"url": "https://gateway.invalid/"}

    def unknown(*_args: Any, **_more: Any) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", unknown)
    with pytest.raises(PassingError):
        deliver(message)


@pytest.mark.parametrize("phone", ["", "12", "abc"])
def test_who_has_no_number_is_not_reached(phone: str) -> None:
    message = message_by("sms")
    to = recipient(message, phone=phone)
    assert SmsChannel().objection(message, to) == Message.Reason.NO_ADDRESS
    with pytest.raises(Refused):
        SmsChannel().deliver(message, words(), to)


def test_numbers_go_out_in_the_international_form(gateway: HttpSink) -> None:
    message = message_by("sms")
    to = recipient(message, phone="040 123 4567")
    assert SmsChannel().objection(message, to) == ""
    SmsChannel().deliver(message, words(), to)
    assert json.loads(gateway.requests[0].body)["to"] == "+358401234567"


def test_without_a_gateway_the_channel_is_down(message: Message, settings: Settings) -> None:
    settings.SMS_GATEWAY = GATEWAY
    with pytest.raises(ChannelDown, match="SMS_GATEWAY_URL"):
        deliver(message)


def test_the_demos_texts_are_files(message: Message, settings: Settings, tmp_path: Path) -> None:
    settings.SMS_GATEWAY = GATEWAY | {"url": (tmp_path / "sms").as_uri()}
    assert deliver(message, short="Tuoretta leipää") == str(message.public_id)
    (file,) = (tmp_path / "sms").iterdir()
    assert json.loads(file.read_text())["text"] == "Tuoretta leipää"
