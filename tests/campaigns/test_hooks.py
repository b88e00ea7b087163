"""The hooks for services: believed by a secret or a signature only, and each notice once."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
import time_machine
from django.http import HttpResponse
from django.test import Client
from pytest_django import Settings

from campaigns.models import Feedback, Message, Suppression
from members.consents import has_consent
from tests.factories.campaigns import MessageFactory, celebrant
from tests.factories.members import NOON

pytestmark = pytest.mark.django_db
SECRET = "a-long-secret-of-the-gateway"
KEY = "signing-key"


@pytest.fixture(autouse=True)
def _now(settings: Settings) -> object:
    settings.MESSAGE_HOOK_SECRETS = {"gateway": SECRET}
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def strict() -> Client:
    """Another house's program: without cookies, and with every check on."""
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def message() -> Message:
    return MessageFactory(
        member=celebrant(email="aino@example.com"), status="sent", sent_at=NOON, provider_id="gw-1"
    )


def bounce(**changes: Any) -> dict[str, Any]:
    return {"id": "n-1", "kind": "bounce", "channel": "email", "message": "gw-1"} | changes


def post(
    client: Client, *notices: Any, source: str = "gateway", authorization: str = f"Bearer {SECRET}"
) -> HttpResponse:
    body = json.dumps({"notices": notices})
    headers = {"Authorization": authorization} if authorization else {}
    return client.post(  # type: ignore[return-value]
        f"/hooks/messages/{source}/", body, content_type="application/json", headers=headers
    )


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"gateway:{password}".encode()).decode()


@pytest.mark.parametrize("authorization", [f"Bearer {SECRET}", f"bearer {SECRET}", basic(SECRET)])
def test_a_notice_with_the_secret_is_taken(strict: Client, message: Message, authorization: str) -> None:
    answer = post(strict, bounce(detail="550"), authorization=authorization)
    assert (answer.status_code, json.loads(answer.content)) == (200, {"taken": 1, "repeated": 0})
    message.refresh_from_db()
    assert (message.status, message.reason, message.detail) == ("failed", "bounced", "550")


def test_a_repeated_notice_is_counted_as_such(strict: Client, message: Message) -> None:
    """Fault 45."""
    post(strict, bounce())
    assert json.loads(post(strict, bounce(), bounce(id="n-2")).content) == {"taken": 1, "repeated": 1}
    assert Suppression.objects.count() == 1


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer ",
        "Bearer wrong",
        f"Bearer {SECRET}x",
        SECRET,
        basic("wrong"),
        "Basic ä",
        "Basic !",
        "Bearer ä",
    ],
)
def test_a_forged_notice_is_refused_and_nothing_is_written(
    strict: Client, message: Message, authorization: str
) -> None:
    """Fault 45."""
    assert post(strict, bounce(), authorization=authorization).status_code == 403
    message.refresh_from_db()
    assert message.status == "sent"
    assert not Feedback.objects.exists()


@pytest.mark.parametrize("authorization", ["", "Bearer ", basic(""), f"Bearer {SECRET}"])
def test_a_source_without_a_secret_is_refused(strict: Client, message: Message, authorization: str) -> None:
    assert post(strict, bounce(), source="unknown", authorization=authorization).status_code == 403
    assert not Feedback.objects.exists()


def test_every_kind_and_field_can_be_told(strict: Client, message: Message) -> None:
    notice = {
        "id": "n-9",
        "kind": "complaint",
        "channel": "email",
        "message": str(message.public_id),
        "address": "aino@example.com",
        "at": "2026-06-14T10:00:00+03:00",
        "detail": "abuse",
    }
    assert post(strict, notice).status_code == 200
    row = Feedback.objects.get()
    assert (row.message, row.happened_at.isoformat(), row.detail) == (
        message,
        "2026-06-14T07:00:00+00:00",
        "abuse",
    )
    assert not has_consent(message.member_id, "marketing", "email")


@pytest.mark.parametrize(
    "wrong",
    [
        "notice",
        None,
        {},
        bounce(kind="bounced"),
        bounce(kind=None),
        bounce(channel="fax"),
        bounce(id=""),
        bounce(id=7),
        bounce(id="x" * 201),
        bounce(message=""),
        bounce(message=["gw-1"]),
        bounce(message="gw\x00"),
        bounce(at="yesterday"),
        bounce(at="2026-06-14T10:00:00"),
        bounce(at=1),
        bounce(detail="x" * 2001),
    ],
)
def test_of_a_body_with_one_wrong_notice_none_is_taken(strict: Client, message: Message, wrong: Any) -> None:
    answer = post(strict, bounce(id="good"), wrong)
    assert answer.status_code == 400
    assert "notices[1]" in json.loads(answer.content)["error"]
    assert not Feedback.objects.exists()


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"notices": {}}', b"\xff", b"[" * 100_000, b"NaN"])
def test_a_body_that_is_none_is_refused(strict: Client, body: bytes) -> None:
    answer = strict.post(
        "/hooks/messages/gateway/",
        body,
        content_type="application/json",
        headers={"Authorization": f"Bearer {SECRET}"},
    )
    assert answer.status_code == 400


