"""Counted links: signed, only to addresses of our own texts, and not counted for who objects or only looks ahead."""

import datetime as dt

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from campaigns import tracking
from campaigns.models import ChannelCode, Click, Link, Message, MessagePreference, SendingPolicy
from campaigns.rendering.rendered import Rendered
from loyalty.events.models import Event
from members.models import ConsentChange, Member
from members.privacy import erase
from tests.campaigns.rendering.writing import campaign, message, say, text, written
from tests.factories.members import NOON, member

pytestmark = pytest.mark.django_db
SHOP = "https://shop.fi/?a=1&b=2"
LATER = NOON + dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def address(settings: Settings) -> None:
    settings.PUBLIC_URL = "https://kantis.fi"


def sent(to: Member | None = None, **facts: object) -> tuple[Message, str]:
    """A message with one link, and the token in its address."""
    one = message(text(button_label="Shop", button_link=SHOP), to, **facts)
    return one, written(one).button_link.removeprefix("https://kantis.fi/r/")


def test_a_click_is_written_down_and_leads_on(client: Client) -> None:
    one, token = sent()
    answer = client.get(f"/r/{token}")
    assert (answer.status_code, answer["Location"]) == (302, SHOP)
    assert answer["Referrer-Policy"] == "no-referrer"
    assert "no-store" in answer["Cache-Control"]
    click = Click.objects.get()
    assert (click.message_id, click.link.url) == (one.pk, SHOP)
    one.refresh_from_db()
    assert one.clicked_at == click.at
    told = Event.objects.get(name="message.clicked")
    assert told.member_id == one.member_id
    assert told.facts == {
        "message_id": one.pk,
        "campaign_id": one.campaign_id,
        "occasion": one.occasion,
        "link": SHOP,
    }


def test_each_click_counts_and_the_first_time_stays() -> None:
    one, token = sent()
    assert tracking.follow(token, at=NOON) == tracking.follow(token, at=LATER) == SHOP
    one.refresh_from_db()
    assert (one.clicked_at, Click.objects.count()) == (NOON, 2)


def test_every_link_of_every_channel_is_counted_and_the_ways_to_stop_are_not() -> None:
    fields = {
        "body": f"[One]({SHOP}) https://two.fi [me](https://three.fi/{{{{ member.card_number }}}})",
        "button_label": "Portal",
        "short_text": "Look: https://four.fi",
    }
    for channel in (ChannelCode.EMAIL, ChannelCode.INBOX, ChannelCode.SMS, ChannelCode.PUSH):
        rendered = say(channel=channel, **fields)
        shown = f"{rendered.html} {rendered.text} {rendered.short} {rendered.button_link}"
        for plain in ("https://shop.fi", "https://two.fi/", "https://four.fi", "https://kantis.fi/ "):
            assert plain not in shown.replace(">https://two.fi<", "")
        assert rendered.button_link.startswith("https://kantis.fi/r/")
        assert "https://three.fi/" in shown
    assert {link.url for link in Link.objects.all()} == {
        SHOP,
        "https://two.fi",
        "https://four.fi",
        "https://kantis.fi/",
    }
    assert rendered.unsubscribe_url.startswith("https://kantis.fi/u/")


def test_nothing_of_the_member_is_in_a_link_or_its_address() -> None:
    who = member(first_name="Ainoliisa", email="ainoliisa@example.com", at=NOON)
    one = message(text(body="[me](https://shop.fi/{{ member.card_number }}/{{ member.first_name }})"), who)
    written(one)
    assert not Link.objects.exists()
    _one, token = sent(who)
    assert len(token) < 40
    assert "aino" not in token.lower()


def test_who_objects_gets_plain_links_and_is_not_counted(client: Client) -> None:
    who = member(at=NOON)
    one, token = sent(who)
    MessagePreference.objects.create(member=who, no_tracking=True, changed_at=NOON)
    again = written(one)
    assert again.button_link == SHOP
    assert "/r/" not in again.html + again.text + again.short
    assert client.get(f"/r/{token}")["Location"] == SHOP
    one.refresh_from_db()
    assert (one.clicked_at, Click.objects.count(), Event.objects.filter(name="message.clicked").count()) == (
        None,
        0,
        0,
    )


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Purpose": "prefetch;prerender"},
        {"Purpose": "prefetch"},
        {"X-Purpose": "preview"},
        {"X-Moz": "prefetch"},
    ],
)
def test_looking_ahead_leads_on_uncounted(client: Client, headers: dict[str, str]) -> None:
    _one, token = sent()
    assert client.get(f"/r/{token}", headers=headers)["Location"] == SHOP
    assert client.head(f"/r/{token}")["Location"] == SHOP
    assert not Click.objects.exists()


