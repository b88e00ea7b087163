"""The portal's pages about the member, and what the browser asks for."""

import datetime as dt
import json

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from members.consents import set_consent
from members.models import Consent, ConsentChange, Member
from tests.factories.portal import NOW, login_for, portal_client, portal_member

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _now() -> object:
    with time_machine.travel(NOW, tick=False), translation.override("en"):
        yield


@pytest.fixture
def member() -> Member:
    return portal_member()


@pytest.fixture
def portal(member: Member) -> Client:
    return portal_client(member)


DETAILS = {"first_name": "Aino", "last_name": "Virtanen", "birth_date": "", "phone": ""}


def test_the_card_shows_code_number_and_when_it_was_fetched(portal: Client, member: Member) -> None:
    page = portal.get("/card/").content.decode()
    assert '<svg class="qr" role="img"' in page
    number = member.card_number
    assert f"{number[:4]} {number[4:8]} {number[8:12]} {number[12:]}" in page
    assert "Last refreshed 21.11.2026 14:30." in page


def test_the_icon_is_found_where_browsers_look_for_it(client: Client) -> None:
    assert client.get("/favicon.ico")["Location"] == "/static/portal/icon-192.png"


def test_the_code_reads_as_the_card_number() -> None:
    import segno

    from loyalty.templatetags.portal import qr

    matrix = segno.make("9514039847334818", error="m", micro=False).matrix
    assert qr("9514039847334818", "card").count("h1v1h-1z") == sum(sum(row) for row in matrix)


@pytest.mark.parametrize(
    "path",
    [
        "/card/",
        "/profile/",
        "/profile/details/",
        "/profile/places/",
        "/profile/consents/",
        "/profile/security/",
    ],
)
def test_pages_about_the_member_ask_for_the_log_in(client: Client, path: str) -> None:
    assert client.get(path)["Location"] == f"/account/login/?next={path}"


def test_details_are_saved_with_the_phone_in_its_international_form(portal: Client, member: Member) -> None:
    sent = DETAILS | {"first_name": "Aino-Maria", "phone": "040 123 4567", "birth_date": "1990-02-28"}
    assert portal.post("/profile/details/", sent).status_code == 302
    member.refresh_from_db()
    assert (member.first_name, member.phone, member.birth_date) == (
        "Aino-Maria",
        "+358401234567",
        dt.date(1990, 2, 28),
    )


def test_a_birthday_can_be_given_once(portal: Client, member: Member) -> None:
    portal.post("/profile/details/", DETAILS | {"birth_date": "1990-02-28"})
    portal.post("/profile/details/", DETAILS | {"birth_date": "1991-03-01"})
    member.refresh_from_db()
    assert member.birth_date == dt.date(1990, 2, 28)


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("phone", "12", "This is not a phone number we can call"),
        ("birth_date", "2026-11-22", "Give a date of birth that is in the past"),
        ("birth_date", "1850-01-01", "Give a date of birth that is in the past"),
    ],
)
def test_details_that_cannot_be_are_refused(
    portal: Client, member: Member, field: str, value: str, error: str
) -> None:
    response = portal.post("/profile/details/", DETAILS | {field: value, "first_name": "Toinen"})
    assert error in response.content.decode()
    fresh = Member.objects.get(pk=member.pk)
    assert (fresh.first_name, fresh.phone, fresh.birth_date) == ("Aino", "", None)


def test_fields_of_others_cannot_be_sent_along(portal: Client, member: Member) -> None:
    portal.post(
        "/profile/details/", DETAILS | {"status": "closed", "email": "x@example.com", "card_number": "1"}
    )
    fresh = Member.objects.get(pk=member.pk)
    assert (fresh.status, fresh.email, fresh.card_number) == (
        "active",
        "aino@example.com",
        member.card_number,
    )


def test_the_language_changes_the_pages_at_once(portal: Client, member: Member) -> None:
    response = portal.post("/profile/places/", {"language": "sv", "time_zone": "Europe/Mariehamn"})
    assert response.cookies["django_language"].value == "sv"
    member.refresh_from_db()
    assert (member.language, member.time_zone) == ("sv", "Europe/Mariehamn")
    assert '<html lang="sv"' in portal.get("/profile/").content.decode()


def test_the_language_switch_is_kept_for_messages_too(portal: Client, member: Member) -> None:
    response = portal.post("/language/", {"language": "fi", "next": "/card/"})
    assert response["Location"] == "/card/"
    member.refresh_from_db()
    assert member.language == "fi"
    assert '<html lang="fi"' in portal.get("/profile/").content.decode()
    portal.post("/language/", {"language": "xx", "next": "/card/"})
    member.refresh_from_db()
    assert member.language == "fi"


