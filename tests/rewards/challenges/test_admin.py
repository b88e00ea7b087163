"""A marketer makes, opens, follows, ends and copies challenges without code."""

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation

from loyalty import clock
from rewards.challenges import progress
from rewards.models import Badge, Challenge, ChallengeCount, ChallengeStep, Participation
from tests.factories.challenges import badge, challenge
from tests.factories.members import NOON, member
from tests.factories.rewards import purchase
from tests.factories.staff import logged_in, staff

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _in_english(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    settings.LANGUAGE_CODE = "en"
    monkeypatch.setattr(clock, "now", lambda: NOON)
    with translation.override("en"):
        yield


@pytest.fixture
def marketer() -> Client:
    return logged_in(staff(group="Marketing"))


def form(*targets: str, **facts: Any) -> dict[str, Any]:
    """What the browser sends for a challenge with these steps, 10 points each."""
    sent: dict[str, Any] = {
        "code": "june-5", "names_fi": "Viisi", "names_sv": "Fem", "names_en": "Five", "position": "0",
        "measure": "categories", "grace": "0", "by_choice": "on",
        "starts_at_0": "2026-06-01", "starts_at_1": "00:00:00", "ends_at_0": "2026-07-01", "ends_at_1": "00:00:00",
        "window": "fixed", "recurs": "never",
        "steps-TOTAL_FORMS": len(targets), "steps-INITIAL_FORMS": 0, "steps-MIN_NUM_FORMS": 0,
        "steps-MAX_NUM_FORMS": 1000, "_continue": "1",
    }  # fmt: skip
    for number, target in enumerate(targets):
        prefix = f"steps-{number}"
        sent |= {f"{prefix}-target": target, f"{prefix}-points": "10", f"{prefix}-badge_level": "1"}
        sent |= {f"{prefix}-draw_chances": "1"}
    return sent | facts


def url(name: str, made: Challenge) -> str:
    return reverse(f"admin:rewards_challenge_{name}", args=[made.pk])


def test_a_challenge_is_made_read_back_and_opened(marketer: Client) -> None:
    answer = marketer.post(reverse("admin:rewards_challenge_add"), form("3", "5"), follow=True)
    made = Challenge.objects.get()
    assert (made.code, made.is_active, made.measure) == ("june-5", False, "categories")
    page = answer.content.decode()
    assert "Members who join in take part. From 1.6.2026" in page
    assert "3 different categories: 10 points. 5 different categories: 10 points." in page
    assert marketer.post(url("open", made)).status_code == 302
    made.refresh_from_db()
    assert made.is_active


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"ends_at_0": "2026-05-01"}, "Choose an end after the beginning."),
        ({"window": "from_joining"}, "Give the number of days that a member has."),
        ({"window": "from_joining", "days": "7", "recurs": "weekly"}, "choose the same time for everybody"),
        ({"grace": "1"}, "Only a row of days or weeks"),
        ({"steps-0-target": "2.5"}, "give whole numbers"),
    ],
)
def test_terms_that_make_no_sense_are_refused_with_the_remedy(
    marketer: Client, facts: dict[str, str], said: str
) -> None:
    answer = marketer.post(reverse("admin:rewards_challenge_add"), form("3") | facts)
    assert said in answer.content.decode()
    assert not Challenge.objects.exists()


def test_one_without_a_step_cannot_open(marketer: Client) -> None:
    made = challenge(steps=[], is_open=False)
    answer = marketer.post(url("open", made), follow=True)
    assert "Add at least one step" in answer.content.decode()
    made.refresh_from_db()
    assert not made.is_active


def test_the_terms_stand_still_once_somebody_takes_part(marketer: Client) -> None:
    made = challenge(steps=[1, 2])
    done = purchase(member())
    progress.follow(public_ids={str(done.activity_id)}, at=NOON)
    page = marketer.get(url("change", made)).content.decode()
    assert "its terms stand still" in page
    assert 'name="measure"' not in page
    assert "steps-0-target" not in page
    assert "How far members are" in page
    before = Challenge.objects.values().get()
    sent = form("9") | {"names_en": "Six", "recurs": "weekly"}
    assert marketer.post(url("change", made), sent).status_code == 302
    after = Challenge.objects.values().get()
    assert after["names"]["en"] == "Six"
    assert {**after, "names": 0} == {**before, "names": 0}
    assert [int(step.target) for step in ChallengeStep.objects.all()] == [1, 2]


