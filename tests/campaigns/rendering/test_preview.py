"""Previews for anybody, and a marked mail to staff: nothing is written or counted."""

import pytest
from pytest_django import Settings

from campaigns.channels.base import ChannelDown, Refused
from campaigns.models import Campaign, Link, Message, SendingPolicy
from campaigns.rendering import preview
from campaigns.rendering.rendered import NotRendered
from loyalty.events.models import Event
from members.models import Member
from tests.campaigns.rendering.writing import campaign, text
from tests.campaigns.smtp_sink import Sink
from tests.factories.catalogue import points, reward
from tests.factories.members import NOON, member
from tests.factories.vouchers import voucher_family

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def address(settings: Settings) -> None:
    settings.PUBLIC_URL = "https://kantis.fi"


def untouched() -> tuple[int, int, int]:
    return (
        Message.objects.count(),
        Link.objects.count(),
        Event.objects.filter(name__startswith="message.").count(),
    )


def test_without_a_member_a_made_up_one_stands_in() -> None:
    known = campaign(
        kind=Campaign.Kind.TRIGGERED, occasion="event", voucher_family=voucher_family(), bonus_points=1500
    )
    body = "{{ points }} {{ voucher.code }} {{ reward.name }} {{ expiring.date }} {{ activity.total }} {{ event.days }}"
    one = text(of=known, language="fi", subject="Hei {{ member.first_name }}", body=body)
    rendered = preview.preview(known, one.variant, "fi", at=NOON)
    assert rendered.subject == "Hei Aino"
    assert rendered.body == (
        "1\xa0500 KAHVI-7K3D-9XMP-4RWC Cappuccino ja korvapuusti 29.6.2026 12,50\xa0€ 14"
    )
    assert untouched() == (0, 0, 0)


@pytest.mark.parametrize("language", ["fi", "sv", "en"])
def test_the_greetings_can_be_seen_in_every_language(language: str) -> None:
    for known in Campaign.objects.filter(code__in=["birthday", "affordable"]):
        rendered = preview.preview(known, known.variants.get(), language)
        assert rendered.language == language
        assert "{{" not in rendered.html


def test_a_member_s_own_facts_are_shown_and_the_occasion_is_made_up() -> None:
    who = member(first_name="Elli", language="sv", at=NOON)
    points(who, 777)
    known = campaign(kind=Campaign.Kind.TRIGGERED, occasion="affordable")
    one = text(of=known, body="{{ member.first_name }} {{ balance.available }} {{ reward.name }}")
    rendered = preview.preview(known, one.variant, "en", who, at=NOON)
    assert rendered.body == "Elli 777 Cappuccino and bun"


def test_what_a_member_saves_for_is_their_own() -> None:
    who = member(at=NOON)
    reward(names={"en": "Mug"}, points=500)
    one = text(body="{{ reward.name }}")
    assert preview.preview(one.variant.campaign, one.variant, "en", who, at=NOON).body == "Mug"


def test_links_lead_straight_on_and_no_picture_looks() -> None:
    SendingPolicy.objects.filter(pk=1).update(track_opens=True)
    one = text(body="[a](https://shop.fi)", button_label="Look")
    rendered = preview.preview(one.variant.campaign, one.variant, "en", member(at=NOON), at=NOON)
    assert "/r/" not in rendered.html + rendered.text
    assert "/o/" not in rendered.html
    assert rendered.button_link == "https://kantis.fi/"
    assert untouched() == (0, 0, 0)


def test_who_has_left_cannot_be_shown() -> None:
    who = member(at=NOON)
    Member.objects.filter(pk=who.pk).update(status=Member.Status.ERASED)
    one = text()
    with pytest.raises(NotRendered):
        preview.preview(one.variant.campaign, one.variant, "en", who, at=NOON)


def test_a_text_that_is_not_there_or_breaks_cannot_be_shown() -> None:
    one = text(subject="", body="")
    with pytest.raises(NotRendered):
        preview.preview(one.variant.campaign, one.variant, "en")
    broken = text(body="{% if")
    with pytest.raises(NotRendered):
        preview.preview(broken.variant.campaign, broken.variant, "en")


def test_a_test_mail_is_marked_goes_to_one_address_and_leaves_nothing(sink: Sink) -> None:
    one = text(subject="Offers", body="Hi {{ member.first_name }}")
    for _each in range(2):
        preview.test_send(
            one.variant.campaign, one.variant, "en", to="staff@example.com", at=NOON, staff_id=1
        )
    assert sink.recipients == ["staff@example.com"] * 2
    mail = sink.mails[0]
    assert str(mail["Subject"]).endswith("] Offers")
    assert mail["List-Unsubscribe"] is None
    assert mail.get_body(("plain",)).get_content().startswith("Hi Alex")  # type: ignore[union-attr]
    assert untouched() == (0, 0, 0)


def test_a_test_mail_that_cannot_be_sent_says_why(sink: Sink, settings: Settings) -> None:
    one = text()
    facts = {"at": NOON, "staff_id": 1}
    sink.on_recipient = lambda address: "550 no such user"
    with pytest.raises(Refused, match="550"):
        preview.test_send(one.variant.campaign, one.variant, "en", to="staff@example.com", **facts)  # type: ignore[arg-type]
    with pytest.raises(Refused):
        preview.test_send(
            one.variant.campaign,
            one.variant,
            "en",
            to="staff@example.com, other@example.com",
            **facts,  # type: ignore[arg-type]
        )
    settings.EMAIL_PORT = 1
    with pytest.raises(ChannelDown):
        preview.test_send(one.variant.campaign, one.variant, "en", to="staff@example.com", **facts)  # type: ignore[arg-type]
    assert untouched() == (0, 0, 0)
