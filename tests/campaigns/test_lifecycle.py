"""What a campaign may become and who may make it so; a refusal writes nothing."""

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns import lifecycle, rounds
from campaigns.lifecycle import CampaignRefused
from campaigns.models import Campaign, Message, Round, RoundPage, SendingPolicy, Text, Trigger
from loyalty.events.models import Event
from tests.factories.campaigns import celebrant, recorder
from tests.factories.deciding import mailing, no_caps
from tests.factories.members import NOON
from tests.factories.staff import staff

pytestmark = pytest.mark.django_db
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
NOBODY = {"staff_id": None, "at": NOON}


@pytest.fixture(autouse=True)
def _checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts are checked elsewhere."""
    monkeypatch.setattr("campaigns.rendering.checks.problems", lambda campaign: [])


def submitted(campaign: Campaign, **who: Any) -> Campaign:
    return lifecycle.submit(campaign_id=campaign.pk, **(NOBODY | who))


def tick(at: dt.datetime = NOON) -> None:
    """Begin and decide what is due, and mark what is done."""
    rounds.begin_due(at=at)
    rounds.decide_open(now=lambda: at, run=recorder(at), until=at + HOUR)
    lifecycle.finish_due(at=at)


def told(name: str) -> list[str]:
    return [event.facts["code"] for event in Event.objects.filter(name=name).order_by("pk")]


def test_a_one_off_goes_from_draft_to_sent() -> None:
    no_caps()
    celebrant()
    campaign = mailing()
    assert submitted(campaign).status == "scheduled"
    tick()
    campaign.refresh_from_db()
    assert (campaign.status, campaign.started_at) == ("sending", NOON)
    Message.objects.update(status="sent", sent_at=NOON)
    tick(NOON + HOUR)
    campaign.refresh_from_db()
    assert (campaign.status, campaign.ended_at) == ("sent", NOON + HOUR)
    assert told("campaign.started") == told("campaign.finished") == [campaign.code]


def test_what_is_triggered_runs_until_its_end() -> None:
    campaign = mailing(kind="triggered", occasion="event", event="member.enrolled", ends_at=NOON + DAY)
    assert (submitted(campaign).status, lifecycle.finish_due(at=NOON + HOUR)) == ("running", 0)
    assert lifecycle.finish_due(at=NOON + DAY) == 1
    campaign.refresh_from_db()
    assert campaign.status == "sent"


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"names": {}}, "names"),
        ({"kind": "recurring", "occasion": "event"}, "occasion"),
        ({"kind": "recurring", "occasion": "schedule", "rhythm": {"every": "week"}}, "rhythm"),
        ({"kind": "recurring", "occasion": "birthday", "rhythm": {"at": "nine"}}, "rhythm"),
        ({"kind": "triggered", "occasion": "event", "event": "hell.froze"}, "event"),
        (
            {
                "kind": "triggered",
                "occasion": "event",
                "event": "tier.changed",
                "event_conditions": {"field": "shoe_size", "op": "eq", "value": 1},
            },
            "event_conditions",
        ),
        ({"kind": "triggered", "occasion": "inactive"}, "days"),
        ({"kind": "triggered", "occasion": "replenish", "days": 30}, "event_conditions"),
        ({"look_back_days": 301}, "look_back_days"),
        ({"in_member_zone": True}, "send_at"),
        ({"send_at": NOON - 2 * DAY}, "send_at"),
        ({"ends_at": NOON}, "ends_at"),
        ({"audience": {"field": "language"}}, "audience"),
        ({"channels": []}, "channels"),
        ({"channels": ["sms"]}, "channels"),
        ({"channels": ["owl"]}, "channels"),
        ({"test_percent": 20}, "winner_by"),
        ({"test_percent": 20, "winner_by": "goal", "winner_after_hours": 24}, "variants"),
        ({"test_percent": 20, "kind": "recurring", "occasion": "birthday"}, "test_percent"),
        ({"goal_conditions": {"field": "gone", "op": "eq", "value": 1}}, "goal_conditions"),
    ],
)
def test_what_is_not_fit_to_be_sent_stays_a_draft(facts: dict[str, Any], field: str) -> None:
    campaign = mailing(**facts)
    with pytest.raises(CampaignRefused, match=r"\w") as refused:
        submitted(campaign)
    assert refused.value.field == field
    campaign.refresh_from_db()
    assert (campaign.status, campaign.started_at) == ("draft", None)
    assert not Event.objects.filter(name__startswith="campaign.").exists()


def test_a_campaign_without_variants_or_weight_is_refused() -> None:
    for weights in ((), (0,)):
        with pytest.raises(CampaignRefused) as refused:
            submitted(mailing(variants=weights))
        assert refused.value.field == "variants"


def large() -> Campaign:
    """A draft to more members than one person may write to."""
    SendingPolicy.objects.update(approval_above=1)
    for _ in range(2):
        celebrant()
    return mailing()


def test_a_large_one_off_waits_for_somebody_else_to_approve() -> None:
    campaign, writer, other = large(), staff(group="Marketing"), staff(group="Marketing")
    assert submitted(campaign, staff_id=writer.pk).status == "awaiting"
    tick()
    assert not Round.objects.exists()
    with pytest.raises(CampaignRefused) as refused:
        lifecycle.approve(campaign_id=campaign.pk, staff_id=writer.pk, at=NOON)
    assert refused.value.field == "approved_by"
    campaign.refresh_from_db()
    assert (campaign.status, campaign.approved_by, campaign.approved_at) == ("awaiting", None, None)
    assert lifecycle.approve(campaign_id=campaign.pk, staff_id=other.pk, at=NOON).status == "scheduled"
    campaign.refresh_from_db()
    assert (campaign.approved_by, campaign.approved_at) == (other, NOON)


def test_an_approval_is_void_when_the_campaign_is_written_again() -> None:
    campaign, writer, other = large(), staff(group="Marketing"), staff(group="Marketing")
    campaign.send_at = NOON + DAY
    campaign.save()
    submitted(campaign, staff_id=writer.pk)
    lifecycle.approve(campaign_id=campaign.pk, staff_id=other.pk, at=NOON)
    back = lifecycle.send_back(campaign_id=campaign.pk, staff_id=writer.pk, at=NOON)
    assert (back.status, back.approved_by, lifecycle.is_editable(back)) == ("draft", None, True)
    assert submitted(campaign, staff_id=other.pk).status == "awaiting"


def daily() -> Campaign:
    """A draft that goes to everybody every noon."""
    return mailing(kind="recurring", occasion="schedule", rhythm={"every": "day", "at": "12:00"})


def test_a_schedule_to_many_waits_for_somebody_else_too_and_again_after_a_pause() -> None:
    large()
    campaign, writer, other = daily(), staff(group="Marketing"), staff(group="Marketing")
    assert submitted(campaign, staff_id=writer.pk).status == "awaiting"
    assert lifecycle.approve(campaign_id=campaign.pk, staff_id=other.pk, at=NOON).status == "running"
    lifecycle.pause(campaign_id=campaign.pk, staff_id=other.pk, at=NOON)
    resumed = lifecycle.resume(campaign_id=campaign.pk, staff_id=other.pk, at=NOON + HOUR)
    assert (resumed.status, resumed.submitted_by_id, resumed.approved_by_id) == ("awaiting", other.pk, None)
    with pytest.raises(CampaignRefused):
        lifecycle.approve(campaign_id=campaign.pk, staff_id=other.pk, at=NOON + HOUR)
    again = lifecycle.approve(campaign_id=campaign.pk, staff_id=writer.pk, at=NOON + HOUR)
    assert (again.status, again.started_at) == ("running", NOON)


def test_a_running_schedule_sent_back_is_paused_to_be_changed_and_no_draft() -> None:
    large()
    campaign, writer, other = daily(), staff(group="Marketing"), staff(group="Marketing")
    submitted(campaign, staff_id=writer.pk)
    lifecycle.approve(campaign_id=campaign.pk, staff_id=other.pk, at=NOON)
    lifecycle.pause(campaign_id=campaign.pk, staff_id=other.pk, at=NOON)
    lifecycle.resume(campaign_id=campaign.pk, staff_id=other.pk, at=NOON)
    back = lifecycle.send_back(campaign_id=campaign.pk, staff_id=other.pk, at=NOON)
    assert (back.status, lifecycle.is_editable(back)) == ("paused", True)


@pytest.mark.parametrize("kind", ["one_off", "recurring"])
def test_an_audience_that_has_grown_past_what_one_person_may_write_to_holds_the_round_back(
    kind: str,
) -> None:
    no_caps()
    SendingPolicy.objects.update(approval_above=2)
    writer, other = staff(group="Marketing"), staff(group="Marketing")
    celebrant()
    campaign = mailing(send_at=NOON + DAY) if kind == "one_off" else daily()
    assert submitted(campaign, staff_id=writer.pk).status in {"scheduled", "running"}
    for _ in range(2):
        celebrant()
    tick(NOON + DAY)
    campaign.refresh_from_db()
    assert (campaign.status, "3" in campaign.problem) == ("awaiting", True)
    assert not Round.objects.exists()
    assert not Message.objects.exists()
    approved = lifecycle.approve(campaign_id=campaign.pk, staff_id=other.pk, at=NOON + DAY + HOUR)
    assert (approved.problem, approved.approved_for) == ("", 3)
    tick(NOON + DAY + HOUR)
    assert Message.objects.count() == 3


def test_an_approval_covers_an_audience_that_grows_a_little_and_no_more() -> None:
    no_caps()
    SendingPolicy.objects.update(approval_above=1)
    writer, other = staff(group="Marketing"), staff(group="Marketing")
    for _ in range(10):
        celebrant()
    campaign = daily()
    submitted(campaign, staff_id=writer.pk)
    lifecycle.approve(campaign_id=campaign.pk, staff_id=other.pk, at=NOON)
    celebrant()
    tick(NOON + DAY)
    assert Message.objects.count() == 11
    celebrant()
    tick(NOON + 2 * DAY)
    campaign.refresh_from_db()
    assert (campaign.status, Message.objects.count()) == ("awaiting", 11)


def test_a_small_one_off_and_what_goes_to_few_at_a_time_need_no_second_person() -> None:
    campaign = large()
    SendingPolicy.objects.update(approval_above=2)
    assert submitted(campaign).status == "scheduled"
    SendingPolicy.objects.update(approval_above=0)
    assert submitted(mailing(kind="recurring", occasion="birthday")).status == "running"


STEPS = {
    "submit": lifecycle.submit,
    "approve": lifecycle.approve,
    "send_back": lifecycle.send_back,
    "start": lifecycle.start,
    "pause": lifecycle.pause,
    "resume": lifecycle.resume,
    "cancel": lifecycle.cancel,
    "archive": lifecycle.archive,
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("status", Campaign.Status.values)
def test_a_step_is_taken_from_the_states_that_allow_it_and_from_no_other(step: str, status: str) -> None:
    campaign = mailing(status=status, send_at=NOON + DAY)
    before = Campaign.objects.values().get(pk=campaign.pk)
    someone = staff(group="Marketing")
    if status in lifecycle.ALLOWED[step]:
        assert lifecycle.may(step, campaign)
        STEPS[step](campaign_id=campaign.pk, staff_id=someone.pk, at=NOON)
        assert Campaign.objects.values().get(pk=campaign.pk) != before
    else:
        with pytest.raises(CampaignRefused) as refused:
            STEPS[step](campaign_id=campaign.pk, staff_id=someone.pk, at=NOON)
        assert refused.value.field == "status"
        assert Campaign.objects.values().get(pk=campaign.pk) == before


def test_only_drafts_and_what_goes_on_while_paused_can_be_written() -> None:
    editable = [
        (kind, status)
        for kind, occasion in (("one_off", ""), ("recurring", "birthday"))
        for status in Campaign.Status.values
        if lifecycle.is_editable(Campaign(kind=kind, occasion=occasion, status=status))
    ]
    assert editable == [("one_off", "draft"), ("recurring", "draft"), ("recurring", "paused")]
    assert not lifecycle.is_editable(Campaign(status="draft", archived_at=NOON))


def test_cancelling_leaves_nothing_due_and_says_why() -> None:
    no_caps()
    members = [celebrant() for _ in range(3)]
    campaign = mailing()
    submitted(campaign)
    tick()
    gone = Message.objects.get(member=members[0])
    Message.objects.filter(pk=gone.pk).update(status="sending")
    Trigger.objects.create(
        campaign=campaign, member=members[0], occasion="event:1", happened_at=NOON, due_at=NOON
    )
    lifecycle.cancel(campaign_id=campaign.pk, staff_id=None, at=NOON + HOUR)
    assert sorted(Message.objects.values_list("status", "reason")) == [
        ("sending", ""),
        ("skipped", "cancelled"),
        ("skipped", "cancelled"),
    ]
    assert not Trigger.objects.exists()
    campaign.refresh_from_db()
    assert (campaign.status, campaign.ended_at) == ("cancelled", NOON + HOUR)


def test_what_is_heard_while_a_campaign_is_being_cancelled_does_not_stay() -> None:
    kept, gone = (
        mailing(kind="triggered", occasion="event", event="member.enrolled", status=status)
        for status in ("paused", "cancelled")
    )
    for campaign in (kept, gone):
        Trigger.objects.create(
            campaign=campaign, member=celebrant(), occasion="event:1", happened_at=NOON, due_at=NOON
        )
    lifecycle.finish_due(at=NOON)
    assert Trigger.objects.get().campaign == kept


def test_cancelling_a_round_half_way_drops_the_members_that_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("campaigns.audience.PAGE", 2)
    for _ in range(5):
        celebrant()
    campaign = mailing()
    submitted(campaign)
    rounds.begin_due(at=NOON)
    rounds.decide_page(Round.objects.get().pk, at=NOON)
    lifecycle.cancel(campaign_id=campaign.pk, staff_id=None, at=NOON)
    tick()
    round_ = Round.objects.get()
    assert (round_.status, round_.reason, round_.to_send) == ("cancelled", "cancelled", 2)
    assert not RoundPage.objects.exists()
    assert Message.objects.count() == 2


def test_a_copy_is_a_draft_with_the_same_texts_under_a_new_code() -> None:
    campaign = mailing(
        variants=(1, 2), code="spring", names={"fi": "Kevät"}, bonus_points=5, send_at=NOON, status="sent",
        started_at=NOON, looked_at=NOON, priority=70,
    )  # fmt: skip
    made = lifecycle.clone(campaign_id=campaign.pk, staff_id=None, at=NOON + DAY)
    assert (made.code, made.names, made.status, made.cloned_from) == (
        "spring-2",
        {"fi": "Kevät (2)"},
        "draft",
        campaign,
    )
    assert (made.bonus_points, made.priority, made.send_at, made.started_at, made.looked_at) == (
        *(5, 70),
        *(None, None, None),
    )
    assert made.public_id != campaign.public_id
    assert list(made.variants.values_list("code", "weight")) == [("A", 1), ("B", 2)]
    said = Text.objects.order_by("variant__code", "language").values_list("language", "subject", "body")
    assert list(said.filter(variant__campaign=made)) == list(said.filter(variant__campaign=campaign))
    assert lifecycle.clone(campaign_id=made.pk, staff_id=None, at=NOON).code == "spring-3"
    assert lifecycle.clone(campaign_id=campaign.pk, staff_id=None, at=NOON).code == "spring-4"


def test_progress_is_told_by_one_statement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("campaigns.audience.PAGE", 2)
    no_caps()
    for _ in range(3):
        celebrant()
    celebrant(agrees=False)
    campaign = mailing()
    assert lifecycle.progress_of(campaign) == lifecycle.Progress(None, 0, 0, {}, None)
    submitted(campaign)
    rounds.begin_due(at=NOON)
    campaign.refresh_from_db()
    assert lifecycle.progress_of(campaign) == lifecycle.Progress(4, 0, 0, {}, 0)
    tick()
    Message.objects.filter(pk=Message.objects.filter(status="due").earliest("pk").pk).update(status="sent")
    with CaptureQueriesContext(connection) as captured:
        progress = lifecycle.progress_of(campaign)
    assert len(captured) == 1
    assert progress == lifecycle.Progress(4, 4, 0, {"due": 2, "sent": 1, "skipped": 1}, 50)
    Message.objects.filter(status="due").update(status="sent")
    tick()
    campaign.refresh_from_db()
    assert lifecycle.progress_of(campaign).percent == 100