def test_too_many_at_once_are_refused(strict: Client) -> None:
    assert post(strict, *[bounce()] * 1001).status_code == 400


def test_hooks_are_only_posted_to(strict: Client) -> None:
    assert strict.get("/hooks/messages/gateway/").status_code == 405
    assert strict.get("/hooks/messages/mail-service/").status_code == 405


# --- Mail services ----------------------------------------------------------------------------------------------------


@pytest.fixture
def mailgun(settings: Settings) -> None:
    settings.KANTIS_ANYMAIL = "mailgun"
    settings.ANYMAIL = {"MAILGUN_API_KEY": "api", "MAILGUN_WEBHOOK_SIGNING_KEY": KEY}


def from_mailgun(client: Client, message: Message, *, key: str = KEY, **changes: Any) -> HttpResponse:
    """An event as Mailgun writes it."""
    token, at = "t" * 50, str(int(NOON.timestamp()))
    signature = hmac.new(key.encode(), f"{at}{token}".encode(), hashlib.sha256).hexdigest()
    event = {
        "event": "failed",
        "severity": "permanent",
        "reason": "bounce",
        "id": "ev-1",
        "timestamp": NOON.timestamp(),
        "recipient": "aino@example.com",
        "delivery-status": {"code": 550, "message": "no such user"},
        "message": {"headers": {"message-id": "gw-1"}},
        "user-variables": {"message": str(message.public_id)},
        "tags": ["birthday"],
    }
    body = {
        "signature": {"timestamp": at, "token": token, "signature": signature},
        "event-data": event | changes,
    }
    return client.post(  # type: ignore[return-value]
        "/hooks/messages/mail-service/", json.dumps(body), content_type="application/json"
    )


def test_a_signed_bounce_is_taken_once(strict: Client, message: Message, mailgun: None) -> None:
    assert from_mailgun(strict, message).status_code == 200
    assert from_mailgun(strict, message).status_code == 200
    row = Feedback.objects.get()
    assert (row.source, row.kind, row.message) == ("anymail-Mailgun", "bounce", message)
    message.refresh_from_db()
    assert (message.status, message.reason) == ("failed", "bounced")
    assert Suppression.objects.get().reason == "bounce"


def test_a_forged_signature_is_refused(strict: Client, message: Message, mailgun: None) -> None:
    """Fault 45."""
    assert from_mailgun(strict, message, key="another").status_code == 403
    assert (
        strict.post("/hooks/messages/mail-service/", b"{}", content_type="application/json").status_code
        == 403
    )
    assert not Feedback.objects.exists()


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"event": "delivered"}, "delivered"),
        ({"event": "complained"}, "complaint"),
        ({"event": "unsubscribed"}, "unsubscribe"),
        ({"severity": "temporary", "reason": "generic"}, "passing"),
        ({"reason": "suppress-bounce"}, "bounce"),
    ],
)
def test_what_the_service_says_is_understood(
    strict: Client, message: Message, mailgun: None, changes: dict[str, Any], kind: str
) -> None:
    from_mailgun(strict, message, **changes)
    assert Feedback.objects.get().kind == kind


def test_what_says_nothing_of_a_messages_fate_is_let_go(
    strict: Client, message: Message, mailgun: None
) -> None:
    assert from_mailgun(strict, message, event="accepted").status_code == 200
    assert not Feedback.objects.exists()


def test_the_message_is_found_before_its_number_is_known(
    strict: Client, message: Message, mailgun: None
) -> None:
    Message.objects.update(provider_id="")
    from_mailgun(strict, message)
    assert Feedback.objects.get().message == message


def test_without_a_mail_service_its_hook_is_closed(strict: Client, message: Message) -> None:
    assert from_mailgun(strict, message).status_code == 403


def test_a_service_that_signs_nothing_needs_a_password(strict: Client, settings: Settings) -> None:
    settings.KANTIS_ANYMAIL = "postmark"
    settings.ANYMAIL = {"POSTMARK_SERVER_TOKEN": "x"}
    notice = {
        "RecordType": "Bounce",
        "Type": "HardBounce",
        "ID": 7,
        "MessageID": "pm-1",
        "Email": "a@example.com",
    }

    def tell(**headers: str) -> int:
        return strict.post(
            "/hooks/messages/mail-service/",
            json.dumps(notice),
            content_type="application/json",
            headers=headers,
        ).status_code

    assert tell() == 403
    settings.ANYMAIL |= {"WEBHOOK_SECRET": "gateway:pass"}
    assert tell() == 403
    assert tell(Authorization=basic("wrong")) == 403
    assert not Feedback.objects.exists()
    assert tell(Authorization=basic("pass")) == 200
    assert Feedback.objects.get().kind == "bounce"


def test_a_service_that_is_unknown_is_refused(strict: Client, settings: Settings, message: Message) -> None:
    settings.KANTIS_ANYMAIL = "pigeon"
    assert from_mailgun(strict, message).status_code == 403