def test_somebody_who_came_in_while_the_form_was_open_is_not_overruled(
    marketer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rewards.challenges import admin

    made = challenge(steps=[1])
    Participation.objects.create(challenge=made, member=member(), joined_at=NOON, time_zone="Europe/Helsinki")
    monkeypatch.setattr(admin, "has_begun", lambda _challenge: False)
    step = made.steps.get()
    sent = form("1") | {"recurs": "weekly", "steps-INITIAL_FORMS": 1, "steps-0-id": step.pk}
    answer = marketer.post(url("change", made), sent | {"steps-0-challenge": made.pk}, follow=True)
    assert "Make a copy and change that." in answer.content.decode()
    made.refresh_from_db()
    assert made.recurs == "never"


def test_a_copy_can_be_changed(marketer: Client) -> None:
    made = challenge(code="june", steps=[{"target": 1, "badge": badge("b")}, 2])
    Participation.objects.create(challenge=made, member=member(), joined_at=NOON, time_zone="Europe/Helsinki")
    marketer.post(url("clone", made))
    copy = Challenge.objects.get(code="june-2")
    assert (copy.is_active, copy.public_id != made.public_id) == (False, True)
    assert list(copy.steps.values_list("target", "badge__code")) == [(1, "b"), (2, None)]
    assert 'name="measure"' in marketer.get(url("change", copy)).content.decode()


def test_ending_it_lets_nothing_further_count(marketer: Client) -> None:
    made = challenge(steps=[1])
    marketer.post(url("end", made))
    made.refresh_from_db()
    assert made.ends_at == NOON
    done = purchase(member(), at=NOON + dt.timedelta(minutes=1))
    progress.follow(public_ids={str(done.activity_id)}, at=NOON + dt.timedelta(minutes=1))
    assert not Participation.objects.exists()


def test_the_preview_shows_the_form_as_it_stands_and_saves_nothing(marketer: Client) -> None:
    made = challenge(steps=[], is_open=False)
    before = Challenge.objects.values().get()
    sent = form("4") | {"names_en": "Four things", "descriptions_en": "Look around.", "language": "en"}
    page = marketer.post(url("preview", made), sent).content.decode()
    assert "Four things" in page
    assert "2 of 4 different categories" in page
    assert (Challenge.objects.values().get(), ChallengeStep.objects.count()) == (before, 0)
    refused = marketer.post(url("preview", made), form("4") | {"ends_at_0": "2026-05-01"})
    assert refused.status_code == 422
    assert "Choose an end after the beginning." in refused.content.decode()


def test_opening_one_that_has_begun_asks_for_a_count(marketer: Client) -> None:
    made = challenge(is_open=False)
    marketer.post(url("open", made))
    assert ChallengeCount.objects.get().challenge == made
    assert "is being counted" in marketer.get(url("change", made)).content.decode()


@pytest.mark.parametrize("name", ["open", "end", "clone"])
def test_support_may_look_but_not_touch(name: str) -> None:
    made = challenge(is_open=False)
    support = logged_in(staff(group="Support"))
    assert support.get(url("change", made)).status_code == 200
    assert support.post(url(name, made)).status_code == 403
    made.refresh_from_db()
    assert (made.is_active, Challenge.objects.count()) == (False, 1)


def test_a_badge_is_made(marketer: Client) -> None:
    sent = {"code": "explorer", "names_en": "Explorer", "levels": "3"}
    answer = marketer.post(reverse("admin:rewards_badge_add"), sent)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    assert Badge.objects.get().names == {"en": "Explorer"}


@pytest.mark.parametrize("model", ["challenge", "badge", "challengeround", "stepaward"])
def test_the_lists_cost_the_same_for_one_and_for_many(
    marketer: Client, model: str, django_assert_max_num_queries: Any
) -> None:
    for _one in range(4):
        challenge(steps=[{"target": 1, "badge": badge()}])
        done = purchase(member())
        progress.follow(public_ids={str(done.activity_id)}, at=NOON)
    with django_assert_max_num_queries(16):
        assert marketer.get(reverse(f"admin:rewards_{model}_changelist")).status_code == 200
