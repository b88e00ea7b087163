"""Campaigns in the admin: a text for each language, how it reads, and messages that nobody edits."""

import pytest
from django.urls import reverse

from campaigns.models import Campaign
from tests.factories.staff import logged_in, staff

pytestmark = pytest.mark.django_db


def form(**changes: str) -> dict[str, str]:
    return {
        "names_fi": "Syntymäpäivä",
        "names_sv": "Födelsedag",
        "names_en": "Birthday",
        "is_active": "on",
        "bonus_points": "250",
        "look_back_days": "3",
        "subjects_fi": "Onnea, {first_name}!",
        "subjects_sv": "",
        "subjects_en": "Happy birthday, {first_name}!",
        "bodies_fi": "Sait {points} pistettä.",
        "bodies_sv": "",
        "bodies_en": "You got {points} points.",
        **changes,
    }


@pytest.fixture
def birthday() -> Campaign:
    return Campaign.objects.get(code="birthday")


def test_a_marketer_writes_the_greeting_in_each_language(birthday: Campaign) -> None:
    client = logged_in(staff(group="Marketing"))
    url = reverse("admin:campaigns_campaign_change", args=[birthday.pk])
    answer = client.post(url, form())
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    birthday.refresh_from_db()
    assert birthday.subjects == {"fi": "Onnea, {first_name}!", "en": "Happy birthday, {first_name}!"}
    assert birthday.bonus_points == 250
    assert birthday.history.count() >= 1
    previews = {preview["language"]: preview for preview in client.get(url).context["previews"]}
    assert previews["fi"]["subject"] == "Onnea, Aino!"
    assert previews["fi"]["body"] == "Sait 250 pistettä."
    assert previews["sv"]["subject"] == "Onnea, Linnea!"  # falls back to the programme's language
    assert previews["en"]["nameless"] == "Happy birthday!"


def test_a_greeting_without_any_text_is_refused(birthday: Campaign) -> None:
    client = logged_in(staff(group="Marketing"))
    url = reverse("admin:campaigns_campaign_change", args=[birthday.pk])
    answer = client.post(url, form(subjects_fi="", subjects_en=" "))
    assert answer.status_code == 200
    assert "subjects" in answer.context["adminform"].form.errors
    before = birthday.subjects
    birthday.refresh_from_db()
    assert birthday.subjects == before


def test_support_reads_campaigns_but_does_not_change_them(birthday: Campaign) -> None:
    client = logged_in(staff(group="Support"))
    url = reverse("admin:campaigns_campaign_change", args=[birthday.pk])
    assert client.get(url).status_code == 200
    assert client.post(url, form()).status_code == 403
    birthday.refresh_from_db()
    assert birthday.bonus_points == 100
