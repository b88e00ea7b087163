"""From the row to the mail and the inbox with the campaign's own texts."""

import pytest

from campaigns.models import Campaign, Message, Text
from tests.campaigns.dispatching import send_due, state
from tests.campaigns.smtp_sink import Sink
from tests.factories.campaigns import MessageFactory, birthday_campaign, celebrant

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign() -> Campaign:
    campaign = birthday_campaign()
    texts = Text.objects.filter(variant__campaign=campaign, language="fi")
    assert texts.update(
        subject="Onnea, {{ member.first_name }}!", heading="Onnea", body="Sait {{ points }} pistettä <3"
    )
    return campaign


def of(campaign: Campaign, **facts: object) -> Message:
    made: Message = MessageFactory(
        campaign=campaign,
        variant=campaign.variants.get(),
        language="fi",
        subject="",
        body="",
        points=1500,
        member=celebrant(first_name="Äinö"),
        **facts,
    )
    return made


def test_a_mail_is_the_text_of_its_variant_and_the_row_keeps_the_words(
    sink: Sink, campaign: Campaign
) -> None:
    message = of(campaign)
    assert send_due() == (1, 0, 0)
    assert state(message) == ("sent", "", 1)
    assert message.subject == "Onnea, Äinö!"
    assert message.body == "Sait 1\N{NO-BREAK SPACE}500 pistettä <3"
    assert message.content["heading"] == "Onnea"
    assert "html" not in message.content
    mail = sink.mails[0]
    assert mail["Subject"] == "Onnea, Äinö!"
    assert "pistettä &lt;3" in mail.get_body(("html",)).get_content()


def test_the_inbox_keeps_the_paragraphs_that_it_shows(campaign: Campaign) -> None:
    message = of(campaign, channel="inbox")
    assert send_due() == (1, 0, 0)
    assert state(message) == ("sent", "", 1)
    assert message.subject == "Onnea, Äinö!"
    assert "pistettä &lt;3" in message.content["html"]


@pytest.mark.parametrize("channel", ["email", "inbox"])
def test_a_message_without_a_text_or_with_a_broken_one_fails_alone(
    sink: Sink, campaign: Campaign, channel: str
) -> None:
    unwritten = MessageFactory(campaign=campaign, channel=channel)
    broken_text = Text.objects.get(variant__campaign=campaign, language="en")
    Text.objects.filter(pk=broken_text.pk).update(body="{% for x in (1..9999999) %}{{ x }}{% endfor %}")
    broken = MessageFactory(
        campaign=campaign, variant_id=broken_text.variant_id, language="en", channel=channel
    )
    good = of(campaign, channel=channel)
    assert send_due() == (1, 0, 2)
    assert state(unwritten)[:2] == ("failed", "no_text")
    assert state(broken)[:2] == ("failed", "error")
    assert broken.detail
    assert state(good)[0] == "sent"


def test_a_name_with_line_breaks_reaches_one_recipient_and_makes_no_header(
    sink: Sink, campaign: Campaign
) -> None:
    message = of(campaign)
    message.member.first_name = "Eve\r\nBcc: victim@example.com\r\n\r\nBoo"
    message.member.save()
    assert send_due() == (1, 0, 0)
    assert sink.recipients == [message.member.email]
    assert sink.mails[0]["Bcc"] is None
    assert "\n" not in message.subject
