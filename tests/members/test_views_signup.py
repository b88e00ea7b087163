"""Joining, verifying, claiming and logging in, as a browser does it."""

import re

import pytest
from django.core import mail
from django.core.cache import cache
from django.test import Client

from loyalty import clock
from members.enrolment import NewMember, enrol
from members.models import Consent, Member, SignUp, User
from tests.factories.portal import PASSWORD, login_for, portal_member

pytestmark = pytest.mark.django_db

FORM = {
    "first_name": "Aino",
    "email": "Aino@Example.com",
    "password1": PASSWORD,
    "language": "en",
    "consent-marketing-email": "on",
}


@pytest.fixture(autouse=True)
def _fresh_limits(settings: object) -> None:
    cache.clear()
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # type: ignore[attr-defined]


@pytest.fixture
def visitor() -> Client:
    return Client(headers={"accept-language": "en"})


def confirm(client: Client) -> None:
    """Open the link of the last message and press its button."""
    link = re.search(r"http://testserver(/account/confirm-email/\S+)", str(mail.outbox[-1].body))
    assert link
    assert "Confirm your e-mail address" in client.get(link[1]).content.decode()
    client.post(link[1])


def change_address(client: Client, email: str) -> None:
    """Ask for another address; the password is asked once more on the way."""
    asked = client.post("/account/email/", {"email": email, "action_add": ""})
    assert asked["Location"].startswith("/account/reauthenticate/")
    client.post(asked["Location"], {"password": PASSWORD, "next": "/account/email/"})


def test_nobody_is_a_member_before_the_address_is_verified(visitor: Client) -> None:
    response = visitor.post("/account/signup/", FORM, follow=True)
    assert "Check your e-mail" in response.content.decode()
    assert User.objects.get().email == "aino@example.com"
    assert (Member.objects.count(), Consent.objects.count()) == (0, 0)

    confirm(visitor)
    member = Member.objects.get()
    assert (member.email, member.first_name, member.language, member.source) == (
        "aino@example.com", "Aino", "en", "portal",
    )  # fmt: skip
    assert list(Consent.objects.values_list("purpose", "channel", "granted")) == [
        ("marketing", "email", True)
    ]
    assert SignUp.objects.count() == 0

    assert "Hello, Aino" in visitor.get("/").content.decode()


def test_the_link_logs_in_only_where_the_sign_up_was_made(visitor: Client) -> None:
    visitor.post("/account/signup/", FORM)
    elsewhere = Client(headers={"accept-language": "en"})
    confirm(elsewhere)
    assert Member.objects.count() == 1
    assert "_auth_user_id" not in elsewhere.session
    confirm(visitor)
    assert "_auth_user_id" not in visitor.session  # the link was used: from here on only the password opens

    signed_in = {"login": "aino@example.com", "password": PASSWORD}
    home = elsewhere.post("/account/login/", signed_in, follow=True)
    assert "Hello, Aino" in home.content.decode()


def test_consent_boxes_are_unticked(visitor: Client) -> None:
    page = visitor.get("/account/signup/").content.decode()
    assert page.count('type="checkbox"') == 3
    assert "checked" not in page


def test_a_card_from_a_till_is_claimed_only_with_a_verified_address(visitor: Client) -> None:
    at = clock.now()
    till = enrol(NewMember(email="aino@example.com", first_name="Aino Maria"), source="partner", at=at)
    visitor.post("/account/signup/", FORM)
    till.refresh_from_db()
    assert till.user is None
    confirm(visitor)
    till.refresh_from_db()
    assert till.user == User.objects.get()
    assert (till.first_name, till.language) == ("Aino Maria", "en")
    assert Member.objects.count() == 1


def test_confirming_twice_changes_nothing(visitor: Client) -> None:
    visitor.post("/account/signup/", FORM)
    link = re.search(r"http://testserver(/account/confirm-email/\S+)", str(mail.outbox[-1].body))
    assert link
    visitor.post(link[1])
    Member.objects.update(language="sv")
    visitor.post(link[1])
    assert Member.objects.get().language == "sv"


def test_sign_up_and_reset_do_not_tell_who_has_an_account(visitor: Client) -> None:
    portal_member("taken@example.com")
    answers = []
    for email in ("taken@example.com", "free@example.com"):
        client = Client(headers={"accept-language": "en"})
        response = client.post("/account/signup/", FORM | {"email": email})
        answers.append((response.status_code, response["Location"]))
        response = client.post("/account/password/reset/", {"email": email})
        answers[-1] += (response.status_code, response["Location"])
    assert answers[0] == answers[1]
    assert User.objects.filter(email="taken@example.com").count() == 1


def test_messages_come_in_the_members_language_in_both_forms(visitor: Client) -> None:
    portal_member("aino@example.com", language="en")
    visitor.cookies["django_language"] = "fi"
    visitor.post("/account/password/reset/", {"email": "aino@example.com"})
    (message,) = mail.outbox
    assert message.subject == "Choose a new password"
    html = {kind: body for body, kind in message.alternatives}["text/html"]
    assert "Choose a new password</a>" in html
    link = re.search(r"http://testserver/account/password/reset/key/\S+", str(message.body))
    assert link
    assert f'href="{link[0]}"' in html
    assert '<html lang="en">' in html


def test_a_name_with_markup_or_line_breaks_stays_a_name(visitor: Client) -> None:
    visitor.post("/account/signup/", FORM | {"first_name": "<b>A</b>\r\nBcc: x@example.com"})
    (message,) = mail.outbox
    assert message.recipients() == ["aino@example.com"]
    html = {kind: body for body, kind in message.alternatives}["text/html"]
    assert "<b>A" not in html


def test_logging_in_turns_the_pages_to_the_members_language(visitor: Client) -> None:
    portal_member("aino@example.com", language="sv")
    response = visitor.post("/account/login/", {"login": "aino@example.com", "password": PASSWORD})
    assert response.cookies["django_language"].value == "sv"


def test_a_new_address_follows_to_the_membership_once_verified(visitor: Client) -> None:
    member = portal_member("aino@example.com")
    visitor.post("/account/login/", {"login": "aino@example.com", "password": PASSWORD})
    change_address(visitor, "uusi@example.com")
    member.refresh_from_db()
    assert member.email == "aino@example.com"
    confirm(visitor)
    member.refresh_from_db()
    assert member.email == "uusi@example.com"


def test_staff_do_not_become_members_by_verifying(visitor: Client) -> None:
    login_for("staff@example.com", is_staff=True)
    visitor.post("/account/login/", {"login": "staff@example.com", "password": PASSWORD})
    change_address(visitor, "staff2@example.com")
    confirm(visitor)
    assert Member.objects.count() == 0


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaa1"[:9], "1234567890"])
def test_weak_passwords_are_refused_with_words(visitor: Client, password: str) -> None:
    response = visitor.post("/account/signup/", FORM | {"password1": password})
    assert response.status_code == 200
    assert "errorlist" in response.content.decode()
    assert User.objects.count() == 0
