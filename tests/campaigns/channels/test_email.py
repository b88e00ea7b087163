"""E-mail: what stands in the headers, that nobody can add to them, and mail services besides SMTP."""

import json
from email import message_from_bytes, policy
from typing import Any
from urllib.parse import parse_qs

import pytest
from anymail.exceptions import AnymailRecipientsRefused
from pytest_django import Settings

from campaigns import unsubscribing
from campaigns.channels.base import ChannelDown, OutcomeUnknown, PassingError, Refused
from campaigns.channels.email import EmailChannel, compose
from campaigns.models import Campaign, Message
from tests.campaigns.channels.http_sink import HttpSink
from tests.campaigns.smtp_sink import Sink
from tests.factories.campaigns import birthday_campaign
from tests.factories.channels import message_by, recipient, words

pytestmark = pytest.mark.django_db
ATTACK = "Aino\r\nBcc: victim@example.com\r\n\r\nHello"


@pytest.fixture(autouse=True)
def _house(settings: Settings) -> None:
    settings.DEFAULT_FROM_EMAIL = "Kantis <club@example.org>"
    settings.PUBLIC_URL = "https://club.example.org"


@pytest.fixture
def message() -> Message:
    return message_by("email")


def deliver(message: Message, *, to: dict[str, Any] | None = None, **changes: Any) -> str:
    channel = EmailChannel()
    changes.setdefault("unsubscribe_url", unsubscribing.url_for(message))
    with channel.opened():
        channel.ready()
        return channel.deliver(message, words(**changes), recipient(message, **(to or {})))


def test_text_and_html_go_out_with_the_headers_of_bulk_mail(sink: Sink, message: Message) -> None:
    number = deliver(message)
    (mail,) = sink.mails
    text, html = (part.get_content().replace("\r\n", "\n") for part in mail.iter_parts())
    assert text.startswith("Come before noon.\n\nhttps://club.example.org")
    assert "<p>Come before noon.</p>" in html
    assert mail["Subject"] == "Fresh bread"
    assert mail["Message-ID"] == number == f"<kantis-{message.pk}@example.org>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["List-ID"] == "<marketing.example.org>"
    assert mail["Feedback-ID"] == "birthday:0:marketing:kantis"


