"""What staff are told of their texts before anything is sent: where it is, how bad, and what to do."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import translation
from pytest_django import DjangoAssertNumQueries, Settings

from campaigns.models import Campaign, Variant
from campaigns.rendering import checks
from campaigns.rendering.checks import Problem
from tests.campaigns.rendering.writing import campaign, text
from tests.factories.vouchers import voucher_family

pytestmark = pytest.mark.django_db

LAYOUT = (
    "<mjml><mj-body><mj-section><mj-column>{inside}<mj-text>"
    '<a href="{{{{ links.unsubscribe }}}}">Stop</a></mj-text></mj-column></mj-section></mj-body></mjml>'
)
NOTHING = "so nothing would stand there."
OR_CHANGE = "Take it out, or change that."


@pytest.fixture(autouse=True)
def english(settings: Settings) -> Iterator[None]:
    settings.LANGUAGE_CODE = "en"
    settings.PUBLIC_URL = "https://kantis.fi"
    with translation.override("en"):
        yield


def found(*, of: Campaign | None = None, language: str = "en", **fields: Any) -> list[tuple[str, str, str]]:
    """Level, field and message of what is found in one text; missing languages left out."""
    one = text(of=of, language=language, **fields)
    return [
        (problem.level, problem.field, problem.message)
        for problem in checks.problems(one.variant.campaign)
        if "There is no text in" not in problem.message
    ]


def only(**fields: Any) -> tuple[str, str, str]:
    (problem,) = found(**fields)
    return problem


def test_a_sound_campaign_has_no_problems() -> None:
    known = campaign(bonus_points=50, voucher_family=voucher_family())
    for language in ("fi", "sv", "en"):
        text(
            of=known,
            language=language,
            subject="A present for you, {{ member.first_name }}",
            body="{{ points }} points and {{ voucher.code }}.\n\n[See it](https://shop.fi/a) {{ tier.name }}!"
            "{% for one in recommendations %}{{ one.name }}{% endfor %}{{ balance.available | points }}",
            button_label="Look",
            button_link="{{ links.rewards }}",
        )
    assert checks.problems(known) == []


def test_the_seeded_greetings_are_sound() -> None:
    for known in Campaign.objects.filter(code__in=["birthday", "affordable"]):
        assert checks.problems(known) == []


def test_a_campaign_without_variants_or_words_cannot_be_sent() -> None:
    known = campaign()
    assert [problem.level for problem in checks.problems(known)] == ["error"]
    Variant.objects.create(campaign=known, code="B")
    (problem,) = checks.problems(known)
    assert (problem.level, problem.variant) == ("error", "B")
    assert "Variant B has no text" in problem.message


def test_a_missing_language_is_told_with_what_stands_in_for_it() -> None:
    known = campaign()
    text(of=known, language="fi")
    problems = checks.problems(known)
    assert [(each.level, each.variant, each.language) for each in problems] == [
        ("warning", "A", "sv"),
        ("warning", "A", "en"),
    ]
    assert problems[0].message == "There is no text in Swedish: its members get it in Finnish. Add one."


def test_every_finding_names_variant_and_language() -> None:
    known = campaign()
    text(of=known, code="B", language="sv", body="{{ nobody }}")
    problem = checks.problems(known)[0]
    assert (problem.level, problem.variant, problem.language, problem.field) == ("error", "B", "sv", "body")
    assert isinstance(problem, Problem)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"subject": ""}, ("error", "subject", "The subject is empty: write one.")),
        ({"body": " "}, ("error", "body", "The text is empty: write it.")),
        (
            {"body": "One\n\n{% if points %}Two"},
            (
                "error",
                "body",
                "Line 3: Liquid does not understand it: expected tag endif, found end of expression.",
            ),
        ),
        ({"subject": "{{ member | nope }}"}, ("error", "subject", "Line 1: There is no filter “nope”.")),
        (
            {"body": "One\n{{ member.frist_name }}"},
            (
                "error",
                "body",
                f"Line 2: there is no insert “member.frist_name”, {NOTHING} Did you mean member.first_name?",
            ),
        ),
        (
            {"preheader": "{{ xyz }}"},
            (
                "error",
                "preheader",
                "Line 1: there is no insert “xyz”, so nothing would stand there. Take it out.",
            ),
        ),
        (
            {"body": "Hi {first_name}"},
            ("error", "body", "Write {{ member.first_name }} in place of {first_name}."),
        ),
        (
            {"body": "{{ points }}"},
            (
                "warning",
                "body",
                "Line 1: “points” stays empty in this campaign (it gives no points). Take it out, or change that.",
            ),
        ),
        (
            {"heading": "{{ voucher.code }}"},
            (
                "warning",
                "heading",
                f"Line 1: “voucher.code” stays empty in this campaign (it gives no voucher). {OR_CHANGE}",
            ),
        ),
        (
            {"body": "[shop](shop.fi)"},
            ("error", "body", "The link “shop.fi” leads nowhere: begin it with https://."),
        ),
        (
            {"button_label": "Look", "button_link": "javascript:alert(1)"},
            ("error", "button_link", "The link “javascript:alert(1)” leads nowhere: begin it with https://."),
        ),
        (
            {"body": "https://www.example.com/a"},
            (
                "warning",
                "body",
                "The link “https://www.example.com/a” leads to a made-up address: put the real one there.",
            ),
        ),
        (
            {"body": "http://shop.fi"},
            ("warning", "body", "The link “http://shop.fi” is not encrypted: use https://."),
        ),
        (
            {"button_link": "https://shop.fi"},
            ("warning", "button_label", "The button has no words and is left out: write what it says."),
        ),
        (
            {"subject": "x" * 80},
            (
                "warning",
                "subject",
                "The subject has 80 characters: most mail programs show 70. Shorten it.",
            ),
        ),
        (
            {"subject": "BIG SALE TODAY"},
            ("warning", "subject", "The subject shouts: write it in small letters."),
        ),
        (
            {"subject": "Hurry!!"},
            (
                "warning",
                "subject",
                "There are many exclamation marks, which spam filters count: leave one at most in the subject.",
            ),
        ),
        (
            {"subject": "{{ tier.none }}"},
            (
                "error",
                "subject",
                "Line 1: there is no insert “tier.none”, so nothing would stand there. Did you mean tier.name?",
            ),
        ),
        (
            {"body": "{% for i in (1..5000) %}x{% endfor %}"},
            (
                "error",
                "body",
                "Line 1: The text makes too much work: shorten its loops and what it puts together.",
            ),
        ),
    ],
)
def test_each_fault_is_told_with_its_place_and_remedy(
    fields: dict[str, str], expected: tuple[str, str, str]
) -> None:
    assert only(**fields) == expected


@pytest.mark.parametrize(
    ("language", "words"),
    [("fi", "Klikkaa tästä"), ("sv", "Du har vunnit"), ("en", "You have won")],
)
def test_words_that_spam_filters_know_are_told_in_each_language(language: str, words: str) -> None:
    level, field, said = only(language=language, body=f"Hello. {words} now.")
    assert (level, field) == ("warning", "body")
    assert words.lower() in said
    assert only(language=language, subject=words)[1] == "subject"


def test_a_button_to_the_portal_needs_the_portal_s_address(settings: Settings) -> None:
    assert found(button_label="Look") == []
    settings.PUBLIC_URL = ""
    assert only(button_label="Look")[:2] == ("warning", "button_link")


# --- Own layouts ------------------------------------------------------------------------------------------------------


def layout(inside: str = "") -> str:
    return LAYOUT.format(inside=inside)


def test_a_sound_own_layout_has_no_problems() -> None:
    inside = '<mj-text>{{ message.body }}</mj-text><mj-image src="https://shop.fi/a.png" alt="Buns" />'
    assert found(mjml=layout(inside)) == []


@pytest.mark.parametrize(
    ("source", "level", "said"),
    [
        (layout().replace("</mj-column>", ""), "error", "the MJML cannot be read"),
        ("Just words", "error", "the MJML cannot be read"),
        (layout("<mj-txt>Hi</mj-txt>"), "error", "There is no tag <mj-txt> in MJML"),
        (layout().replace("links.unsubscribe", "links.portal"), "error", "Offers need a way to stop them"),
        (layout('\n<mj-image src="https://shop.fi/a.png" />'), "warning", "Line 2: the picture has no text"),
        (layout('<mj-image src="http://shop.fi/a.png" alt="" />'), "warning", "the picture is not encrypted"),
        (layout('<mj-text><a href="/offers">x</a></mj-text>'), "error", "“/offers” leads nowhere"),
        (layout("<mj-text>{{ nobody }}</mj-text>"), "error", "there is no insert “nobody”"),
        (layout("\n\n<mj-text>{% if %}</mj-text>"), "error", "Line 3: "),
    ],
)
def test_faults_of_own_layouts_are_told(source: str, level: str, said: str) -> None:
    problems = found(mjml=source)
    assert any(each[0] == level and each[1] == "mjml" and said in each[2] for each in problems), problems


def test_a_service_message_needs_no_way_to_stop_it() -> None:
    known = campaign(purpose=Campaign.Purpose.SERVICE)
    assert found(of=known, mjml=layout().replace("links.unsubscribe", "links.portal")) == []


# --- Text messages ----------------------------------------------------------------------------------------------------


def sms(short_text: str, **facts: Any) -> list[tuple[str, str, str]]:
    facts.setdefault("purpose", Campaign.Purpose.SERVICE)
    return found(of=campaign(channels=["sms"], **facts), subject="", body="", short_text=short_text)


def test_a_text_message_of_one_segment_is_fine() -> None:
    assert sms("x" * 160) == []


def test_a_text_message_of_more_segments_costs_more_and_of_too_many_is_refused() -> None:
    level, field, said = sms("x" * 161)[0]
    assert (level, field) == ("warning", "short_text")
    assert "2 segments (161 characters; 160 fit into one)" in said
    assert sms("x" * 460)[0][0] == "error"
    assert "70 fit into one" in sms("x" * 70 + "😀")[0][2]


def test_links_count_as_long_as_they_will_be() -> None:
    assert sms("x" * 100 + " https://a.fi") == []
    assert sms("x" * 125 + " https://a.fi")[0][0] == "warning"


def test_offers_by_text_message_should_say_how_to_stop_them() -> None:
    assert "how to stop them" in sms("Buns", purpose=Campaign.Purpose.MARKETING)[0][2]
    assert sms("Buns {{ links.unsubscribe }}", purpose=Campaign.Purpose.MARKETING) == []


def test_a_text_message_without_words_is_refused() -> None:
    known = campaign(channels=["sms"])
    text(of=known, subject="", body="x", short_text="")
    assert any(each.field == "short_text" and each.level == "error" for each in checks.problems(known))


def test_checking_takes_two_statements(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    known = campaign()
    for code in "ABC":
        for language in ("fi", "sv", "en"):
            text(of=known, code=code, language=language)
    checks.problems(known)
    with django_assert_num_queries(2):
        checks.problems(known)