def test_the_theme_is_kept_in_the_browser(portal: Client) -> None:
    response = portal.post("/theme/", {"theme": "dark", "next": "/profile/places/"})
    assert response["Location"] == "/profile/places/"
    assert 'data-theme="dark"' in portal.get("/").content.decode()
    assert portal.post("/theme/", {"theme": "x", "next": "https://evil.example/"})["Location"] == "/"


def test_consents_are_changed_with_their_history(portal: Client, member: Member) -> None:
    portal.post("/profile/consents/", {"consent-marketing-email": "on", "consent-purchase_lines-any": "on"})
    portal.post("/profile/consents/", {"consent-purchase_lines-any": "on"})
    state = {(row.purpose, row.channel): row.granted for row in Consent.objects.filter(member=member)}
    assert state == {("marketing", "email"): False, ("purchase_lines", "any"): True}
    history = (
        ConsentChange.objects.filter(member=member).order_by("id").values_list("purpose", "granted", "source")
    )
    assert sorted(history) == [
        ("marketing", False, "portal"),
        ("marketing", True, "portal"),
        ("purchase_lines", True, "portal"),
    ]
    page = portal.get("/profile/consents/").content.decode()
    assert "Answered 21.11.2026." in page
    assert page.count(" checked") == 1


def test_consents_cost_the_same_for_one_change_and_for_thirty(portal: Client, member: Member) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            portal.get("/profile/consents/")
        return len(captured)

    set_consent(
        member_id=member.pk, purpose="surveys", channel="email", granted=True, source="portal", at=NOW
    )
    cost()
    one = cost()
    for number in range(29):
        set_consent(
            member_id=member.pk,
            purpose="surveys",
            channel="email",
            granted=bool(number % 2),
            source="portal",
            at=NOW,
        )
    assert cost() == one


def test_a_closed_membership_says_so(client: Client, member: Member) -> None:
    Member.objects.filter(pk=member.pk).update(status="closed")
    client.force_login(member.user, backend="django.contrib.auth.backends.ModelBackend")
    page = client.get("/card/", headers={"accept-language": "en"}).content.decode()
    assert "This membership is closed" in page
    assert member.card_number not in page


def test_a_user_who_is_nobody_yet_can_finish_joining(client: Client) -> None:
    user = login_for("ilman@example.com", first_name="Ilman")
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    assert "Finish joining" in client.get("/", headers={"accept-language": "en"}).content.decode()
    client.post("/join/")
    assert Member.objects.get(user=user).email == "ilman@example.com"


def test_the_manifest_and_the_service_worker_are_served_at_the_root(client: Client) -> None:
    manifest = client.get("/manifest.webmanifest")
    assert manifest["Content-Type"] == "application/manifest+json"
    assert json.loads(manifest.content)["start_url"] == "/"
    worker = client.get("/service-worker.js")
    assert worker["Content-Type"].startswith("text/javascript")
    assert 'const CARD_PATH = "/card/";' in worker.content.decode()


def test_pages_run_nothing_inline_and_nothing_from_elsewhere(portal: Client) -> None:
    import re

    for path in (
        "/",
        "/activity/",
        "/card/",
        "/profile/consents/",
        "/account/login/",
        "/account/signup/",
        "/account/2fa/",
    ):
        response = portal.get(path)
        page = response.content.decode()
        assert "script-src 'self'" in response["Content-Security-Policy"]
        assert not re.search(r"<script(?![^>]*(src=|application/json))", page), path
        assert not re.search(r"\s(style|on[a-z]+)=\"", page), path
        assert not re.search(r"(src|href)=\"(https?:)?//", page), path


@pytest.mark.parametrize("path", ["/nothing/", "/profile/nothing/"])
def test_a_missing_page_is_told_in_the_house_style(client: Client, path: str) -> None:
    response = client.get(path, headers={"accept-language": "en"})
    assert response.status_code == 404
    assert "This page does not exist" in response.content.decode()


def test_the_error_page_needs_no_database(client: Client) -> None:
    from django.test import RequestFactory
    from django.views.defaults import server_error

    with CaptureQueriesContext(connection) as captured:
        page = server_error(RequestFactory().get("/")).content.decode()
    assert "Something went wrong on our side" in page
    assert len(captured) == 0


def test_a_form_without_its_token_is_told_in_the_house_style(member: Member) -> None:
    client = Client(enforce_csrf_checks=True, headers={"accept-language": "en"})
    client.force_login(member.user, backend="django.contrib.auth.backends.ModelBackend")
    response = client.post("/profile/consents/", {"consent-marketing-email": "on"})
    assert response.status_code == 403
    assert "The form was too old" in response.content.decode()
    assert not Consent.objects.filter(member=member).exists()
