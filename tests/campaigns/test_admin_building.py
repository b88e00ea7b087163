"""A marketer builds a campaign in the admin, step by step: every page, what it saves and what it refuses."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation
from pytest_django import Settings

from campaigns import building, summary
from campaigns.admin import check
from campaigns.models import Campaign, SendingPolicy, Text
from campaigns.reach import CampaignReach
from loyalty import clock
from members.models import Segment
from tests.factories.campaigns import celebrant
from tests.factories.staff import logged_in, staff

pytestmark = pytest.mark.django_db

STEPS = ("who", "what", "when", "gift", "check")


@pytest.fixture(autouse=True)
def english(settings: Settings) -> Any:
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


@pytest.fixture
def marketer() -> Client:
    return logged_in(staff(group="Marketing"))


def page(name: str, campaign: Campaign) -> str:
    return reverse(f"admin:campaigns_campaign_{name}", args=[campaign.pk])


def draft(kind: str = "one_off", **changes: Any) -> Campaign:
    made = building.start_empty(kind=kind, names={"en": "Spring"})
    Campaign.objects.filter(pk=made.pk).update(**changes)
    made.refresh_from_db()
    return made


def who(**changes: Any) -> dict[str, Any]:
    return {
        "audience-t": "group",
        "audience-k": "all",
        "purpose": "marketing",
        "names_en": "Spring",
        "way_1": "email",
        "way_2": "inbox",
        **changes,
    }


def what(**changes: Any) -> dict[str, Any]:
    return {
        "variant": "A",
        "variant-name": "",
        "variant-weight": "1",
        "fi-subject": "Hei!",
        "fi-body": "Tervetuloa takaisin.",
        "show": "fi",
        **changes,
    }


def when(**changes: Any) -> dict[str, Any]:
    return {"send": "now", "priority": "50", **changes}


def gift(**changes: Any) -> dict[str, Any]:
    return {
        "bonus_points": "0",
        "goal": "purchase",
        "goal_days": "14",
        "hold_out_percent": "5",
        "goal_conditions-t": "group",
        **changes,
    }


# --- Starting ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["one_off", "recurring", "triggered"])
def test_an_empty_campaign_of_each_kind_is_a_draft_at_its_first_step(marketer: Client, kind: str) -> None:
    answer = marketer.post(reverse("admin:campaigns_campaign_add"), {"name": "Spring  offers", "kind": kind})
    made = Campaign.objects.exclude(code__in=["birthday", "affordable"]).get(kind=kind)
    assert answer["Location"] == page("who", made)
    assert (made.status, made.code, made.names) == ("draft", "spring-offers", {"en": "Spring offers"})
    assert [variant.code for variant in made.variants.all()] == ["A"]


def test_a_second_campaign_of_the_same_name_has_a_code_of_its_own(marketer: Client) -> None:
    for _time in range(2):
        marketer.post(reverse("admin:campaigns_campaign_add"), {"name": "Spring", "kind": "one_off"})
    assert list(Campaign.objects.filter(code__startswith="spring").values_list("code", flat=True)) == [
        "spring",
        "spring-2",
    ]


def test_an_unknown_blueprint_makes_nothing(marketer: Client) -> None:
    before = Campaign.objects.count()
    answer = marketer.post(reverse("admin:campaigns_campaign_add"), {"blueprint": "nonesuch"})
    assert answer.status_code == 200
    assert Campaign.objects.count() == before


@pytest.mark.parametrize("kind", ["one_off", "recurring", "triggered"])
def test_every_step_of_every_kind_opens(marketer: Client, kind: str) -> None:
    campaign = draft(kind)
    for step in STEPS:
        answer = marketer.get(page(step, campaign))
        assert answer.status_code == 200, step
        assert answer.context["here"] == step
    assert marketer.get(page("change", campaign))["Location"] == page("who", campaign)


# --- 1 Who ------------------------------------------------------------------------------------------------------------


def test_the_audience_and_the_ways_are_saved_in_their_order_and_the_next_step_opens(marketer: Client) -> None:
    campaign = draft()
    condition = {
        "audience-0-t": "compare",
        "audience-0-f": "language",
        "audience-0-o": "eq",
        "audience-0-v": "sv",
    }
    answer = marketer.post(
        page("who", campaign), who(way_1="inbox", way_2="email", way_3="inbox", **condition)
    )
    assert answer["Location"] == page("what", campaign), answer.context["form"].errors
    campaign.refresh_from_db()
    assert campaign.channels == ["inbox", "email"]
    assert campaign.audience == {"all": [{"field": "language", "op": "eq", "value": "sv"}]}


def test_a_segment_is_the_audience_with_one_press(marketer: Client) -> None:
    campaign = draft()
    code = Segment.objects.filter(is_active=True).values_list("code", flat=True)[0]
    marketer.post(page("who", campaign), {"segment": code})
    campaign.refresh_from_db()
    assert campaign.audience == {"field": "segments", "op": "contains", "value": code}
    marketer.post(page("who", campaign), {"segment": ""})
    campaign.refresh_from_db()
    assert campaign.audience == {"all": []}


def test_the_reach_counts_by_way_whom_the_form_means(marketer: Client) -> None:
    campaign = draft()
    celebrant(language="sv", email="a@example.com")
    celebrant(language="sv", email="b@example.com", agrees=False)
    celebrant(language="fi", email="c@example.com")
    condition = {
        "audience-0-t": "compare",
        "audience-0-f": "language",
        "audience-0-o": "eq",
        "audience-0-v": "sv",
    }
    answer = marketer.post(page("reach", campaign), who(**condition))
    reach = answer.context["reach"]
    assert (reach.count, reach.reached, reach.of) == (2, 2, 3)
    assert reach.ways == [("email", 1), ("inbox", 2)]
    by_email = marketer.post(page("reach", campaign), who(way_2="", **condition)).context["reach"]
    assert by_email.reached == 1
    service = marketer.post(page("reach", campaign), who(purpose="service", **condition)).context["reach"]
    assert dict(service.ways)["email"] == 2
    campaign.refresh_from_db()
    assert campaign.audience == {}  # counting saves nothing


# --- 2 What -----------------------------------------------------------------------------------------------------------


def test_texts_are_saved_by_language_and_empty_languages_have_none(marketer: Client) -> None:
    campaign = draft()
    answer = marketer.post(page("what", campaign), what(**{"sv-subject": "Hej!"}))
    assert answer["Location"] == page("when", campaign)
    texts = {text.language: text for text in Text.objects.filter(variant__campaign=campaign)}
    assert set(texts) == {"fi", "sv"}
    assert (texts["fi"].subject, texts["fi"].body) == ("Hei!", "Tervetuloa takaisin.")
    marketer.post(page("what", campaign), what(**{"sv-subject": ""}))
    assert set(Text.objects.filter(variant__campaign=campaign).values_list("language", flat=True)) == {"fi"}


def test_a_second_variant_begins_as_a_copy_and_is_written_apart(marketer: Client) -> None:
    campaign = draft()
    answer = marketer.post(page("what", campaign), what(add="1"))
    assert "variant=B" in answer["Location"]
    marketer.post(page("what", campaign), what(variant="B", **{"fi-subject": "Moi!", "variant-weight": "3"}))
    subjects = dict(Text.objects.filter(variant__campaign=campaign).values_list("variant__code", "subject"))
    assert subjects == {"A": "Hei!", "B": "Moi!"}
    shares = [each["share"] for each in marketer.get(page("what", campaign)).context["variants"]]
    assert shares == [25, 75]


def test_going_to_another_variant_saves_what_was_typed(marketer: Client) -> None:
    campaign = draft()
    marketer.post(page("what", campaign), what(add="1"))
    answer = marketer.post(page("what", campaign), what(go="B", **{"fi-subject": "Huomenta!"}))
    assert "variant=B" in answer["Location"]
    assert campaign.variants.get(code="A").texts.get().subject == "Huomenta!"


def test_the_last_variant_stays(marketer: Client) -> None:
    campaign = draft()
    marketer.post(page("what", campaign), what(add="1"))
    marketer.post(page("what", campaign), what(variant="B", remove="1"))
    assert [variant.code for variant in campaign.variants.all()] == ["A"]
    answer = marketer.post(page("what", campaign), what(remove="1"))
    assert "needs at least one variant" in answer.content.decode()
    assert campaign.variants.count() == 1


# --- 3 When -----------------------------------------------------------------------------------------------------------


def test_a_time_in_the_past_is_refused_and_nothing_saved(marketer: Client) -> None:
    campaign = draft()
    answer = marketer.post(
        page("when", campaign), when(send="later", send_at_0="2020-01-01", send_at_1="10:00", priority="7")
    )
    assert answer.context["form"].errors["send_at"] == ["This moment is over."]
    campaign.refresh_from_db()
    assert (campaign.send_at, campaign.priority) == (None, 50)


def test_a_time_on_each_members_own_clock_is_saved(marketer: Client) -> None:
    campaign = draft()
    day = clock.now().date() + dt.timedelta(days=30)
    answer = marketer.post(
        page("when", campaign),
        when(send="later", send_at_0=day.isoformat(), send_at_1="10:00", in_member_zone="on"),
    )
    assert answer["Location"] == page("gift", campaign), answer.context["form"].errors
    campaign.refresh_from_db()
    assert campaign.in_member_zone
    assert campaign.send_at is not None
    assert campaign.send_at.date() == day
    marketer.post(page("when", campaign), when())
    campaign.refresh_from_db()
    assert (campaign.send_at, campaign.in_member_zone) == (None, False)


def recurring(**changes: Any) -> dict[str, Any]:
    return when(
        occasion="schedule",
        every="week",
        weekdays=["1", "4"],
        clock_time="09:30",
        look_back_days="3",
        **changes,
    )


def test_a_schedule_is_saved_and_shown_again(marketer: Client) -> None:
    campaign = draft("recurring")
    answer = marketer.post(page("when", campaign), recurring())
    assert answer["Location"] == page("gift", campaign), answer.context["form"].errors
    campaign.refresh_from_db()
    assert campaign.rhythm == {"every": "week", "at": "09:30", "weekdays": [1, 4]}
    shown = marketer.get(page("when", campaign))
    assert shown.context["form"]["weekdays"].value() == [1, 4]
    assert "Monday, Thursday" in shown.context["sentence"]


def test_a_weekly_schedule_without_a_weekday_is_refused(marketer: Client) -> None:
    campaign = draft("recurring")
    answer = marketer.post(page("when", campaign), {**recurring(), "weekdays": []})
    assert "every" in answer.context["form"].errors
    campaign.refresh_from_db()
    assert campaign.rhythm == {}


def test_a_birthday_campaign_keeps_no_schedule(marketer: Client) -> None:
    campaign = draft("recurring", rhythm={"every": "day", "at": "09:00"})
    marketer.post(page("when", campaign), {**recurring(), "occasion": "birthday"})
    campaign.refresh_from_db()
    assert (campaign.occasion, campaign.rhythm) == ("birthday", {})


def test_days_without_a_purchase_are_asked_for(marketer: Client) -> None:
    campaign = draft("triggered")
    answer = marketer.post(page("when", campaign), when(occasion="inactive", look_back_days="3"))
    assert "days" in answer.context["form"].errors
    marketer.post(page("when", campaign), when(occasion="inactive", days="60", look_back_days="3"))
    campaign.refresh_from_db()
    assert (campaign.occasion, campaign.days) == ("inactive", 60)


def test_a_partners_own_event_is_typed_and_the_delay_kept_in_minutes(marketer: Client) -> None:
    campaign = draft("triggered")
    event = {"occasion": "event", "event": "other", "partner_event": "cart_abandoned", "look_back_days": "3"}
    answer = marketer.post(page("when", campaign), when(**event, delay="2", delay_unit="hours"))
    assert answer.status_code == 302, answer.context["form"].errors
    campaign.refresh_from_db()
    assert (campaign.event, campaign.delay_minutes) == ("partner.cart_abandoned", 120)
    form = marketer.get(page("when", campaign)).context["form"]
    assert (form["partner_event"].value(), form["delay"].value(), form["delay_unit"].value()) == (
        "cart_abandoned",
        2,
        "hours",
    )


def test_another_event_has_conditions_of_its_own(marketer: Client) -> None:
    campaign = draft("triggered")
    event = {"occasion": "event", "event": "activity.recorded", "look_back_days": "3"}
    condition = {
        "conditions_of": "activity",
        "event_conditions-t": "group",
        "event_conditions-k": "all",
        "event_conditions-0-t": "compare",
        "event_conditions-0-f": "kind",
        "event_conditions-0-o": "eq",
        "event_conditions-0-v": "purchase",
    }
    answer = marketer.post(page("when", campaign), when(**event, **condition))
    assert answer.status_code == 302, answer.context["form"].errors
    campaign.refresh_from_db()
    assert campaign.event_conditions == {"all": [{"field": "kind", "op": "eq", "value": "purchase"}]}
    other = {**event, "event": "reward.affordable", **condition}
    looked = marketer.post(page("when", campaign), when(**other, look="1"))
    assert "Please mend" not in looked.content.decode()
    assert looked.context["form"]["conditions_of"].value() != "activity"
    refused = marketer.post(page("when", campaign), when(**other))
    assert "event_conditions" in refused.context["form"].errors
    campaign.refresh_from_db()
    assert campaign.event == "activity.recorded"


# --- 4 What they get, and how it is measured --------------------------------------------------------------------------


def test_gift_and_measure_are_saved(marketer: Client) -> None:
    campaign = draft()
    answer = marketer.post(
        page("gift", campaign), gift(bonus_points="200", hold_out_percent="12.5", goal="visit")
    )
    assert answer["Location"] == page("check", campaign), answer.context["form"].errors
    campaign.refresh_from_db()
    assert (campaign.bonus_points, campaign.hold_out_percent, campaign.goal) == (
        200,
        Decimal("12.50"),
        "visit",
    )


def test_a_winner_needs_a_rule_and_several_variants(marketer: Client) -> None:
    campaign = draft()
    assert "winner_by" not in marketer.get(page("gift", campaign)).context["form"].fields
    building.add_variant(campaign_id=campaign.pk, like="A")
    answer = marketer.post(page("gift", campaign), gift(test_percent="20"))
    assert "winner_by" in answer.context["form"].errors
    answer = marketer.post(page("gift", campaign), gift(test_percent="20", winner_by="click"))
    assert "winner_after_hours" in answer.context["form"].errors
    marketer.post(page("gift", campaign), gift(test_percent="20", winner_by="click", winner_after_hours="24"))
    campaign.refresh_from_db()
    assert (campaign.test_percent, campaign.winner_by, campaign.winner_after_hours) == (20, "click", 24)


def test_a_larger_hold_out_needs_fewer_members(marketer: Client) -> None:
    campaign = draft()
    small, large = (
        marketer.post(page("needed", campaign), gift(hold_out_percent=percent)).context["needed"][0].members
        for percent in ("2", "20")
    )
    assert large < small
    assert marketer.post(page("needed", campaign), gift(hold_out_percent="0")).context["needed"] == []


def test_a_service_message_says_that_nobody_is_held_out_of_it(marketer: Client) -> None:
    campaign = draft(purpose="service", hold_out_percent=20)
    assert "Nobody is held out of service messages." in summary.measure(campaign)
    assert marketer.get(page("gift", campaign)).context["needed"] == []
    assert marketer.post(page("needed", campaign), gift(hold_out_percent="20")).context["needed"] == []
    reach = CampaignReach(count=100, reached=100, ways=(("inbox", 100),), of=100)
    policy = SendingPolicy(global_hold_out_percent=Decimal(10))
    assert check.estimate(campaign, reach, policy).held_out == 0


# --- Who may ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["who", "what", "when", "gift"])
def test_those_who_only_look_are_refused_the_steps_and_nothing_is_written(step: str) -> None:
    campaign = draft()
    client = logged_in(staff(group="Support"))
    answers = {"who": who(), "what": what(), "when": when(priority="7"), "gift": gift(bonus_points="9")}
    assert client.get(page(step, campaign)).status_code == 403
    assert client.post(page(step, campaign), answers[step]).status_code == 403
    before = campaign.history.count()
    campaign.refresh_from_db()
    assert (campaign.priority, campaign.bonus_points, campaign.history.count()) == (50, 0, before)
    assert not Text.objects.filter(variant__campaign=campaign).exists()
    assert client.get(page("change", campaign)).status_code == 200
    assert client.get(reverse("admin:campaigns_campaign_add")).status_code == 403


def test_a_running_campaign_is_locked_until_it_is_paused(marketer: Client) -> None:
    campaign = draft("recurring", status="running", occasion="birthday")
    assert not marketer.get(page("what", campaign)).context["editable"]
    answer = marketer.post(page("what", campaign), what())
    assert "Pause it first" in answer.content.decode()
    assert not Text.objects.filter(variant__campaign=campaign).exists()
    answer = marketer.post(page("act", campaign), {"do": "pause_edit"})
    assert answer["Location"] == page("what", campaign)
    marketer.post(page("what", campaign), what())
    assert Text.objects.get(variant__campaign=campaign).subject == "Hei!"
