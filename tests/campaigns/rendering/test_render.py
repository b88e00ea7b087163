"""One member's message: languages, escaping, headers, layouts, and the greetings that were there before."""

from html.parser import HTMLParser
from importlib import import_module

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from campaigns.channels.email import compose
from campaigns.models import Campaign, ChannelCode, Message, Text
from campaigns.rendering import context
from campaigns.rendering.context import Context
from campaigns.rendering.render import render
from campaigns.rendering.rendered import NotRendered
from loyalty import programme
from loyalty.models import Programme
from members.models import Member
from tests.campaigns.rendering.writing import campaign, message, say, text, written
from tests.factories.catalogue import reward
from tests.factories.members import NOON, member

pytestmark = pytest.mark.django_db

OWN = """<mjml><mj-body><mj-section><mj-column>
<mj-text>Dear {{ member.first_name }},</mj-text>
<mj-raw>{% if message.body %}</mj-raw><mj-text>{{ message.body }}</mj-text><mj-raw>{% endif %}</mj-raw>
<mj-button href="https://shop.fi/?a=1&amp;b=2">Shop</mj-button>
<mj-text><a href="{{ links.unsubscribe }}">Stop</a></mj-text>
</mj-column></mj-section></mj-body></mjml>"""


@pytest.fixture(autouse=True)
def address(settings: Settings) -> None:
    settings.PUBLIC_URL = "https://kantis.fi"


def in_words(one: Message) -> tuple[str, str]:
    rendered = written(one)
    return rendered.subject, rendered.body


def greeting(code: str, language: str, first_name: str, **facts: object) -> tuple[str, str]:
    known = Campaign.objects.get(code=code)
    who = member(first_name=first_name, language=language, at=NOON)
    one = message(known.variants.get().texts.first(), who, **facts)  # type: ignore[arg-type]
    return in_words(one)


# --- The greetings that were there before -----------------------------------------------------------------------------


SEEDED = {
    "birthday": import_module("campaigns.migrations.0002_birthday").BIRTHDAY,
    "affordable": import_module("campaigns.migrations.0004_favourites_within_reach").AFFORDABLE,
}


def before(code: str, language: str, **facts: str) -> tuple[str, str]:
    """The seeded sentences with their old places filled in by hand."""
    found = []
    for texts in ("subjects", "bodies"):
        filled = SEEDED[code][texts][language]
        for name, value in facts.items():
            for lead in (", ", " ", "") if not value else ("",):
                filled = filled.replace(f"{lead}{{{name}}}", value)
        found.append(filled)
    return found[0], found[1]


@pytest.mark.parametrize("language", ["fi", "sv", "en"])
@pytest.mark.parametrize("first_name", ["Aino", ""])
def test_the_birthday_greeting_says_what_it_said(language: str, first_name: str) -> None:
    expected = before("birthday", language, first_name=first_name, points="12\xa0500")
    assert greeting("birthday", language, first_name, points=12500) == expected
    assert " ," not in expected[0]
    assert " !" not in expected[0]


@pytest.mark.parametrize("language", ["fi", "sv", "en"])
@pytest.mark.parametrize("first_name", ["Aino", ""])
def test_the_message_about_a_favourite_says_what_it_said(language: str, first_name: str) -> None:
    one = reward(names={"fi": "Kahvi", "sv": "Kaffe", "en": "Coffee"}, points=1200)
    expected = before(
        "affordable", language, first_name=first_name, points="1\xa0200", reward=one.names[language]
    )
    assert greeting("affordable", language, first_name, facts={"reward_id": one.pk}) == expected


# --- Languages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written_in", "language", "expected"),
    [
        (("fi", "sv", "en"), "sv", "sv"),
        (("fi", "en"), "sv", "fi"),
        (("en",), "sv", "en"),
        (("sv",), "en", "sv"),
    ],
)
def test_the_text_is_in_the_member_s_language_or_the_nearest(
    written_in: tuple[str, ...], language: str, expected: str
) -> None:
    known = campaign()
    for each in written_in:
        one = text(of=known, language=each, subject=f"In {each}", body="{{ points | money }}")
    rendered = written(message(one, member(language=language, at=NOON)))
    assert (rendered.subject, rendered.language) == (f"In {expected}", expected)


