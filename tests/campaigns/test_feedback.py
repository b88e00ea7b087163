"""What services tell of messages: each notice once, with what follows from it and nothing else."""

import datetime as dt
from typing import Any

import pytest

from campaigns import feedback
from campaigns.feedback import Notice, Taken, take
from campaigns.models import Feedback, Message, MessagePreference, SendingPolicy, Suppression
from campaigns.suppression import suppressed
from loyalty.events.models import Event
from members.consents import ConsentGiven, has_consent
from members.models import ConsentChange, Member
from members.models.consent import ConsentChannel, Purpose
from members.privacy import erase
from tests.factories.campaigns import BY_EMAIL, MessageFactory, birthday_campaign, celebrant
from tests.factories.members import NOON

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
Kind = Feedback.Kind
SURVEYS = ConsentGiven(purpose=Purpose.SURVEYS, channel=ConsentChannel.EMAIL)


@pytest.fixture
def message() -> Message:
    """A message that went out by a service an hour ago."""
    return sent(celebrant(email="aino@example.com"))


def sent(to: Member, number: str = "mg-1", **facts: Any) -> Message:
    facts = {"status": "sent", "sent_at": NOON - DAY / 24, "provider_id": number} | facts
    return MessageFactory(member=to, **facts)


def tell(kind: str, key: str = "n-1", *, source: str = "mail", **facts: Any) -> Taken:
    facts = {"provider_id": "mg-1", "channel": "email", "at": NOON} | facts
    at = max(NOON, facts["at"])
    return take(source=source, notices=[Notice(kind=kind, key=key, **facts)], at=at)


def state(message: Message) -> tuple[str, str, str]:
    message.refresh_from_db()
    return message.status, message.reason, message.detail


def test_a_bounce_fails_the_message_and_puts_the_address_down(message: Message) -> None:
    assert tell(Kind.BOUNCE, detail="550 no such user") == Taken(1, 0)
    assert state(message) == ("failed", "bounced", "550 no such user")
    assert suppressed("email", ["aino@example.com"])
    row = Suppression.objects.get()
    assert (row.reason, row.member_id, row.detail) == ("bounce", message.member_id, "550 no such user")
    assert has_consent(message.member_id, "marketing", "email")  # they still agree; only the address is wrong


def test_a_repeated_notice_is_taken_once(message: Message) -> None:
    """Fault 45."""
    assert tell(Kind.BOUNCE) == Taken(1, 0)
    Suppression.objects.all().delete()
    Message.objects.update(status="sent", reason="")
    assert tell(Kind.BOUNCE) == Taken(0, 1)
    assert not Suppression.objects.exists()
    assert state(message) == ("sent", "", "")
    assert tell(Kind.BOUNCE, source="another") == Taken(1, 0)  # numbers are each source's own


def test_a_complaint_also_ends_the_consent(message: Message) -> None:
    tell(Kind.COMPLAINT)
    assert Suppression.objects.get().reason == "complaint"
    assert not has_consent(message.member_id, "marketing", "email")
    change = ConsentChange.objects.filter(member=message.member_id).latest("pk")
    assert (change.granted, change.source) == (False, "message")
    assert state(message)[0] == "sent"  # it did arrive


def test_a_complaint_of_no_known_message_ends_all_consents_of_the_address() -> None:
    aino = celebrant(email="aino@example.com", consents=(BY_EMAIL, SURVEYS))
    eino = celebrant(email="eino@example.com")
    tell(Kind.COMPLAINT, provider_id="", address="Aino@example.com")
    assert not has_consent(aino.pk, "marketing", "email")
    assert not has_consent(aino.pk, "surveys", "email")
    assert has_consent(eino.pk, "marketing", "email")
    assert suppressed("email", ["aino@example.com"])


def test_unsubscribing_at_the_service_ends_that_consent_alone() -> None:
    aino = celebrant(email="aino@example.com", consents=(BY_EMAIL, SURVEYS))
    sent(aino)
    tell(Kind.UNSUBSCRIBE)
    assert not has_consent(aino.pk, "marketing", "email")
    assert has_consent(aino.pk, "surveys", "email")
    assert not Suppression.objects.exists()


def test_a_delivery_is_noted(message: Message) -> None:
    tell(Kind.DELIVERED)
    assert Feedback.objects.get().message == message
    assert state(message) == ("sent", "", "")


def test_a_delivery_settles_an_unknown_outcome(message: Message) -> None:
    Message.objects.update(status="unknown", reason="lost", sent_at=None)
    tell(Kind.DELIVERED)
    assert state(message) == ("sent", "", "")
    assert message.sent_at == NOON
    assert Event.objects.get(name="message.sent").facts["message_id"] == message.pk
    tell(Kind.DELIVERED, key="n-2")
    assert Event.objects.filter(name="message.sent").count() == 1


@pytest.mark.parametrize("status", ["due", "skipped", "held_out"])
def test_a_bounce_changes_nothing_that_was_never_sent(message: Message, status: str) -> None:
    Message.objects.update(status=status)
    tell(Kind.BOUNCE)
    assert state(message) == (status, "", "")


def test_a_bounce_that_comes_before_the_mark_stands(message: Message) -> None:
    Message.objects.update(status="sending", provider_id="")
    tell(Kind.BOUNCE, message_id=str(message.public_id))
    assert state(message)[:2] == ("failed", "bounced")


def test_what_comes_back_for_now_counts_by_message_and_month() -> None:
    aino = celebrant(email="aino@example.com")
    for number in (1, 2, 3):
        sent(aino, f"mg-{number}")
    for key in ("a", "b", "c"):  # one message, tried by the service again and again
        tell(Kind.PASSING, key=key)
    tell(Kind.PASSING, key="d", provider_id="mg-2", at=NOON + DAY)
    assert not Suppression.objects.exists()
    tell(Kind.PASSING, key="e", provider_id="mg-3", at=NOON + 2 * DAY)
    assert suppressed("email", ["aino@example.com"])
    assert {message.status for message in Message.objects.all()} == {"sent"}


