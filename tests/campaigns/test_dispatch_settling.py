"""What staff make of messages that failed or whose outcome is unknown."""

import datetime as dt
import uuid

import pytest

from campaigns import dispatch
from campaigns.channels.null import NullChannel
from campaigns.models import Campaign, Message, SendingPolicy
from campaigns.readiness import CampaignRefused
from loyalty.events.models import Event
from tests.campaigns.dispatching import HOUR, MINUTE, plain, send_due, state
from tests.campaigns.test_dispatch_claims import null
from tests.factories.campaigns import MessageFactory, birthday_campaign
from tests.factories.members import NOON

__all__ = ["null", "plain"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("plain")]


def in_doubt() -> Message:
    made: Message = MessageFactory(
        status="unknown", reason="lost", attempts=1, claim=uuid.uuid4(), claimed_at=NOON - HOUR
    )
    return made


def test_failed_messages_are_tried_again_and_no_others(null: NullChannel) -> None:
    failed = MessageFactory(status="failed", reason="gave_up", attempts=7, detail="451 Not now")
    others = [MessageFactory(status=status) for status in ("sent", "unknown", "skipped", "held_out")]
    assert dispatch.retry_failed(campaign_id=failed.campaign_id, at=NOON + HOUR) == 1
    assert state(failed) == ("due", "retrying", 0)
    assert (failed.due_at, failed.detail) == (NOON + HOUR, "")
    assert send_due(NOON + HOUR) == (1, 0, 0)
    assert null.handed_over == [failed.pk]
    assert [state(other)[0] for other in others] == ["sent", "unknown", "skipped", "held_out"]


def test_what_failed_while_it_waited_for_a_winner_gets_the_winner(null: NullChannel) -> None:
    campaign = birthday_campaign()
    failed = MessageFactory(campaign=campaign, status="failed", reason="gave_up", arm="treated", variant=None)
    held = MessageFactory(campaign=campaign, status="held_out", arm="held_out", variant=None)
    campaign.winner = campaign.variants.get()
    campaign.save()
    assert dispatch.retry_failed(campaign_id=campaign.pk, at=NOON) == 1
    assert send_due() == (1, 0, 0)
    assert (state(failed)[0], failed.variant) == ("sent", campaign.winner)
    assert (state(held)[0], held.variant) == ("held_out", None)


def test_a_campaign_that_was_over_goes_on_for_what_failed(null: NullChannel) -> None:
    campaign = birthday_campaign(kind="one_off", occasion="", status="sent", ended_at=NOON)
    failed = MessageFactory(campaign=campaign, status="failed")
    dispatch.retry_failed(campaign_id=campaign.pk, at=NOON)
    campaign.refresh_from_db()
    assert (campaign.status, campaign.ended_at) == ("sending", None)
    assert send_due() == (1, 0, 0)
    assert state(failed)[0] == "sent"


def test_nothing_of_a_cancelled_campaign_is_tried_again() -> None:
    campaign = birthday_campaign(status="cancelled")
    failed = MessageFactory(campaign=campaign, status="failed")
    with pytest.raises(CampaignRefused):
        dispatch.retry_failed(campaign_id=campaign.pk, at=NOON)
    assert state(failed)[0] == "failed"


def test_what_is_tried_again_keeps_the_caps(null: NullChannel) -> None:
    SendingPolicy.objects.update(per_day=1)
    failed = MessageFactory(status="failed")
    MessageFactory(member=failed.member, occasion="other", status="sent", due_at=NOON)
    dispatch.retry_failed(campaign_id=failed.campaign_id, at=NOON)
    assert send_due() == (0, 1, 0)
    assert state(failed)[:2] == ("skipped", "capped")


def test_an_unknown_outcome_that_was_sent_is_announced_at_the_time_it_was_handed_over() -> None:
    message = in_doubt()
    assert dispatch.settle_unknown(message_ids=[message.pk], outcome="sent", at=NOON) == 1
    assert state(message) == ("sent", "", 1)
    assert message.sent_at == NOON - HOUR
    told = Event.objects.get(name="message.sent")
    assert (told.member_id, told.occurred_at) == (message.member_id, NOON - HOUR)
    assert told.facts["message_id"] == message.pk
    assert dispatch.settle_unknown(message_ids=[message.pk], outcome="sent", at=NOON) == 0
    assert Event.objects.filter(name="message.sent").count() == 1


def test_an_unknown_outcome_may_be_sent_again(null: NullChannel) -> None:
    message = in_doubt()
    dispatch.settle_unknown(message_ids=[message.pk], outcome="send_again", at=NOON)
    assert send_due() == (1, 0, 0)
    assert state(message) == ("sent", "", 1)


def test_an_unknown_outcome_that_was_not_sent_has_failed(null: NullChannel) -> None:
    message = in_doubt()
    dispatch.settle_unknown(message_ids=[message.pk], outcome="not_sent", at=NOON)
    assert state(message) == ("failed", "lost", 1)
    assert send_due() == (0, 0, 0)


@pytest.mark.parametrize("status", ["due", "sending", "sent", "failed", "skipped", "held_out"])
def test_only_what_is_unknown_can_be_settled(status: str) -> None:
    message = MessageFactory(status=status)
    assert dispatch.settle_unknown(message_ids=[message.pk], outcome="send_again", at=NOON) == 0
    assert state(message)[0] == status
    assert not Event.objects.filter(name="message.sent").exists()


def test_a_made_up_outcome_changes_nothing() -> None:
    message = in_doubt()
    with pytest.raises(ValueError, match="perhaps"):
        dispatch.settle_unknown(message_ids=[message.pk], outcome="perhaps", at=NOON)
    assert state(message)[0] == "unknown"


@pytest.mark.parametrize(("look_back", "kept"), [(0, 2), (3, 2), (7, 6)])
def test_what_resumes_after_a_pause_is_sent_within_the_look_back_but_for_three_days_at_least(
    look_back: int, kept: int, null: NullChannel
) -> None:
    Campaign.objects.filter(code="birthday").update(look_back_days=look_back)
    fresh = MessageFactory(due_at=NOON - dt.timedelta(days=kept))
    stale = MessageFactory(due_at=NOON - dt.timedelta(days=kept + 1))
    assert send_due() == (1, 0, 1)
    assert (state(fresh)[0], state(stale)[:2]) == ("sent", ("failed", "gave_up"))


def test_days_late_a_greeting_is_given_up_and_what_waits_in_a_pause_is_not(null: NullChannel) -> None:
    late = MessageFactory(due_at=NOON - dispatch.OVERDUE)
    assert send_due() == (0, 0, 1)
    assert state(late) == ("failed", "gave_up", 0)
    Campaign.objects.update(status="paused")
    waiting = MessageFactory(due_at=NOON - dispatch.OVERDUE)
    assert send_due(NOON + MINUTE) == (0, 0, 0)
    assert state(waiting) == ("due", "", 0)