def test_one_click_unsubscribes(sink: Sink, message: Message, settings: Settings) -> None:
    deliver(message)
    settings.UNSUBSCRIBE_MAILTO = "stop@example.org"
    deliver(message)
    url = f"https://club.example.org/u/{unsubscribing.token_for(message)}/"
    first, second = sink.mails
    assert first["List-Unsubscribe"] == f"<{url}>"
    token = unsubscribing.token_for(message)
    assert second["List-Unsubscribe"] == f"<{url}>, <mailto:stop@example.org?subject=unsubscribe%20{token}>"
    assert first["List-Unsubscribe-Post"] == second["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_service_messages_cannot_be_unsubscribed(sink: Sink) -> None:
    message = message_by("email", campaign=birthday_campaign(purpose=Campaign.Purpose.SERVICE))
    deliver(message)
    (mail,) = sink.mails
    assert mail["List-Unsubscribe"] is None
    assert mail["List-Unsubscribe-Post"] is None


def test_line_breaks_in_a_name_add_no_header(sink: Sink, message: Message) -> None:
    """Fault 62."""
    deliver(message, subject=f"Hello, {ATTACK}", heading=ATTACK, text=ATTACK)
    assert sink.recipients == [message.member.email]
    (mail,) = sink.mails
    assert mail["Bcc"] is None
    assert mail["Subject"] == "Hello, Aino Bcc: victim@example.com Hello"
    assert mail.is_multipart()


@pytest.mark.parametrize(
    "address",
    [
        "a@example.org\r\nBcc: victim@example.com",
        "a@example.org, victim@example.com",
        "a@example.org;victim@example.com",
        "Aino <a@example.org>",
        "a@b@example.org",
        "no address",
        "@example.org",
    ],
)
def test_what_is_not_one_address_gets_no_mail(sink: Sink, message: Message, address: str) -> None:
    with pytest.raises(Refused):
        deliver(message, to={"email": address})
    assert sink.recipients == []


def test_addresses_with_letters_of_their_own_are_written_to() -> None:
    message = message_by("email")
    mail = compose(message, words(), to="aino+kahvi@lounas.example")
    assert message_from_bytes(mail.message().as_bytes(), policy=policy.default)["To"] == (
        "aino+kahvi@lounas.example"
    )


# --- Mail services ----------------------------------------------------------------------------------------------------


@pytest.fixture
def service(http: HttpSink, settings: Settings) -> HttpSink:
    """Mailgun, as far as we know it."""
    settings.KANTIS_ANYMAIL = "mailgun"
    settings.EMAIL_BACKEND = "anymail.backends.mailgun.EmailBackend"
    settings.ANYMAIL = {
        "MAILGUN_API_KEY": "key",
        "MAILGUN_SENDER_DOMAIN": "example.org",
        "MAILGUN_API_URL": f"{http.url}/v3",
        "REQUESTS_TIMEOUT": 0.5,
        "IGNORE_UNSUPPORTED_FEATURES": True,
    }
    http.answer = b'{"id": "<20261121.1@example.org>", "message": "Queued. Thank you."}'
    return http


def test_a_mail_service_gets_it_with_our_number_and_gives_its_own(
    service: HttpSink, message: Message
) -> None:
    assert deliver(message) == "<20261121.1@example.org>"
    (request,) = service.requests
    assert request.path == "/v3/example.org/messages"
    said = parse_qs(request.body.decode())
    assert said["to"] == [message.member.email]
    assert said["v:message"] == [str(message.public_id)]
    assert said["h:List-Unsubscribe-Post"] == ["List-Unsubscribe=One-Click"]
    assert said["h:List-Unsubscribe"] == [f"<{unsubscribing.url_for(message)}>"]
    assert (said["o:tracking-clicks"], said["o:tracking-opens"]) == (["no"], ["no"])
    assert said["text"] == ["Come before noon.\n\nhttps://club.example.org"]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, Refused),
        (413, Refused),
        (401, PassingError),
        (402, PassingError),
        (429, PassingError),
        (500, PassingError),
        (503, PassingError),
    ],
)
def test_a_services_answers_are_told_apart(
    service: HttpSink, message: Message, status: int, error: type[Exception]
) -> None:
    service.status, service.answer = status, json.dumps({"message": "so it is"}).encode()
    with pytest.raises(error, match="so it is"):
        deliver(message)


def test_an_answer_that_cannot_be_read_means_unknown(service: HttpSink, message: Message) -> None:
    service.answer = b"<html>"
    with pytest.raises(OutcomeUnknown):
        deliver(message)


@pytest.mark.parametrize("how", ["silent", "hangs up"])
def test_no_answer_of_a_service_means_unknown(service: HttpSink, message: Message, how: str) -> None:
    service.misbehaves = how
    with pytest.raises(OutcomeUnknown):
        deliver(message)
    assert len(service.requests) == 1


def test_a_service_that_is_away_got_nothing(
    service: HttpSink, message: Message, settings: Settings, nobody_there: str
) -> None:
    settings.ANYMAIL |= {"MAILGUN_API_URL": f"{nobody_there}/v3"}
    with pytest.raises(PassingError):
        deliver(message)


def test_a_recipient_that_the_service_never_writes_to_is_refused(
    service: HttpSink, message: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: Any, **_more: Any) -> int:
        raise AnymailRecipientsRefused

    monkeypatch.setattr("anymail.backends.mailgun.EmailBackend.send_messages", refuse)
    with pytest.raises(Refused):
        deliver(message)


def test_a_service_without_its_key_is_down(service: HttpSink, message: Message, settings: Settings) -> None:
    settings.ANYMAIL = {"MAILGUN_SENDER_DOMAIN": "example.org"}
    with pytest.raises(ChannelDown, match="not set up"):
        deliver(message)