def test_a_language_without_words_counts_as_none() -> None:
    known = campaign()
    text(of=known, language="en", subject=" ", body="")
    one = text(of=known, language="fi", subject="Tarjous")
    assert written(message(one, member(language="en", at=NOON))).subject == "Tarjous"


def test_a_message_without_any_text_is_refused() -> None:
    one = message(text(subject="", body=""))
    assert context.load([one], at=NOON) == {}
    with pytest.raises(NotRendered):
        written(one)


def test_a_text_that_cannot_be_parsed_is_refused_with_its_line() -> None:
    with pytest.raises(NotRendered, match="2"):
        say(body="One\n{% nope %}")


# --- Nothing that a member is called gets out of its place ------------------------------------------------------------

NAMES = st.text(max_size=40) | st.sampled_from(
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "{{ points }}{% for i in (1..9) %}x{% endfor %}",
        "[click](https://evil.example)",
        "https://evil.example",
        "Aino\r\nBcc: all@example.com",
        "[[body]] kliquid0q \ue0000\ue001",
        "&lt;b&gt; &#60;",
        "\u202e\u2028\x00",
    ]
)
BODY = (
    "Hi {{ member.first_name }}\n\n[{{ member.first_name }}](https://shop.fi/{{ member.first_name }}) "
    "{{ member.first_name | upcase | truncate: 9 }} {% capture x %}{{ member.first_name }}{% endcapture %}{{ x }} "
    "{{ x | replace: '&lt;', '<' }} {{ member.first_name | split: '' | join: ' ' }} [y]({{ member.first_name }})"
)


@given(name=NAMES, layout=st.sampled_from(["", OWN]), channel=st.sampled_from(ChannelCode.values))
def test_no_name_gets_out_of_its_place_or_breaks_anything(name: str, layout: str, channel: str) -> None:
    def html_for(first_name: str) -> str:
        inserts = {"member": {"first_name": first_name}, "links": {"unsubscribe": "https://kantis.fi/u/1/"}}
        found = Context(text=wording, inserts=inserts, unsubscribe_url="https://kantis.fi/u/1/")
        rendered = render(row, found, for_channel=channel)
        for line in (rendered.subject, rendered.preheader, rendered.heading, rendered.short):
            assert not set(line) & set("\r\n\x00\u2028\u2029")
        return rendered.html

    known = Campaign(code="x", names={})
    wording = Text(
        language="en",
        subject="Dear {{ member.first_name }}",
        preheader="{{ member.first_name }}",
        body=BODY,
        button_label="For {{ member.first_name }}",
        button_link="https://shop.fi/{{ member.first_name }}",
        mjml=layout,
    )
    row = Message(pk=1, campaign=known, points=5)
    assert tags(html_for(name)) == tags(html_for("Aino"))


def tags(html: str) -> list[tuple[str, tuple[str, ...]]]:
    """The elements of a document with the names of their attributes, as a parser finds them."""
    reader = Elements()
    reader.feed(html)
    return reader.found


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(name for name, _value in attrs)))


def test_a_name_with_line_ends_makes_one_header_to_one_recipient() -> None:
    who = member(at=NOON)
    Member.objects.filter(pk=who.pk).update(first_name="Aino\r\nBcc: all@example.com\r\n\r\nHello")
    one = message(text(subject="Hi {{ member.first_name }}"), who)
    rendered = written(one)
    mail = compose(one, rendered, to=who.email)
    raw = mail.message()
    assert rendered.subject == "Hi Aino Bcc: all@example.com Hello"
    assert mail.recipients() == [who.email]
    assert raw["Bcc"] is None
    assert raw.get_all("Subject") == [rendered.subject]


# --- The e-mail -------------------------------------------------------------------------------------------------------