def test_what_came_back_long_ago_is_forgiven() -> None:
    aino = celebrant(email="aino@example.com")
    for number, days in enumerate((0, 15, 31)):
        sent(aino, f"mg-{number}")
        tell(Kind.PASSING, key=str(number), provider_id=f"mg-{number}", at=NOON + days * DAY)
    assert not Suppression.objects.exists()


def test_passing_troubles_of_an_old_address_do_not_fall_on_the_new_one() -> None:
    aino = celebrant(email="aino@example.com")
    for number in range(3):
        sent(aino, f"mg-{number}")
        if number == 2:
            Member.objects.filter(pk=aino.pk).update(email="new@example.com")
        tell(Kind.PASSING, key=str(number), provider_id=f"mg-{number}")
    assert not Suppression.objects.exists()


@pytest.mark.parametrize(
    "name",
    ["provider_id", "public_id", "message-id", "webhook-id"],
)
def test_the_message_is_found_by_any_of_its_numbers(message: Message, name: str) -> None:
    numbers = {
        "provider_id": "mg-1",
        "public_id": str(message.public_id),
        "message-id": f"<kantis-{message.pk}@example.org>",
        "webhook-id": f"msg_{message.public_id.hex}",
    }
    tell(Kind.DELIVERED, provider_id=numbers[name], message_id="")
    assert Feedback.objects.get().message == message


@pytest.mark.parametrize("number", ["", "x", "<kantis-@x>", "kantis-0@x", f"<kantis-{9**17}@x>", "a" * 500])
def test_numbers_of_no_message_find_none(message: Message, number: str) -> None:
    tell(Kind.BOUNCE, provider_id=number, address="who@example.com")
    assert Feedback.objects.get().message is None
    assert suppressed("email", ["who@example.com"])
    assert state(message)[0] == "sent"


def test_a_message_by_another_channel_is_not_meant(message: Message) -> None:
    tell(Kind.BOUNCE, channel="sms", address="+358401234567")
    assert state(message)[0] == "sent"


def test_opening_and_following_are_noted_the_first_time(message: Message) -> None:
    SendingPolicy.objects.update_or_create(pk=1, defaults={"track_opens": True})
    tell(Kind.OPEN, key="1")
    tell(Kind.OPEN, key="2", at=NOON + DAY)
    tell(Kind.CLICK, key="3")
    message.refresh_from_db()
    assert (message.opened_at, message.clicked_at) == (NOON, NOON)


def test_opening_and_following_are_announced_once_as_our_own_links_do(message: Message) -> None:
    SendingPolicy.objects.update_or_create(pk=1, defaults={"track_opens": True})
    for key, kind in enumerate((Kind.OPEN, Kind.OPEN, Kind.CLICK, Kind.CLICK)):
        tell(kind, key=str(key), at=NOON + key * DAY)
    told = Event.objects.filter(name__in=["message.opened", "message.clicked"]).order_by("pk")
    assert list(told.values_list("name", "member_id", "facts__message_id", "occurred_at")) == [
        ("message.opened", message.member_id, message.pk, NOON),
        ("message.clicked", message.member_id, message.pk, NOON + 2 * DAY),
    ]
    assert told[1].facts["link"] == ""


def test_opening_is_not_counted_unless_the_house_says_so(message: Message) -> None:
    SendingPolicy.objects.update_or_create(pk=1, defaults={"track_opens": False})
    assert tell(Kind.OPEN) == Taken(0, 1)
    assert not Feedback.objects.exists()


def test_nothing_of_reading_is_kept_of_members_who_do_not_want_it(message: Message) -> None:
    SendingPolicy.objects.update_or_create(pk=1, defaults={"track_opens": True})
    MessagePreference.objects.create(member=message.member, no_tracking=True, changed_at=NOON)
    for kind in (Kind.OPEN, Kind.CLICK):
        tell(kind, key=kind)
    message.refresh_from_db()
    assert (message.opened_at, message.clicked_at) == (None, None)
    assert not Feedback.objects.exists()


def test_no_moment_lies_in_the_future(message: Message) -> None:
    notice = Notice(kind=Kind.DELIVERED, key="1", channel="email", at=NOON + DAY, provider_id="mg-1")
    take(source="mail", notices=[notice], at=NOON)
    assert Feedback.objects.get().happened_at == NOON


def test_who_complains_of_a_service_message_wants_no_other_either() -> None:
    aino = celebrant(email="aino@example.com", consents=(BY_EMAIL, SURVEYS))
    sent(aino, campaign=birthday_campaign(purpose="service"))
    tell(Kind.COMPLAINT)
    assert Suppression.objects.get().reason == "complaint"
    assert not has_consent(aino.pk, "marketing", "email")
    assert not has_consent(aino.pk, "surveys", "email")


def test_a_member_who_leaves_takes_the_words_along_and_the_hash_stays(message: Message) -> None:
    tell(Kind.BOUNCE, detail="550 aino@example.com unknown")
    erase(member_id=message.member_id, source="portal", at=NOON + DAY)
    row, told = Suppression.objects.get(), Feedback.objects.get()
    assert (row.member_id, row.detail) == (None, "")
    assert (told.detail, told.address_hash) == ("", "")
    assert suppressed("email", ["aino@example.com"])


def test_two_notices_too_many_is_the_rule() -> None:
    assert (feedback.PASSING_AT_MOST, feedback.PASSING_WITHIN) == (2, 30 * DAY)
