"""The preview beside a text: as it stands in the form, to a chosen member, and nothing of it kept; tests to oneself."""

from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import translation
from pytest_django import Settings

from campaigns import building
from campaigns.admin.previews import sms_of
from campaigns.models import Campaign, Message, Text
from tests.factories.campaigns import celebrant
from tests.factories.staff import logged_in, staff

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def english(settings: Settings) -> Any:
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


@pytest.fixture
def marketer() -> Client:
    return logged_in(staff(group="Marketing"))


@pytest.fixture
def campaign() -> Campaign:
    made = building.start_empty(kind="one_off", names={"en": "Spring"})
    building.write(
        campaign_id=made.pk, variant="A", texts={"en": {"subject": "Saved", "body": "Saved words."}}
    )
    return made


def page(name: str, campaign: Campaign) -> str:
    return reverse(f"admin:campaigns_campaign_{name}", args=[campaign.pk])


def typed(**changes: str) -> dict[str, str]:
    return {
        "variant": "A",
        "variant-weight": "1",
        "show": "en",
        "way": "email",
        "en-subject": "Hello {{ member.first_name }}",
        "en-body": "Typed words.",
        **changes,
    }


def test_what_is_typed_is_shown_and_not_kept(marketer: Client, campaign: Campaign) -> None:
    answer = marketer.post(page("preview", campaign), typed())
    assert "Typed words." in answer.context["rendered"].html
    text = Text.objects.get(variant__campaign=campaign)
    assert (text.subject, text.body, text.history.count()) == ("Saved", "Saved words.", 1)
    assert not Message.objects.exists()
    again = marketer.get(page("what", campaign), {"show": "en"})
    assert "Saved words." in again.context["rendered"].html


def test_a_language_that_is_only_typed_is_shown_too(marketer: Client, campaign: Campaign) -> None:
    answer = marketer.post(
        page("preview", campaign), typed(show="fi", **{"fi-subject": "Hei", "fi-body": "Moi."})
    )
    assert answer.context["rendered"].subject == "Hei"
    assert not Text.objects.filter(language="fi", variant__campaign=campaign).exists()


def test_it_is_shown_as_the_member_found_by_the_search_box(marketer: Client, campaign: Campaign) -> None:
    celebrant(first_name="Aino", last_name="Virtanen", email="aino@example.com")
    celebrant(first_name="Eino", last_name="Virtanen", email="eino@example.com")
    answer = marketer.post(page("preview", campaign), typed(**{"as": "eino@example.com"}))
    assert answer.context["rendered"].subject == "Hello Eino"
    answer = marketer.post(page("preview", campaign), typed(**{"as": "virtanen"}))
    assert answer.context["rendered"].subject == "Hello Aino"
    assert [member.first_name for member in answer.context["found"]] == ["Eino"]
    nobody = marketer.post(page("preview", campaign), typed(**{"as": "nobody@example.com"}))
    assert nobody.context["nobody"]


def test_those_who_may_not_see_members_see_a_made_up_one(campaign: Campaign) -> None:
    celebrant(first_name="Secret", email="secret@example.com")
    client = logged_in(staff("campaigns.view_campaign", "campaigns.change_campaign"))
    answer = client.post(page("preview", campaign), typed(**{"as": "secret@example.com"}))
    assert "Secret" not in answer.content.decode()


def test_broken_liquid_is_told_beside_its_field_and_breaks_nothing(
    marketer: Client, campaign: Campaign
) -> None:
    answer = marketer.post(page("preview", campaign), typed(**{"en-body": "{% if %}"}))
    assert answer.status_code == 200
    beside = {(language, field): problems for language, field, problems in answer.context["beside"]}
    assert [problem.level for problem in beside[("en", "body")]] == ["error"]


def test_a_test_goes_to_oneself_with_the_typed_text_saved(marketer: Client, campaign: Campaign) -> None:
    answer = marketer.post(page("what", campaign), typed(test="1"), follow=True)
    told = [str(each) for each in answer.context["messages"]]
    address = answer.context["own_address"]
    assert told == [f"A test was sent to {address}."]
    assert mail.outbox[-1].to == [address]
    assert Text.objects.get(variant__campaign=campaign, language="en").body == "Typed words."
    assert not Message.objects.exists()


@pytest.mark.parametrize("way", ["inbox", "sms", "push"])
def test_every_way_is_shown(marketer: Client, campaign: Campaign, way: str) -> None:
    Campaign.objects.filter(pk=campaign.pk).update(channels=["email", "inbox", "sms", "push"])
    answer = marketer.post(page("preview", campaign), typed(way=way))
    assert answer.context["way"] == way
    assert "Hello" in answer.content.decode()


def test_the_preview_takes_the_right_to_write(campaign: Campaign) -> None:
    client = logged_in(staff(group="Support"))
    assert client.post(page("preview", campaign), typed()).status_code == 403


@pytest.mark.parametrize(
    ("text", "parts", "plain"),
    [
        ("a" * 160, 1, True),
        ("a" * 161, 2, True),
        ("ä" * 160, 1, True),
        ("ő" * 70, 1, False),
        ("ő" * 71, 2, False),
    ],
)
def test_text_messages_are_counted(text: str, parts: int, plain: bool) -> None:
    found = sms_of(text)
    assert (found["parts"], found["plain"]) == (parts, plain)


def test_a_campaign_on_its_way_is_shown_as_it_was_sent(marketer: Client, campaign: Campaign) -> None:
    Campaign.objects.filter(pk=campaign.pk).update(status="sent")
    assert "Saved words." in marketer.post(page("preview", campaign), typed()).context["rendered"].html
    shown = marketer.get(page("what", campaign)).content.decode()
    assert 'name="go"' not in shown
    assert 'href="?variant=A' in shown
