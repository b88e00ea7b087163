"""The member's messages in the portal: what is shown, to whom, and when it counts as read."""

import datetime as dt
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from campaigns.models import Message
from campaigns.queries import unread_of
from members.models import Member
from tests.factories.campaigns import MessageFactory
from tests.factories.portal import NOW, portal_client, portal_member

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def _now() -> object:
    with time_machine.travel(NOW, tick=False), translation.override("en"):
        yield


@pytest.fixture
def aino() -> Member:
    return portal_member()


@pytest.fixture
def portal(aino: Member) -> Client:
    return portal_client(aino)


def sent(who: Member, **facts: Any) -> Message:
    """A message that reached the member's inbox an hour ago."""
    facts = {"channel": "inbox", "status": "sent", "sent_at": NOW - HOUR} | facts
    return MessageFactory(member=who, **facts)


def subjects(page: str) -> list[str]:
    return [part.split("</h2>")[0].split(">", 1)[1] for part in page.split('class="message__subject"')[1:]]


def test_messages_are_shown_whole_and_newest_first(portal: Client, aino: Member) -> None:
    sent(aino, subject="Older", sent_at=NOW - 2 * HOUR)
    sent(aino, subject="Hyvää syntymäpäivää!", body="Onnea!\n\nTerveisin me", language="fi", points=50)
    page = portal.get("/messages/").content.decode()
    assert subjects(page) == ["Hyvää syntymäpäivää!", "Older"]
    assert '<div lang="fi">' in page
    assert "<p>Onnea!</p>\n\n<p>Terveisin me</p>" in page
    assert "+50 points" in page
    assert '<time datetime="2026-11-21T13:30:00+02:00">21.11.2026 13:30</time>' in page


def test_only_what_was_sent_to_this_member_is_shown(portal: Client, aino: Member) -> None:
    sent(portal_member("eino@example.com"), subject="To another")
    for status in ("due", "sending", "failed", "unknown", "skipped"):
        sent(aino, subject=status, status=status)
    sent(aino, subject="By e-mail", channel="email")
    page = portal.get("/messages/").content.decode()
    assert subjects(page) == ["By e-mail"]
    assert "Sent to you by e-mail" in page
    assert Message.objects.filter(read_at__isnull=False).count() == 0


def test_what_was_shown_is_read_from_then_on(portal: Client, aino: Member) -> None:
    message = sent(aino)
    assert "1 new message" in portal.get("/").content.decode()
    portal.head("/messages/")
    assert unread_of(aino) == 1

    first = portal.get("/messages/").content.decode()
    assert "message--new" in first
    assert "new message" not in first  # the badge is gone already
    message.refresh_from_db()
    assert message.read_at == NOW
    with time_machine.travel(NOW + HOUR, tick=False):
        assert "message--new" not in portal.get("/messages/").content.decode()
    message.refresh_from_db()
    assert message.read_at == NOW
    assert "new message" not in portal.get("/").content.decode()


def test_e_mails_are_not_counted_as_new(portal: Client, aino: Member) -> None:
    sent(aino, channel="email")
    assert "new message" not in portal.get("/").content.decode()


def test_the_badge_stands_in_the_navigation_of_every_page(portal: Client, aino: Member) -> None:
    sent(aino)
    sent(aino)
    for path in ("/", "/card/", "/profile/", "/activity/"):
        page = portal.get(path).content.decode()
        assert page.count('<span class="count" aria-hidden="true">2</span>') == 2  # top and bottom
        assert "2 new messages" in page


def test_markup_in_a_message_is_text(portal: Client, aino: Member) -> None:
    sent(aino, subject="<b>a</b>", body="<script>b</script>")
    page = portal.get("/messages/").content.decode()
    assert "<b>a" not in page
    assert "<script>b" not in page


def test_a_message_of_a_campaign_is_shown_with_heading_links_and_button(portal: Client, aino: Member) -> None:
    content = {
        "heading": "Bread from this morning",
        "html": '<p>Come <a href="https://club.example.org/r/1">before noon</a>.</p>',
        "button_label": "See <it>",
        "button_link": "https://club.example.org/r/2",
    }
    sent(aino, subject="Fresh bread", body="Come before noon.", content=content)
    page = portal.get("/messages/").content.decode()
    assert subjects(page) == ["Bread from this morning"]
    assert '<p>Come <a href="https://club.example.org/r/1">before noon</a>.</p>' in page
    assert '<a class="button" href="https://club.example.org/r/2">See &lt;it&gt;</a>' in page


def test_a_copy_of_an_e_mail_has_its_text_and_button(portal: Client, aino: Member) -> None:
    content = {"heading": "Bread", "button_label": "See it", "button_link": "https://club.example.org/r/2"}
    sent(aino, channel="email", body="Come to https://club.example.org today.", content=content)
    page = portal.get("/messages/").content.decode()
    assert '<a href="https://club.example.org"' in page
    assert "See it</a>" in page


def test_a_text_message_is_shown_by_its_short_text(portal: Client, aino: Member) -> None:
    sent(aino, channel="sms", subject="Bread", body="", content={"short": "Bread until noon"})
    page = portal.get("/messages/").content.decode()
    assert "<p>Bread until noon</p>" in page
    assert "Sent to you as a text message" in page


def test_a_button_without_a_link_is_none(portal: Client, aino: Member) -> None:
    sent(aino, content={"button_label": "See it"})
    assert "See it" not in portal.get("/messages/").content.decode()


def test_older_messages_are_on_further_pages(portal: Client, aino: Member) -> None:
    for number in range(21):
        sent(aino, subject=f"no {number}", sent_at=NOW - number * HOUR)
    first, second = (portal.get(f"/messages/?page={number}").content.decode() for number in (1, 2))
    assert len(subjects(first)) == 20
    assert subjects(second) == ["no 20"]
    assert 'href="?page=2"' in first
    assert 'href="?page=1"' in second
    assert unread_of(aino) == 0


@pytest.mark.parametrize("page", ["0", "-1", "x", "3", "²", "9" * 30, "%00"])
def test_pages_that_are_none_are_not_found(portal: Client, page: str) -> None:
    assert portal.get(f"/messages/?page={page}").status_code == 404


def test_an_empty_inbox_teaches(portal: Client) -> None:
    assert "No messages yet" in portal.get("/messages/").content.decode()


def test_the_log_in_is_asked_for(client: Client) -> None:
    assert client.get("/messages/")["Location"] == "/account/login/?next=/messages/"
    assert client.post("/messages/").status_code == 405


@pytest.mark.parametrize("path", ["/messages/", "/"])
def test_the_cost_is_the_same_for_one_message_and_for_many(portal: Client, aino: Member, path: str) -> None:
    def cost() -> int:
        Message.objects.update(read_at=None)
        with CaptureQueriesContext(connection) as captured:
            assert portal.get(path).status_code == 200
        return len(captured)

    sent(aino)
    portal.get(path)
    one = cost()
    for _number in range(19):
        sent(aino)
    assert cost() == one