def test_the_e_mail_has_its_language_its_words_and_ways_to_stop_it() -> None:
    who = member(first_name="Aino & Co", language="sv", at=NOON)
    rendered = written(
        message(
            text(
                language="sv",
                subject="Hej {{ member.first_name }}",
                preheader="Bara för dig",
                body="Ett\n\n[Två](https://shop.fi/a)",
                button_label="Visa",
                button_link="https://shop.fi/b",
            ),
            who,
            points=1200,
        )
    )
    assert '<html lang="sv"' in rendered.html
    assert "<title>Hej Aino &amp; Co</title>" in rendered.html
    assert "Bara för dig" in rendered.html
    assert "<p>Ett</p>" in rendered.html
    assert "+1\xa0200 po" in rendered.html
    assert f'href="{rendered.unsubscribe_url}"' in rendered.html
    assert "prefers-color-scheme: dark" in rendered.html
    assert "[[" not in rendered.html
    assert rendered.text.startswith("Ett\n\nTvå: https://kantis.fi/r/")
    assert f"Visa: {rendered.button_link}" in rendered.text
    assert rendered.unsubscribe_url in rendered.text
    assert rendered.body == rendered.text.split("\n\nVisa")[0]


def test_a_service_message_needs_nothing_to_stop_it() -> None:
    known = campaign(purpose=Campaign.Purpose.SERVICE)
    rendered = written(message(text(of=known)))
    assert rendered.unsubscribe_url == ""
    assert "/u/" not in rendered.html + rendered.text
    assert "your own account" in rendered.html


def test_without_words_there_is_no_button_and_without_a_link_it_leads_to_the_portal() -> None:
    assert say(button_link="https://shop.fi").button_link == ""
    assert say(button_label="Look").button_link.startswith("https://kantis.fi/r/")
    assert say(button_label="Look", button_link="javascript:alert(1)").button_label == ""


def test_an_own_layout_goes_around_the_same_words() -> None:
    who = member(first_name="<Aino>", at=NOON)
    rendered = written(message(text(body="One\n\nTwo & <three>", mjml=OWN), who))
    assert "Dear &lt;Aino&gt;," in rendered.html
    assert "<p>One</p><p>Two &amp; &lt;three&gt;</p>" in rendered.html
    assert f'href="{rendered.unsubscribe_url}"' in rendered.html
    assert "https://shop.fi" not in rendered.html
    assert "{{" not in rendered.html
    assert "{%" not in rendered.html
    assert rendered.body == "One\n\nTwo & <three>"


def test_an_own_layout_alone_gives_the_plain_part_too() -> None:
    rendered = say(
        subject="Hi", body="", mjml=OWN.replace("{{ message.body }}", "Come {% if 1 < 2 %}by{% endif %}")
    )
    assert "Dear Aino,\n" in rendered.body
    assert "Shop: https://kantis.fi/r/" in rendered.body


def test_the_inbox_gets_paragraphs_and_other_channels_plain_words() -> None:
    inbox = say(channel=ChannelCode.INBOX, body="One <b>\n\nTwo")
    assert inbox.html == "<p>One &lt;b&gt;</p><p>Two</p>"
    assert inbox.text == "One <b>\n\nTwo"
    sms = say(channel=ChannelCode.SMS, subject="Offer", short_text="Only today:\nhttps://shop.fi")
    assert sms.short.startswith("Only today: https://kantis.fi/r/")
    assert sms.html == ""
    figures = say(
        channel=ChannelCode.SMS, subject="", short_text="{{ points | plus: 12500 | points }} – it’s yours…"
    )
    assert figures.short == "12 500 - it's yours..."
    assert say(channel=ChannelCode.PUSH, subject="Offer").short == "Offer"


def test_an_edited_text_is_written_anew() -> None:
    one = text(subject="Before")
    who = message(one)
    assert written(who).subject == "Before"
    one.subject = "After"
    one.save()
    assert written(who).subject == "After"


def test_the_programme_s_new_name_is_on_the_next_e_mail() -> None:
    Programme.objects.update(name="Kahvila & Co")
    programme.forget()
    assert "Kahvila &amp; Co" in say().html
