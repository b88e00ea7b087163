"""What changed between the decision and the sending is respected, each with its reason, a batch in a few statements."""

import datetime as dt
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns import dispatch, suppression
from campaigns.channels.null import NullChannel
from campaigns.dispatch import rounds
from campaigns.models import Message, MessagePreference, SendingPolicy
from loyalty.events.models import Event
from members.consents import set_consent
from members.models import Consent, Member
from tests.campaigns.dispatching import DAY, HOUR, MINUTE, campaign_like, plain, send_due, set_policy, state
from tests.campaigns.test_dispatch_claims import after, null
from tests.factories.campaigns import MessageFactory, birthday_campaign, celebrant
from tests.factories.members import NOON

__all__ = ["null", "plain"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("plain")]
EVENING = dt.datetime(2026, 3, 10, 19, 30, tzinfo=dt.UTC)
"""21.30 in Helsinki."""
MORNING = dt.datetime(2026, 3, 11, 7, 0, tzinfo=dt.UTC)
"""9.00 in Helsinki."""


def withdraw(message: Message, channel: str = "email") -> None:
    set_consent(
        member_id=message.member_id,
        purpose="marketing",
        channel=channel,
        granted=False,
        source="portal",
        at=NOON,
    )


def wish(message: Message, **wishes: object) -> None:
    MessagePreference.objects.create(member_id=message.member_id, changed_at=NOON, **wishes)


def test_an_opt_out_between_queueing_and_sending_is_respected(null: NullChannel) -> None:
    message, other = MessageFactory(), MessageFactory()
    withdraw(message)
    assert send_due() == (1, 1, 0)
    assert state(message) == ("skipped", "consent_withdrawn", 1)
    assert null.handed_over == [other.pk]
    assert Event.objects.filter(name="message.sent").count() == 1


def test_the_consent_is_that_for_the_campaigns_purpose(null: NullChannel) -> None:
    message = MessageFactory(campaign=birthday_campaign(purpose="surveys"))
    assert send_due() == (0, 1, 0)
    assert state(message)[1] == "consent_withdrawn"


def test_what_is_about_the_members_own_account_needs_no_consent_and_no_patience(null: NullChannel) -> None:
    message = MessageFactory(campaign=birthday_campaign(purpose="service"))
    withdraw(message)
    wish(message, paused_until=dt.date(2100, 1, 1))
    assert send_due() == (1, 0, 0)


