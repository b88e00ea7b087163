"""Claims: who gets what in which order, and what becomes of a sender's messages when it stops half-way."""

import datetime as dt
import threading
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns import dispatch, lifecycle
from campaigns.channels.base import ChannelDown
from campaigns.channels.null import NullChannel
from campaigns.dispatch import claiming, rounds
from campaigns.models import Campaign, Message, OpenClaim, Variant
from tests.campaigns.dispatching import HOUR, MINUTE, campaign_like, claim, plain, send_due, set_policy, state
from tests.factories.campaigns import MessageFactory, birthday_campaign, recorder
from tests.factories.members import NOON

__all__ = ["plain"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("plain")]


@pytest.fixture
def null(monkeypatch: pytest.MonkeyPatch) -> NullChannel:
    """E-mail leads nowhere."""
    channel = NullChannel()
    monkeypatch.setattr(rounds, "CHANNELS", {"email": lambda: channel})
    return channel


def after(channel: NullChannel, count: int, act: Callable[[], Any]) -> None:
    """Have something happen while the message of that number is handed over."""
    deliver = channel.deliver

    def deliver_and_act(*message: Any) -> str:
        number = deliver(*message)
        if channel.count == count:
            act()
        return number

    channel.deliver = deliver_and_act  # type: ignore[method-assign]


def states(messages: list[Message]) -> list[tuple[str, str, int]]:
    return [state(message) for message in messages]


def test_a_batch_is_claimed_at_once_and_by_one_sender() -> None:
    messages = MessageFactory.create_batch(5)
    assert claim(limit=3) == messages[:3]
    assert claim(limit=3) == messages[3:]
    assert claim() == []
    assert states(messages) == [("sending", "", 1)] * 5
    assert len({message.claim for message in messages}) == 2


def test_the_more_important_campaign_goes_first_and_what_goes_to_all_last() -> None:
    birthday = birthday_campaign(priority=50)
    news = campaign_like(birthday_campaign(), "news", kind="one_off", occasion="", status="sending")
    urgent = campaign_like(birthday_campaign(), "urgent", priority=90)
    of_news = MessageFactory(campaign=news, due_at=NOON - HOUR)
    of_birthday = MessageFactory(campaign=birthday, due_at=NOON)
    of_urgent = MessageFactory(campaign=urgent, due_at=NOON)
    assert [claim() for _ in range(4)] == [[of_urgent], [of_birthday], [of_news], []]


def test_those_due_longest_are_claimed_first_and_handed_over_in_the_order_of_ids(null: NullChannel) -> None:
    late = MessageFactory(due_at=NOON)
    early = MessageFactory.create_batch(2, due_at=NOON - HOUR)
    assert claim(limit=2) == early
    assert claim(limit=2) == [late]


@pytest.mark.parametrize(
    "status", ["draft", "awaiting", "scheduled", "paused", "sent", "cancelled", "failed"]
)
def test_a_campaign_that_is_not_going_sends_nothing(status: str) -> None:
    MessageFactory(campaign=birthday_campaign(status=status))
    assert not dispatch.has_work(at=NOON)
    assert claim() == []


def test_a_channel_that_is_not_in_use_sends_nothing(null: NullChannel) -> None:
    message = MessageFactory()
    set_policy("email", is_active=False)
    assert send_due() == (0, 0, 0)
    assert state(message) == ("due", "", 0)


def test_who_waits_for_the_winner_of_a_test_is_never_claimed() -> None:
    waiting = MessageFactory(arm="treated")
    assert not dispatch.has_work(at=NOON + HOUR)
    assert claim(at=NOON + HOUR) == []
    waiting.variant = Variant.objects.filter(campaign=waiting.campaign).first()
    assert waiting.variant is not None
    waiting.save()
    assert claim(at=NOON + HOUR) == [waiting]


def test_due_messages_are_found_by_their_index() -> None:
    """Others wait for a winner, or for another day: looking for work must not walk over them."""
    one = MessageFactory(status="sent")
    same = {
        "member": one.member,
        "campaign": one.campaign,
        "language": "fi",
        "created_at": NOON,
        "due_at": NOON,
    }
    Message.objects.bulk_create(
        Message(**same, occasion=f"test:of-{number}", channel="email", arm="treated") for number in range(500)
    )
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {Message._meta.db_table}")
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        cursor.execute("EXPLAIN " + rounds._WITH_WORK, [NOON])
        looked = "\n".join(row[0] for row in cursor.fetchall())
        facts = {
            "channel": "email",
            "at": NOON,
            "claim": uuid.uuid4(),
            "limit": 9,
            "campaign": one.campaign_id,
        }
        cursor.execute("EXPLAIN " + claiming._CLAIM, facts)
        claimed = "\n".join(row[0] for row in cursor.fetchall())
    assert "Scan using message_waiting" in looked
    assert "Scan using message_waiting" in claimed


