"""Sending over a real SMTP server: each message goes out once, or its row says why not."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from pytest_django import Settings

from campaigns import dispatch
from campaigns.channels.base import ChannelDown
from campaigns.channels.email import EmailChannel
from campaigns.models import Message
from loyalty.events.models import Event
from members.consents import set_consent
from members.models import Member
from tests.campaigns.dispatching import MINUTE, plain, send_due, set_policy, state
from tests.campaigns.smtp_sink import Sink
from tests.factories.campaigns import MessageFactory, celebrant, recorder
from tests.factories.members import NOON

__all__ = ["plain"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("plain")]


def test_a_due_message_goes_out_and_is_marked_with_what_was_written(sink: Sink) -> None:
    set_policy("email", cost="0.0012")
    message = MessageFactory(body="You & I <3\nMany returns", points=100)
    assert send_due() == (1, 0, 0)
    mail = sink.mails[0]
    assert sink.recipients == [message.member.email]
    assert (mail["Subject"], mail["To"]) == ("Happy birthday, Aino!", message.member.email)
    assert "You & I <3\nMany returns" in mail.get_body(("plain",)).get_content().replace("\r\n", "\n")
    assert state(message) == ("sent", "", 1)
    assert message.sent_at == NOON
    assert (message.subject, message.body) == ("Happy birthday, Aino!", "You & I <3\nMany returns")
    assert message.cost == Decimal("0.0012")
    assert message.provider_id == mail["Message-ID"]
    told = Event.objects.get(name="message.sent")
    assert (told.member_id, told.occurred_at) == (message.member_id, NOON)
    assert told.facts == {
        "message_id": message.pk, "campaign_id": message.campaign_id, "occasion": message.occasion, "channel": "email",
    }  # fmt: skip


def test_a_second_round_sends_nothing_again(sink: Sink) -> None:
    MessageFactory()
    assert send_due() == (1, 0, 0)
    assert send_due(NOON + MINUTE) == (0, 0, 0)
    assert not dispatch.has_work(at=NOON + MINUTE)
    assert len(sink.mails) == 1


def test_a_message_waits_for_its_time(sink: Sink) -> None:
    MessageFactory(due_at=NOON + MINUTE)
    assert send_due() == (0, 0, 0)
    assert send_due(NOON + MINUTE) == (1, 0, 0)


def test_the_mail_is_in_the_members_language(sink: Sink) -> None:
    MessageFactory(language="fi", subject="Hyvää syntymäpäivää, Åke!", body="Onnea!")
    send_due()
    mail = sink.mails[0]
    assert mail["Subject"] == "Hyvää syntymäpäivää, Åke!"
    assert mail.get_content().strip() == "Onnea!"


def test_an_opt_out_between_queueing_and_sending_is_respected(sink: Sink) -> None:
    message = MessageFactory()
    set_consent(
        member_id=message.member_id,
        purpose="marketing",
        channel="email",
        granted=False,
        source="portal",
        at=NOON,
    )
    assert send_due() == (0, 1, 0)
    assert state(message) == ("skipped", "consent_withdrawn", 1)
    assert sink.mails == []
    assert not Event.objects.filter(name="message.sent").exists()


@pytest.mark.parametrize("channel", ["email", "inbox"])
def test_an_erased_member_gets_nothing_that_was_queued(sink: Sink, channel: str) -> None:
    message = MessageFactory(channel=channel)
    Member.objects.filter(pk=message.member_id).update(status="erased")
    assert send_due() == (0, 1, 0)
    assert state(message) == ("skipped", "not_a_member", 1)
    assert sink.mails == []


def test_the_inbox_shows_a_message_by_marking_it(sink: Sink) -> None:
    message = MessageFactory(channel="inbox", reason="no_consent", member=celebrant(agrees=False))
    assert send_due() == (1, 0, 0)
    assert state(message) == ("sent", "no_consent", 1)
    assert sink.mails == []


def test_a_passing_refusal_is_tried_again_with_growing_pauses_and_then_given_up(sink: Sink) -> None:
    sink.on_recipient = lambda address: "451 Greylisted, come back later"
    message = MessageFactory()
    at = NOON
    for attempt, pause in enumerate(dispatch.BACK_OFF, 1):
        assert send_due(at) == (0, 0, 1)
        assert state(message) == ("due", "retrying", attempt)
        assert message.detail == "451 Greylisted, come back later"
        assert message.due_at == at + pause
        assert send_due(at + pause - dt.timedelta(seconds=1)) == (0, 0, 0)
        at += pause
    assert send_due(at) == (0, 0, 1)
    assert state(message) == ("failed", "gave_up", len(dispatch.BACK_OFF) + 1)


def test_a_message_that_got_through_at_last_keeps_no_reason(sink: Sink) -> None:
    sink.on_recipient = lambda address: "451 Not now"
    message = MessageFactory()
    send_due()
    sink.on_recipient = lambda address: "250 OK"
    assert send_due(NOON + MINUTE) == (1, 0, 0)
    assert state(message) == ("sent", "", 2)
    assert message.detail == ""


@pytest.mark.parametrize("step", ["on_recipient", "on_data"])
def test_a_final_refusal_fails_at_once_and_the_next_message_goes_out(sink: Sink, step: str) -> None:
    answers = iter(["550 No such user", *["250 OK"] * 9])
    setattr(sink, step, lambda *_address: next(answers))
    refused, other = MessageFactory(), MessageFactory()
    assert send_due() == (1, 0, 1)
    assert state(refused) == ("failed", "refused", 1)
    assert refused.detail == "550 No such user"
    assert state(other) == ("sent", "", 1)


@pytest.mark.parametrize("manner", ["hang_up_at", "silent_at"])
def test_a_connection_lost_before_the_text_is_tried_again(sink: Sink, manner: str) -> None:
    setattr(sink, manner, "MAIL")
    message = MessageFactory()
    assert send_due() == (0, 0, 1)
    assert state(message)[:2] == ("due", "retrying")
    setattr(sink, manner, "")
    assert send_due(NOON + MINUTE) == (1, 0, 0)
    assert len(sink.mails) == 1


@pytest.mark.parametrize("manner", ["hang_up_at", "silent_at"])
def test_a_connection_lost_after_the_text_leaves_the_outcome_unknown(sink: Sink, manner: str) -> None:
    setattr(sink, manner, "DATA")
    message = MessageFactory()
    assert send_due() == (0, 0, 1)
    assert state(message) == ("unknown", "lost", 1)
    setattr(sink, manner, "")
    assert send_due(NOON + 60 * MINUTE) == (0, 0, 0)
    assert len(sink.mails) == 1


def test_a_connection_gone_stale_between_two_messages_costs_no_try(
    sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver = EmailChannel.deliver

    def deliver_and_break(channel: EmailChannel, *message: Any) -> str:
        number = deliver(channel, *message)
        channel._smtp().sock.close()  # type: ignore[union-attr]
        return number

    monkeypatch.setattr(EmailChannel, "deliver", deliver_and_break)
    messages = [MessageFactory(), MessageFactory()]
    assert send_due() == (2, 0, 0)
    assert [state(message) for message in messages] == [("sent", "", 1)] * 2
    assert len(sink.mails) == 2


def test_without_a_mail_server_mails_stay_due_and_the_inbox_goes_on(settings: Settings, sink: Sink) -> None:
    settings.EMAIL_PORT = 1
    mail, inbox = MessageFactory(), MessageFactory(channel="inbox")
    with pytest.raises(ChannelDown, match="mail server"):
        send_due()
    assert state(mail) == ("due", "", 0)
    assert state(inbox) == ("sent", "", 1)
    with pytest.raises(ChannelDown):
        send_due(NOON + dispatch.OVERDUE - MINUTE)
    assert send_due(NOON + dispatch.OVERDUE) == (0, 0, 1)
    assert state(mail) == ("failed", "gave_up", 0)


def test_one_message_that_cannot_be_written_does_not_hold_up_the_others(sink: Sink) -> None:
    first, poisoned, last = MessageFactory(), MessageFactory(subject="broken"), MessageFactory()
    assert send_due() == (2, 0, 1)
    assert state(poisoned) == ("failed", "error", 1)
    assert "ZeroDivisionError" in poisoned.detail
    assert [state(first), state(last)] == [("sent", "", 1)] * 2
    assert sink.recipients == [first.member.email, last.member.email]


def test_a_message_that_the_channel_chokes_on_does_not_hold_up_the_others(
    sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver = EmailChannel.deliver

    def choke(channel: EmailChannel, message: Message, *others: Any) -> str:
        if message.subject == "poison":
            raise UnicodeError("what is this")
        return deliver(channel, message, *others)

    monkeypatch.setattr(EmailChannel, "deliver", choke)
    poisoned, other = MessageFactory(subject="poison"), MessageFactory()
    assert send_due() == (1, 0, 1)
    assert state(poisoned)[:2] == ("failed", "error")
    assert sink.recipients == [other.member.email]


@pytest.mark.parametrize("breaks", ["\r\n", "\n", "\r"])
def test_a_line_break_in_a_name_makes_no_header_and_no_second_recipient(sink: Sink, breaks: str) -> None:
    message = MessageFactory(
        subject=f"Happy birthday, Aino{breaks}Bcc: victim@example.com{breaks}{breaks}Boo!"
    )
    send_due()
    assert sink.recipients in ([], [message.member.email])
    for mail in sink.mails:
        assert mail["Bcc"] is None
        assert "\n" not in mail["Subject"]
    assert state(message)[0] in {"sent", "failed"}


def test_a_round_ends_when_its_time_is_up(sink: Sink) -> None:
    MessageFactory.create_batch(3)
    moments = (NOON + dt.timedelta(seconds=tick) for tick in range(99))
    dispatch.dispatch(now=lambda: next(moments), run=recorder(), until=NOON + dt.timedelta(seconds=8))
    assert 0 < len(sink.mails) < 3


def test_mail_into_files_works_alike(home: Any, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    MessageFactory.create_batch(2)
    assert send_due() == (2, 0, 0)
    written = "".join(path.read_text() for path in (home / "mail").iterdir())
    assert written.count("Subject: Happy birthday, Aino!") == 2
