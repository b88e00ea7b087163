"""A campaign in the admin once it is written: checked and sent, approved, watched, paused, copied; and the calendar."""

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation
from pytest_django import Settings

from campaigns import building, tasks
from campaigns.models import Campaign, Message, Round, SendingPolicy
from loyalty import clock
from tests.factories.campaigns import MessageFactory, celebrant
from tests.factories.staff import logged_in, staff

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 11, 22, 10, 0, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def english(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    settings.LANGUAGE_CODE = "en"
    monkeypatch.setattr(clock, "now", lambda: NOW)
    with translation.override("en"):
        yield


@pytest.fixture
def marketer() -> Client:
    return logged_in(staff(group="Marketing"))


def page(name: str, campaign: Campaign) -> str:
    return reverse(f"admin:campaigns_campaign_{name}", args=[campaign.pk])


def ready(**changes: Any) -> Campaign:
    """A one-off that lacks nothing to be sent."""
    made = building.start_empty(kind="one_off", names={"en": "Spring"})
    words = {"subject": "Hello", "body": "Come and see.", "button_label": "Look"}
    building.write(
        campaign_id=made.pk, variant="A", texts={language: dict(words) for language in ("fi", "sv", "en")}
    )
    Campaign.objects.filter(pk=made.pk).update(**changes)
    made.refresh_from_db()
    return made


def act(client: Client, campaign: Campaign, key: str) -> Any:
    answer = client.post(page("act", campaign), {"do": key})
    campaign.refresh_from_db()
    return answer


# --- Checking and sending ---------------------------------------------------------------------------------------------


def test_the_check_reads_the_campaign_back_with_reach_hold_out_and_cost(marketer: Client) -> None:
    for number in range(20):
        celebrant(email=f"m{number}@example.com")
    campaign = ready(bonus_points=100, hold_out_percent=10)
    context = marketer.get(page("check", campaign)).context
    assert context["errors"] == []
    told = {str(name): text for _url, name, text in context["sentences"]}
    assert told["Who"] == "Every member. By e-mail, otherwise by portal inbox."
    assert "100 points" in told["Gift and goal"]
    assert "10 % are held out" in told["Gift and goal"]
    estimate = context["estimate"]
    assert (estimate.written_to, estimate.held_out) == (18, 2)
    assert estimate.points == 18 * 100 * SendingPolicy.objects.get(pk=1).value_of_a_point


def test_what_keeps_it_from_going_out_is_listed_and_sending_refused(marketer: Client) -> None:
    campaign = building.start_empty(kind="one_off", names={"en": "Spring"})
    context = marketer.get(page("check", campaign)).context
    assert any(each.url.startswith(page("what", campaign)) for each in context["errors"])
    marketer.post(page("check", campaign))
    campaign.refresh_from_db()
    assert campaign.status == "draft"


def test_a_small_campaign_is_scheduled_at_once(marketer: Client) -> None:
    celebrant()
    campaign = ready()
    answer = marketer.post(page("check", campaign))
    assert answer["Location"] == page("change", campaign)
    campaign.refresh_from_db()
    assert campaign.status == "scheduled"


def test_those_who_may_not_send_cannot_submit() -> None:
    campaign = ready()
    client = logged_in(staff("campaigns.view_campaign", "campaigns.change_campaign"))
    assert "not send them" in client.get(page("check", campaign)).content.decode()
    assert client.post(page("check", campaign)).status_code == 403
    campaign.refresh_from_db()
    assert campaign.status == "draft"


def test_the_number_of_a_large_audience_is_typed(marketer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    from campaigns.admin import check

    monkeypatch.setattr(check, "TYPED_ABOVE", 1)
    celebrant()
    celebrant()
    campaign = ready()
    answer = marketer.post(page("check", campaign), {"typed": "3"})
    assert "typed" in answer.context["form"].errors
    campaign.refresh_from_db()
    assert campaign.status == "draft"
    marketer.post(page("check", campaign), {"typed": "2"})
    campaign.refresh_from_db()
    assert campaign.status == "scheduled"


def test_the_page_is_loaded_anew_once_its_status_has_changed(marketer: Client) -> None:
    celebrant()
    campaign = ready()
    marketer.post(page("check", campaign))
    live = marketer.get(page("change", campaign)).context["figures_url"]
    assert "HX-Refresh" not in marketer.get(live)
    Campaign.objects.filter(pk=campaign.pk).update(status="sending")
    assert marketer.get(live)["HX-Refresh"] == "true"


def test_what_goes_out_now_is_looked_for_at_once(
    marketer: Client, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    looked = []
    monkeypatch.setattr(tasks.decide, "delay", lambda: looked.append(True))
    celebrant()
    with django_capture_on_commit_callbacks(execute=True):
        answer = marketer.post(page("check", ready()), follow=True)
    assert looked == [True]
    assert "It goes out now." in answer.content.decode()


def test_a_large_campaign_waits_for_another_person(marketer: Client) -> None:
    SendingPolicy.objects.filter(pk=1).update(approval_above=0)
    celebrant()
    campaign = ready()
    assert marketer.get(page("check", campaign)).context["needs_second"]
    marketer.post(page("check", campaign))
    campaign.refresh_from_db()
    assert campaign.status == "awaiting"
    own = {action.key for action in marketer.get(page("change", campaign)).context["actions"]}
    assert "approve" not in own
    act(marketer, campaign, "approve")
    assert campaign.status == "awaiting"
    other = logged_in(staff(group="Marketing"))
    assert "approve" in {action.key for action in other.get(page("change", campaign)).context["actions"]}
    act(other, campaign, "approve")
    assert campaign.status == "scheduled"


def test_approving_takes_the_right_to(marketer: Client) -> None:
    SendingPolicy.objects.filter(pk=1).update(approval_above=0)
    celebrant()
    campaign = ready()
    marketer.post(page("check", campaign))
    sender = logged_in(staff("campaigns.view_campaign", "campaigns.send_campaign"))
    assert act(sender, campaign, "approve").status_code == 403
    assert campaign.status == "awaiting"


# --- On its way -------------------------------------------------------------------------------------------------------


def test_pause_resume_and_cancel_follow_each_other(marketer: Client) -> None:
    campaign = ready(status="sending", started_at=NOW)
    Round.objects.create(campaign=campaign, occasion="once", at=NOW, started_at=NOW)
    act(marketer, campaign, "pause")
    assert campaign.status == "paused"
    act(marketer, campaign, "resume")
    assert campaign.status == "sending"
    due = MessageFactory(campaign=campaign)
    act(marketer, campaign, "cancel")
    due.refresh_from_db()
    assert (campaign.status, due.status, due.reason) == ("cancelled", "skipped", "cancelled")


@pytest.mark.parametrize("key", ["pause", "cancel", "archive", "clone", "retry", "send_back"])
def test_those_who_only_look_can_do_nothing(key: str) -> None:
    campaign = ready(status="scheduled")
    client = logged_in(staff("campaigns.view_campaign"))
    before = Campaign.objects.count()
    assert client.get(page("change", campaign)).context["actions"] == []
    assert act(client, campaign, key).status_code == 403
    assert (campaign.status, campaign.archived_at, Campaign.objects.count()) == ("scheduled", None, before)


def test_an_unknown_button_is_not_found(marketer: Client) -> None:
    assert act(marketer, ready(), "is_editable").status_code == 404


def test_a_copy_is_a_draft_with_the_same_words(marketer: Client) -> None:
    campaign = ready(status="sent")
    answer = act(marketer, campaign, "clone")
    made = Campaign.objects.get(cloned_from=campaign)
    assert answer["Location"] == page("who", made)
    assert made.status == "draft"
    assert made.variants.get().texts.get(language="en").subject == "Hello"


def test_archived_campaigns_leave_the_list_until_asked_for(marketer: Client) -> None:
    campaign = ready(status="sent")
    act(marketer, campaign, "archive")
    url = reverse("admin:campaigns_campaign_changelist")
    assert campaign not in marketer.get(url).context["cl"].result_list
    assert list(marketer.get(url, {"archived": "only"}).context["cl"].result_list) == [campaign]


def test_progress_counts_by_status_and_reason_with_the_way_to_the_messages(marketer: Client) -> None:
    campaign = ready(status="sending", started_at=NOW)
    Round.objects.create(
        campaign=campaign, occasion="once", at=NOW, started_at=NOW, audience=4, to_send=3, held_out=1
    )
    MessageFactory(campaign=campaign, status="sent", sent_at=NOW)
    MessageFactory(campaign=campaign, status="failed", reason="refused")
    MessageFactory(campaign=campaign, status="due")
    MessageFactory(campaign=campaign, status="held_out", reason="hold_out")
    answer = marketer.get(page("figures", campaign))
    rows = [(str(row.status), str(row.reason), row.count) for row in answer.context["rows"]]
    assert rows == [
        ("due", "", 1),
        ("sent", "", 1),
        ("failed", "refused by the other side", 1),
        ("held out", "held out, to see the difference", 1),
    ]
    assert answer.context["progress"].percent == 75
    assert 'hx-trigger="every 3s"' in answer.content.decode()
    failed = answer.context["rows"][2]
    assert [row.status for row in marketer.get(failed.url).context["cl"].result_list] == ["failed"]


def test_the_figures_of_many_messages_are_asked_for_less_often(
    marketer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("campaigns.admin.overview.MANY", 1)
    campaign = ready(status="sending", started_at=NOW)
    MessageFactory(campaign=campaign)
    assert "every 3s" in marketer.get(page("figures", campaign)).content.decode()
    MessageFactory(campaign=campaign)
    assert "every 10s" in marketer.get(page("figures", campaign)).content.decode()


def test_only_what_failed_is_tried_again(marketer: Client) -> None:
    campaign = ready(status="sent", started_at=NOW)
    failed = MessageFactory(campaign=campaign, status="failed", reason="gave_up")
    sent = MessageFactory(campaign=campaign, status="sent", sent_at=NOW)
    act(marketer, campaign, "retry")
    failed.refresh_from_db()
    sent.refresh_from_db()
    assert (failed.status, sent.status) == ("due", "sent")


def test_a_finished_campaign_asks_for_its_figures_no_more(marketer: Client) -> None:
    campaign = ready(status="sent", started_at=NOW, ended_at=NOW)
    assert "every 3s" not in marketer.get(page("figures", campaign)).content.decode()


def test_the_result_is_computed_kept_and_shown(marketer: Client) -> None:
    campaign = ready(status="sent", started_at=NOW - dt.timedelta(days=30))
    variant = campaign.variants.get()
    for _number in range(3):
        MessageFactory(
            campaign=campaign, status="sent", arm="treated", variant=variant, due_at=NOW, sent_at=NOW
        )
    assert marketer.get(page("results", campaign)).context["results"].figures["treated"]["members"] == 3
    marketer.post(page("results", campaign))
    assert campaign.results.count() == 2
    assert marketer.get(page("results", ready())).context["results"] is None


# --- The list and the calendar ----------------------------------------------------------------------------------------


def test_the_list_counts_messages_and_costs_the_same_for_many(
    marketer: Client, django_assert_max_num_queries: Any
) -> None:
    campaign = ready(status="scheduled", send_at=NOW + dt.timedelta(days=2))
    MessageFactory(campaign=campaign, status="held_out")
    MessageFactory(campaign=campaign, status="sent")
    url = reverse("admin:campaigns_campaign_changelist")
    row = next(each for each in marketer.get(url).context["cl"].result_list if each == campaign)
    assert (row.counts["sent"], row.counts["held_out"], row.counts["due"]) == (1, 1, 0)
    for number in range(10):
        ready(names={"en": f"Another {number}"})
    with django_assert_max_num_queries(12):
        page_ = marketer.get(url).content.decode()
    assert "24/11/2026" in page_ or "24.11.2026" in page_


def test_the_calendar_shows_what_went_out_what_is_planned_and_what_runs(marketer: Client) -> None:
    went = ready(names={"en": "Gone"}, status="sent")
    Round.objects.create(
        campaign=went, occasion="once", at=NOW - dt.timedelta(days=3), started_at=NOW, to_send=7
    )
    ready(names={"en": "Planned"}, status="scheduled", send_at=NOW + dt.timedelta(days=2))
    weekly = building.start_empty(kind="recurring", names={"en": "Weekly"})
    rhythm = {"every": "week", "at": "09:00", "weekdays": [1]}
    Campaign.objects.filter(pk=weekly.pk).update(rhythm=rhythm, status="running")
    context = marketer.get(reverse("admin:campaigns_campaign_calendar"), {"month": "2026-11"}).context
    days = {
        day.date.isoformat(): [(str(entry.campaign), entry.count) for entry in day.entries]
        for week in context["weeks"]
        for day in week
        if day.entries
    }
    assert days == {
        "2026-11-19": [("Gone", 7)],
        "2026-11-23": [("Weekly", None)],
        "2026-11-24": [("Planned", None)],
        "2026-11-30": [("Weekly", None)],
    }
    assert "birthday" in {row["campaign"].code for row in context["running"]}
    assert (context["previous"], context["following"]) == ("2026-10", "2026-12")


@pytest.mark.parametrize("month", ["nonsense", "1999-01", "2026-13", "99999-01"])
def test_a_month_that_is_none_is_this_one(marketer: Client, month: str) -> None:
    context = marketer.get(reverse("admin:campaigns_campaign_calendar"), {"month": month}).context
    assert context["month"] == "November 2026"


def test_a_campaign_that_is_not_there_is_not_found(marketer: Client) -> None:
    for name in ("who", "what", "when", "gift", "check", "figures", "results"):
        assert marketer.get(reverse(f"admin:campaigns_campaign_{name}", args=[10**9])).status_code == 404
    assert marketer.get("/admin/campaigns/campaign/abc/change/").status_code == 404


def test_strangers_see_no_page_of_a_campaign() -> None:
    campaign = ready()
    client = logged_in(staff("members.view_member"))
    for name in ("change", "who", "what", "when", "gift", "check", "figures", "results"):
        assert client.get(page(name, campaign)).status_code == 403
    assert client.get(reverse("admin:campaigns_campaign_calendar")).status_code == 403
    assert Message.objects.count() == 0