def test_a_pause_takes_effect_with_the_next_message(null: NullChannel) -> None:
    messages = MessageFactory.create_batch(5)
    after(null, 2, lambda: lifecycle.pause(campaign_id=messages[0].campaign_id, staff_id=None, at=NOON))
    assert send_due() == (2, 0, 0)
    assert states(messages) == [("sent", "", 1)] * 2 + [("due", "", 0)] * 3
    assert send_due(NOON + MINUTE) == (0, 0, 0)
    Campaign.objects.update(status="running")
    assert send_due(NOON + MINUTE) == (3, 0, 0)
    assert null.handed_over == [message.pk for message in messages]


def test_what_a_sender_holds_is_not_sent_once_its_campaign_is_cancelled(null: NullChannel) -> None:
    messages = MessageFactory.create_batch(3)
    after(null, 1, lambda: lifecycle.cancel(campaign_id=messages[0].campaign_id, staff_id=None, at=NOON))
    send_due()
    assert states(messages) == [("sent", "", 1)] + [("skipped", "cancelled", 0)] * 2


def test_a_passing_error_of_a_cancelled_campaign_is_not_tried_again() -> None:
    message = MessageFactory(reason="retrying", attempts=1, campaign=birthday_campaign(status="cancelled"))
    assert send_due() == (0, 1, 0)
    assert state(message) == ("skipped", "cancelled", 1)


def test_of_a_dead_senders_claim_only_the_first_without_a_mark_is_unclear(null: NullChannel) -> None:
    messages = MessageFactory.create_batch(4)
    claim()
    Message.objects.filter(pk=messages[0].pk).update(status="sent")
    run = recorder()
    dispatch.recovery.recover(at=NOON, run=run)  # type: ignore[attr-defined]
    assert run.row.failed == 1
    assert states(messages) == [("sent", "", 1), ("unknown", "lost", 1), ("due", "", 0), ("due", "", 0)]
    assert send_due() == (2, 0, 0)
    assert null.handed_over == [messages[2].pk, messages[3].pk]


def test_after_a_crash_of_the_database_server_all_without_a_mark_are_unclear(null: NullChannel) -> None:
    messages = MessageFactory.create_batch(3)
    claim()
    Message.objects.filter(pk=messages[0].pk).update(status="sent")
    OpenClaim.objects.all().delete()  # what the server does with a table that is not logged
    dispatch.recovery.recover(at=NOON, run=recorder())  # type: ignore[attr-defined]
    assert states(messages) == [("sent", "", 1), ("unknown", "lost", 1), ("unknown", "lost", 1)]


def test_claims_are_kept_where_a_crash_empties_them_and_end_with_their_sender(null: NullChannel) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relpersistence FROM pg_class WHERE relname = %s", [OpenClaim._meta.db_table])
        assert cursor.fetchone() == ("u",)
    MessageFactory.create_batch(2)
    assert send_due() == (2, 0, 0)
    assert not OpenClaim.objects.exists()


def test_a_sender_waits_for_the_disk_at_its_claims_and_not_at_its_marks(null: NullChannel) -> None:
    MessageFactory()
    with CaptureQueriesContext(
        connection,
    ) as said:
        send_due()
    order = [
        word
        for query in said.captured_queries
        for word in (
            "SET synchronous_commit TO off",
            "SET LOCAL synchronous_commit TO on",
            "claim = ",
            "RESET",
        )
        if word in (query["sql"] or "")
    ]
    assert order[:3] == ["SET synchronous_commit TO off", "SET LOCAL synchronous_commit TO on", "claim = "]
    assert order[-1] == "RESET"


def test_where_the_policy_says_so_the_unclear_one_is_sent_again_but_not_for_ever(null: NullChannel) -> None:
    set_policy("email", unknown="retry")
    message = MessageFactory()
    for tried in range(1, claiming.TRIES + 1):
        assert claim() == [message]
        assert dispatch.has_work(at=NOON)
        dispatch.recovery.recover(at=NOON, run=recorder())  # type: ignore[attr-defined]
        assert state(message) == ("due", "retrying", tried)
    claim()
    dispatch.recovery.recover(at=NOON, run=recorder())  # type: ignore[attr-defined]
    assert state(message) == ("unknown", "lost", claiming.TRIES + 1)


def test_nothing_of_the_inbox_is_unclear_for_nothing_left_the_house() -> None:
    messages = MessageFactory.create_batch(3, channel="inbox", member__consents=())
    claim("inbox")
    assert send_due() == (3, 0, 0)
    assert states(messages) == [("sent", "", 1)] * 3


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit, MemoryError])
def test_a_sender_that_is_stopped_while_handing_over_leaves_one_unclear(
    null: NullChannel, end: type[BaseException]
) -> None:
    messages = MessageFactory.create_batch(3)

    def stop() -> None:
        raise end

    after(null, 2, stop)
    if issubclass(end, Exception):
        assert send_due() == (2, 0, 1)
        assert states(messages) == [("sent", "", 1), ("failed", "error", 1), ("sent", "", 1)]
        return
    with pytest.raises(end):
        send_due()
    assert states(messages) == [("sent", "", 1), ("unknown", "lost", 1), ("due", "", 0)]


