"""The link that stops messages: signed, asked before it acts, at once, again without harm, and never forged."""

from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import translation
from pytest_django import Settings

from campaigns import unsubscribing
from campaigns.models import Feedback, Message, MessagePreference
from members.consents import ConsentGiven, has_consent
from members.models import Consent, ConsentChange, Member
from members.models.consent import ConsentChannel, Purpose
from members.privacy import erase
from tests.factories.campaigns import BY_EMAIL, MessageFactory, birthday_campaign
from tests.factories.members import NOON
from tests.factories.portal import NOW, portal_client, portal_member

pytestmark = pytest.mark.django_db
BY_SMS = ConsentGiven(purpose=Purpose.MARKETING, channel=ConsentChannel.SMS)
SURVEYS = ConsentGiven(purpose=Purpose.SURVEYS, channel=ConsentChannel.EMAIL)
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture(autouse=True)
def _now() -> object:
    with time_machine.travel(NOW, tick=False), translation.override("en"):
        yield


@pytest.fixture
def strict() -> Client:
    """A mail program: without cookies, and with every check on."""
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def message() -> Message:
    member = portal_member(consents=(BY_EMAIL, BY_SMS, SURVEYS))
    return MessageFactory(member=member, status="sent", sent_at=NOON, language="en")


def path(message: Message, rest: str = "") -> str:
    return f"/u/{unsubscribing.token_for(message)}/{rest}"


def agreed(message: Message) -> set[str]:
    rows = Consent.objects.filter(member=message.member_id, granted=True)
    return {f"{row.purpose}/{row.channel}" for row in rows}


ALL = {"marketing/email", "marketing/sms", "surveys/email"}


def written() -> tuple[int, int]:
    return ConsentChange.objects.count(), Feedback.objects.count()


@pytest.mark.parametrize("method", ["get", "head"])
def test_looking_changes_nothing(strict: Client, message: Message, method: str) -> None:
    """Fault 44: scanners open every link in a mail."""
    before = written()
    response = getattr(strict, method)(path(message))
    assert response.status_code == 200
    assert (agreed(message), written()) == (ALL, before)


def test_the_page_asks_with_one_button(strict: Client, message: Message) -> None:
    page = strict.get(path(message)).content.decode()
    main = page.split("<main")[1].split("</main>")[0]
    assert main.count("<button") == 1
    assert "Stop these messages" in main
    assert message.member.email not in page
    assert message.member.first_name not in page


def test_one_click_of_a_mail_program_stops_them_at_once(strict: Client, message: Message) -> None:
    """Fault 44: 200 without a redirect, without cookies, by RFC 8058."""
    response = strict.post(path(message), ONE_CLICK)
    assert response.status_code == 200
    assert not response.cookies
    assert agreed(message) == ALL - {"marketing/email"}
    change = ConsentChange.objects.latest("pk")
    assert (change.purpose, change.channel, change.granted) == ("marketing", "email", False)
    assert (change.source, change.changed_at) == ("message", NOW)
    row = Feedback.objects.get()
    assert (row.source, row.kind, row.message) == ("unsubscribe", "unsubscribe", message)


def test_one_click_may_come_as_a_multipart_form_or_urlencoded(strict: Client, message: Message) -> None:
    body, kind = "List-Unsubscribe=One-Click", "application/x-www-form-urlencoded"
    assert strict.post(path(message), body, content_type=kind).content == b"OK\n"
    assert agreed(message) == ALL - {"marketing/email"}


def test_again_it_changes_nothing(strict: Client, message: Message) -> None:
    strict.post(path(message), ONE_CLICK)
    before = written()
    assert strict.post(path(message), ONE_CLICK).status_code == 200
    assert strict.post(path(message)).status_code == 200
    assert written() == before


def test_the_button_leads_to_a_page_with_a_way_back(strict: Client, message: Message) -> None:
    page = strict.post(path(message)).content.decode()
    assert "You get no more of these messages" in page
    assert path(message, "undo/") in page
    assert path(message, "choices/") in page
    assert agreed(message) == ALL - {"marketing/email"}
    assert "You get these messages again" in strict.post(path(message, "undo/")).content.decode()
    assert agreed(message) == ALL
    assert "Stop these messages?" in strict.get(path(message)).content.decode()


def test_text_messages_are_stopped_by_their_own_link(strict: Client, message: Message) -> None:
    by_sms = MessageFactory(member=message.member, channel="sms", status="sent", sent_at=NOON)
    strict.post(path(by_sms), ONE_CLICK)
    assert agreed(message) == ALL - {"marketing/sms"}


def test_surveys_are_stopped_by_a_link_in_a_survey(strict: Client, message: Message) -> None:
    birthday_campaign(purpose="surveys")
    message.refresh_from_db()
    strict.post(path(message), ONE_CLICK)
    assert agreed(message) == ALL - {"surveys/email"}