def test_nothing_else_than_reading_is_allowed(client: Client) -> None:
    _one, token = sent()
    assert client.post(f"/r/{token}").status_code == 405
    assert not Click.objects.exists()


def test_a_forged_token_leads_to_a_friendly_page_and_nothing_is_written(client: Client) -> None:
    _one, token = sent()
    numbers, _dot, signature = token.rpartition(".")
    message_part, _dot, link_part = numbers.partition(".")
    forged = [
        f"{numbers}.{signature[:-1]}{'A' if signature[-1] != 'A' else 'B'}",
        f"{message_part}.{link_part}0.{signature}",
        f"{link_part}.{message_part}.{signature}x",
        numbers,
        signature,
        ".",
        "https:evil.example",
        "a" * 500,
        "1.1.1",
        token.upper() + "!",
        tracking.picture(1).rpartition("/")[2].removesuffix(".gif"),
    ]
    for each in forged:
        answer = client.get(f"/r/{each}")
        assert answer.status_code == 404, each
        assert "Location" not in answer
    assert "<h1>" in answer.content.decode()
    assert not Click.objects.exists()


def test_a_link_of_another_campaign_is_not_followed() -> None:
    one, _token = sent()
    other = Link.objects.create(campaign=campaign(), url="https://evil.example", url_hash="x")
    token = tracking.tracked(one.pk, other.pk).rpartition("/")[2]
    assert tracking.follow(token, at=NOON) is None


def test_old_links_hold_after_the_key_was_changed(settings: Settings) -> None:
    _one, token = sent()
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another" * 8
    # signers take the keys when they are made, as each process does at its start
    assert type(tracking._LINKS)(sep=".", salt=tracking._LINKS.salt).unsign(token)


def test_who_has_left_is_not_counted_and_no_address_stays(client: Client) -> None:
    who = member(at=NOON)
    _one, token = sent(who)
    tracking.follow(token, at=NOON)
    erase(member_id=who.pk, source=ConsentChange.Source.PORTAL, at=LATER)
    assert client.get(f"/r/{token}")["Location"] == SHOP
    assert Click.objects.count() == 1
    assert [link.url for link in Link.objects.all()] == [SHOP]


def test_the_same_address_is_kept_once_for_each_campaign() -> None:
    for _each in range(2):
        sent()
    assert Link.objects.filter(url=SHOP).count() == 2
    known = campaign()
    assert tracking.links_for({known.pk: [SHOP]}) == tracking.links_for({known.pk: [SHOP]})


def test_a_click_costs_few_statements(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    _one, token = sent()
    with django_assert_num_queries(
        8
    ):  # two reads, and in a transaction a click, its time and the announcement
        tracking.follow(token, at=NOON)


# --- Openings ---------------------------------------------------------------------------------------------------------


def picture_in(rendered: Rendered) -> str:
    _before, found, after = rendered.html.partition("https://kantis.fi/o/")
    return f"/o/{after.partition(chr(34))[0]}" if found else ""


def look_at_openings() -> None:
    SendingPolicy.objects.filter(pk=1).update(track_opens=True)


def test_openings_are_not_looked_at_unless_the_policy_says_so() -> None:
    assert picture_in(say()) == ""


def test_an_opening_is_noted_once(client: Client) -> None:
    look_at_openings()
    one = message(text())
    path = picture_in(written(one))
    client.head(path)
    assert not Event.objects.filter(name="message.opened").exists()
    before = timezone.now()
    answer = client.get(path)
    assert (answer.status_code, answer["Content-Type"], answer.content[:3]) == (200, "image/gif", b"GIF")
    one.refresh_from_db()
    assert one.opened_at is not None
    assert one.opened_at >= before
    first = one.opened_at
    client.get(path)
    one.refresh_from_db()
    assert (one.opened_at, Event.objects.filter(name="message.opened").count()) == (first, 1)


def test_who_objects_gets_no_picture_and_an_old_one_tells_nothing(client: Client) -> None:
    look_at_openings()
    who = member(at=NOON)
    one = message(text(), who)
    path = picture_in(written(one))
    MessagePreference.objects.create(member=who, no_tracking=True, changed_at=NOON)
    assert picture_in(written(one)) == ""
    client.get(path)
    one.refresh_from_db()
    assert one.opened_at is None


def test_a_forged_picture_is_a_picture_all_the_same(client: Client) -> None:
    look_at_openings()
    one = message(text())
    assert client.get("/o/1.AAAAAAAAAAAAAAAA.gif").status_code == 200
    one.refresh_from_db()
    assert one.opened_at is None