def test_a_channel_that_goes_down_within_a_batch_gives_the_rest_back(null: NullChannel) -> None:
    messages = MessageFactory.create_batch(3)

    def go_down() -> None:
        def ready() -> None:
            raise ChannelDown("no more")

        null.ready = ready  # type: ignore[method-assign]

    after(null, 1, go_down)
    with pytest.raises(ChannelDown):
        send_due()
    assert states(messages) == [("sent", "", 1)] + [("due", "", 0)] * 2


def test_a_sender_gives_back_what_it_has_held_for_too_long(null: NullChannel) -> None:
    messages = MessageFactory.create_batch(5)
    moments = (NOON + dt.timedelta(seconds=50 * tick) for tick in range(99))
    run = recorder()
    with claiming.taken(channel="email", at=NOON, limit=9) as held:
        rounds._Sender(held, null, lambda: next(moments), run, NOON + HOUR).send()
    assert 0 < run.row.done < 5
    assert states(messages) == [("sent", "", 1)] * run.row.done + [("due", "", 0)] * (5 - run.row.done)


def test_a_sender_whose_claim_was_taken_away_hands_over_nothing_more(null: NullChannel) -> None:
    messages = MessageFactory.create_batch(3)
    after(null, 1, lambda: claiming.give_back(messages_claim(messages[0]), unclear=None))
    with claiming.taken(channel="email", at=NOON, limit=9) as held, pytest.raises(rounds.ClaimLost):
        rounds._Sender(held, null, lambda: NOON, recorder(), NOON + HOUR).send()
    assert null.count == 1
    assert states(messages) == [("due", "", 0)] * 3


def test_a_claim_given_up_as_unknown_still_takes_its_true_outcome(null: NullChannel) -> None:
    message = MessageFactory()
    after(null, 1, lambda: claiming.give_back(messages_claim(message), unclear=message.pk))
    assert send_due() == (1, 0, 0)
    assert state(message) == ("sent", "", 1)


def test_the_age_of_a_claim_settles_it_when_its_senders_session_never_ends(null: NullChannel) -> None:
    message = MessageFactory()
    old = Message.objects.filter(pk=message.pk)
    old.update(status="sending", claim=uuid.uuid4(), claimed_at=NOON - dispatch.CLAIM_TIMEOUT, attempts=1)
    assert dispatch.has_work(at=NOON)
    assert send_due() == (0, 0, 1)
    assert state(message) == ("unknown", "lost", 1)


@pytest.mark.parametrize("channel", ["email", "inbox"])
def test_the_number_of_statements_grows_by_one_a_message_that_leaves_the_house(channel: str) -> None:
    def statements(count: int) -> int:
        MessageFactory.create_batch(count, channel=channel)
        sender = NullChannel()
        sender.marks_together = channel == "inbox"  # type: ignore[misc]
        with CaptureQueriesContext(
            connection,
        ) as queries:
            rounds.send_due(sender, channel, now=lambda: NOON, run=recorder(), until=NOON + HOUR)
        return len(queries)

    assert statements(31) - statements(1) == (30 if channel == "email" else 0)


def messages_claim(message: Message) -> uuid.UUID:
    found = Message.objects.values_list("claim", flat=True).get(pk=message.pk)
    assert found is not None
    return found


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_living_senders_claim_is_left_alone_and_four_senders_share_the_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    messages = MessageFactory.create_batch(60)
    handed_over: list[int] = []
    monkeypatch.setattr(claiming, "BATCH", 7)
    monkeypatch.setattr(
        NullChannel, "deliver", lambda _channel, message, *_: str(handed_over.append(message.pk))
    )
    monkeypatch.setattr(rounds, "CHANNELS", {"email": NullChannel})
    together = threading.Barrier(4)

    def work() -> None:
        try:
            together.wait(10)
            for _ in range(3):  # each round begins with the search for dead senders
                dispatch.dispatch(now=lambda: NOON, run=recorder(), until=NOON + MINUTE)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(handed_over) == [message.pk for message in messages]
    assert set(Message.objects.values_list("status", "attempts")) == {("sent", 1)}


def test_a_channel_put_out_of_use_in_mid_round_is_not_claimed_from_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row = MessageFactory()
    claims = []
    take = claiming.take

    def put_out_of_use(*args: Any, **facts: Any) -> list[Message]:
        claimed = take(*args, **facts)
        claims.append(len(claimed))
        set_policy("email", is_active=False)
        return claimed

    monkeypatch.setattr(claiming, "take", put_out_of_use)
    send_due()
    assert claims == [1, 0]
    assert state(row) == ("due", "", 0)