def test_who_gave_their_last_consent_back_is_not_written_to_through_the_webhook(
    null: NullChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_policy("webhook", is_active=True)
    monkeypatch.setattr(rounds, "CHANNELS", {"webhook": lambda: null})
    kept, gone = MessageFactory(channel="webhook"), MessageFactory(channel="webhook")
    withdraw(gone)
    assert send_due() == (1, 1, 0)
    assert null.handed_over == [kept.pk]


@pytest.mark.parametrize("status", ["closed", "erased"])
@pytest.mark.parametrize("channel", ["email", "inbox"])
def test_who_left_gets_nothing_that_was_queued(
    null: NullChannel, monkeypatch: pytest.MonkeyPatch, channel: str, status: str
) -> None:
    message = MessageFactory(channel=channel)
    Member.objects.filter(pk=message.member_id).update(status=status)
    monkeypatch.setattr(rounds, "CHANNELS", {channel: lambda: null})
    assert send_due() == (0, 1, 0)
    assert state(message) == ("skipped", "not_a_member", 1)
    assert null.handed_over == []


def test_a_member_erased_while_a_message_is_queued_leaves_no_words_behind(null: NullChannel) -> None:
    waiting = MessageFactory(facts={"product": "cake"})
    sent = MessageFactory(
        member=waiting.member, occasion="before", status="sent", content={"heading": "Aino!"}
    )
    dispatch.forget(waiting.member_id)
    assert send_due() == (0, 0, 0)
    assert state(waiting) == ("skipped", "not_a_member", 0)
    assert state(sent)[0] == "sent"
    for message in (waiting, sent):
        assert (message.subject, message.body, message.content, message.facts) == ("", "", {}, {})


def test_an_address_that_bounced_since_is_not_written_to(null: NullChannel) -> None:
    message, other = MessageFactory(), MessageFactory()
    suppression.suppress(channel="email", address=message.member.email.upper(), reason="bounce", at=NOON)
    assert send_due() == (1, 1, 0)
    assert state(message) == ("skipped", "suppressed", 1)
    assert null.handed_over == [other.pk]


def test_who_wants_no_messages_for_a_time_gets_them_again_afterwards(null: NullChannel) -> None:
    message = MessageFactory()
    today = NOON.date()
    wish(message, paused_until=today + DAY)
    later = MessageFactory(member=message.member, occasion="later", due_at=NOON + DAY)
    assert send_due() == (0, 1, 0)
    assert state(message) == ("skipped", "on_pause", 1)
    assert send_due(NOON + DAY) == (1, 0, 0)
    assert state(later) == ("sent", "", 1)


def test_a_late_message_that_falls_into_quiet_hours_waits_for_their_end(null: NullChannel) -> None:
    """Quiet across midnight, on the member's own clock: held, then sent once."""
    set_policy("email", quiet_from=dt.time(21), quiet_to=dt.time(9))
    message = MessageFactory(due_at=EVENING - HOUR)
    abroad = MessageFactory(due_at=EVENING - HOUR, member=celebrant(time_zone="America/New_York"))
    assert send_due(EVENING) == (1, 0, 0)
    assert null.handed_over == [abroad.pk]
    assert state(message) == ("due", "quiet_hours", 0)
    assert message.due_at == MORNING
    assert send_due(MORNING - MINUTE) == (0, 0, 0)
    assert send_due(MORNING) == (1, 0, 0)
    assert send_due(MORNING + HOUR) == (0, 0, 0)
    assert null.handed_over == [abroad.pk, message.pk]


def test_a_campaign_may_go_out_in_quiet_hours_too(null: NullChannel) -> None:
    set_policy("email", quiet_from=dt.time(21), quiet_to=dt.time(9))
    MessageFactory(due_at=EVENING, campaign=birthday_campaign(ignores_quiet_hours=True))
    assert send_due(EVENING) == (1, 0, 0)


def test_a_message_that_moved_to_a_full_day_is_not_sent(null: NullChannel) -> None:
    SendingPolicy.objects.update(per_day=1)
    earlier = MessageFactory(due_at=NOON)
    assert send_due(NOON) == (1, 0, 0)
    late = MessageFactory(member=earlier.member, occasion="late", due_at=NOON - DAY)
    other = MessageFactory(due_at=NOON - DAY)
    assert send_due(NOON + MINUTE) == (1, 1, 0)
    assert state(late) == ("skipped", "capped", 1)
    assert state(other) == ("sent", "", 1)
    assert other.due_at == NOON + MINUTE


def test_of_two_that_moved_to_a_day_with_one_place_one_is_sent(null: NullChannel) -> None:
    SendingPolicy.objects.update(per_day=1)
    first = MessageFactory(due_at=NOON - DAY)
    second = MessageFactory(member=first.member, occasion="second", due_at=NOON - 2 * DAY)
    assert send_due() == (1, 1, 0)
    assert sorted([state(first)[0], state(second)[0]]) == ["sent", "skipped"]


def test_a_members_own_wish_caps_the_week_and_the_inbox_counts_for_nothing(null: NullChannel) -> None:
    tuesday = dt.datetime(2026, 3, 10, 12, tzinfo=dt.UTC)
    message = MessageFactory(due_at=tuesday - DAY, reason="retrying", attempts=1)
    MessageFactory(member=message.member, occasion="inbox", channel="inbox", status="sent", due_at=tuesday)
    wish(message, per_week=1)
    assert send_due(tuesday) == (1, 0, 0)
    again = MessageFactory(member=message.member, occasion="again", due_at=tuesday, reason="retrying")
    assert send_due(tuesday + 2 * DAY) == (0, 1, 0)
    assert state(again)[1] == "capped"


def test_a_campaign_outside_the_caps_moves_as_it_likes(null: NullChannel) -> None:
    SendingPolicy.objects.update(per_day=1)
    free = campaign_like(birthday_campaign(), "free", ignores_caps=True)
    message = MessageFactory()
    MessageFactory(campaign=free, member=message.member, due_at=NOON - DAY)
    assert send_due() == (2, 0, 0)


def test_a_batch_is_looked_at_again_in_as_many_statements_as_one_message(null: NullChannel) -> None:
    def statements(count: int) -> int:
        for message in MessageFactory.create_batch(count, due_at=NOON - DAY):
            withdraw(message)
        with CaptureQueriesContext(connection) as queries:
            send_due()
        return len(queries)

    assert statements(40) == statements(1)


def test_what_was_held_costs_nothing_and_what_was_sent_what_the_channel_asks(null: NullChannel) -> None:
    set_policy("email", cost="0.05")
    sent, skipped = MessageFactory(), MessageFactory()
    Consent.objects.filter(member_id=skipped.member_id).delete()
    send_due()
    assert [message.cost for message in Message.objects.order_by("pk")] == [Decimal("0.05"), 0]
    assert state(sent)[0] == "sent"


def test_an_opt_out_while_the_batch_is_under_way_counts_for_the_next_batch(
    null: NullChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds.claiming, "BATCH", 2)
    messages = MessageFactory.create_batch(4)
    after(null, 1, lambda: [withdraw(message) for message in messages[2:]])
    assert send_due() == (2, 2, 0)