def forgeries(message: Message) -> list[str]:
    token = unsubscribing.token_for(message)
    number, signature = token.split(".")
    return [
        f"{number}.{'0' * len(signature)}",
        f"{number}.",
        number,
        f".{signature}",
        f"{number}.{signature[:-1]}",
        f"{number}.{signature}0",
        f"{number.upper()}0.{signature}",
        f"0{token}",
        f"{number}.{signature.upper()}x",
        "ä.ö",
        "%00",
        "z" * 500 + "." + signature,
    ]


def test_a_forged_link_is_refused_and_nothing_is_written(strict: Client, message: Message) -> None:
    """Fault 44."""
    before = written()
    for token in forgeries(message):
        for rest in ("", "undo/", "choices/"):
            assert strict.post(f"/u/{token}/{rest}", ONE_CLICK).status_code == 404, token
        assert strict.get(f"/u/{token}/").status_code == 404
    assert (agreed(message), written()) == (ALL, before)
    assert not MessagePreference.objects.exists()


def test_another_messages_signature_does_not_fit(message: Message) -> None:
    other = MessageFactory(member=message.member)
    number, signature = (
        unsubscribing.token_for(each).split(".")[part] for part, each in enumerate((other, message))
    )
    with pytest.raises(unsubscribing.NoSuchToken):
        unsubscribing.unsubscribe(f"{number}.{signature}", at=NOW)


def test_links_of_an_earlier_key_still_hold(message: Message, settings: Settings) -> None:
    token = unsubscribing.token_for(message)
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another" * 10
    assert unsubscribing.unsubscribe(token, at=NOW)
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(unsubscribing.NoSuchToken):
        unsubscribing.message_of(token)


@pytest.mark.parametrize(
    ("channel", "purpose"), [("email", "service"), ("inbox", "marketing"), ("webhook", "marketing")]
)
def test_there_is_no_link_where_there_is_nothing_to_stop(
    message: Message, channel: str, purpose: str
) -> None:
    campaign = birthday_campaign(purpose=purpose)
    other = MessageFactory(member=message.member, campaign=campaign, channel=channel)
    assert unsubscribing.url_for(other) == ""
    with pytest.raises(unsubscribing.NoSuchToken):
        unsubscribing.message_of(unsubscribing.token_for(other))


def test_a_member_who_left_cannot_be_brought_back(strict: Client, message: Message) -> None:
    erase(member_id=message.member_id, source="portal", at=NOW)
    assert strict.post(path(message), ONE_CLICK).status_code == 200
    page = strict.post(path(message, "undo/")).content.decode()
    assert "You get no more of these messages" in page
    assert strict.get(path(message, "choices/")).status_code == 404
    assert agreed(message) == set()


def test_the_page_is_in_the_messages_language(strict: Client, message: Message) -> None:
    Message.objects.update(language="fi")
    assert '<html lang="fi"' in strict.get(path(message)).content.decode()
    strict.cookies["django_language"] = "sv"
    assert '<html lang="sv"' in strict.get(path(message)).content.decode()


def test_nobody_keeps_or_lists_the_page(strict: Client, message: Message) -> None:
    response = strict.get(path(message))
    assert response["X-Robots-Tag"] == "noindex"
    assert "no-store" in response["Cache-Control"]


# --- Choices by the link ----------------------------------------------------------------------------------------------


def choose(strict: Client, message: Message, **said: Any) -> str:
    return strict.post(path(message, "choices/"), said).content.decode()


def test_by_the_link_anything_can_be_stopped(strict: Client, message: Message) -> None:
    page = choose(strict, message, **{"consent-marketing-sms": "on"}, per_week="2", pause="week")
    assert "Your choices are saved." in page
    assert agreed(message) == {"marketing/sms"}
    wishes = MessagePreference.objects.get(pk=message.member_id)
    assert (wishes.per_week, str(wishes.paused_until)) == (2, "2026-11-28")


def test_by_the_link_of_a_mail_only_mail_can_be_allowed(strict: Client, message: Message) -> None:
    Consent.objects.update(granted=False)
    everything = {
        f"consent-{purpose}-{channel}": "on"
        for purpose in ("marketing", "surveys", "profiling", "purchase_lines")
        for channel in ("email", "sms", "push", "any")
    }
    choose(strict, message, **everything)
    assert agreed(message) == {"marketing/email", "surveys/email"}


def test_the_choices_show_nothing_else_of_the_member(strict: Client, message: Message) -> None:
    page = strict.get(path(message, "choices/")).content.decode()
    for fact in (message.member.email, message.member.first_name, message.member.card_number):
        assert fact not in page
    assert "profiling" not in page


def test_a_choice_that_there_is_not_writes_nothing(strict: Client, message: Message) -> None:
    before = written()
    page = choose(strict, message, per_week="1000")
    assert "Your choices are saved." not in page
    assert (agreed(message), written()) == (ALL, before)


def test_being_logged_in_as_another_changes_nothing_of_theirs(message: Message) -> None:
    other = portal_member("eino@example.com", consents=(BY_EMAIL,))
    portal_client(other).post(path(message), ONE_CLICK)
    assert has_consent(other.pk, "marketing", "email")
    assert not has_consent(message.member_id, "marketing", "email")
    assert Member.objects.count() == 2
