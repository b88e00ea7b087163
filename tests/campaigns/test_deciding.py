"""Deciding about a campaign's candidates: what is written down about each, and that it is written down once."""

import datetime as dt
import gc
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from campaigns import awards, deciding, suppression
from campaigns.deciding import Decided, decide
from campaigns.models import Campaign, Message, MessagePreference, PushSubscription, Round
from members.consents import ConsentGiven
from members.models import Member
from rewards.models import Transfer
from tests.campaigns.dispatching import plain, send_due
from tests.campaigns.smtp_sink import Sink
from tests.factories.campaigns import celebrant
from tests.factories.deciding import candidate, channel_policy, mailing, no_caps
from tests.factories.members import NOON

__all__ = ["plain"]

HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)
TO_SEND = {"due", "sending", "sent", "unknown"}

pytestmark = pytest.mark.django_db
committing = pytest.mark.django_db(transaction=True, serialized_rollback=True)


def states(**of: Any) -> list[tuple[str, str]]:
    """Status and reason of messages, in the order of members."""
    messages = Message.objects.filter(**of).order_by("member_id", "pk")
    return list(messages.values_list("status", "reason"))


def state(campaign: Campaign) -> tuple[str, str, str]:
    message = Message.objects.get(campaign=campaign)
    return message.status, message.reason, message.detail


def in_parallel(calls: Sequence[Callable[[], Decided]]) -> list[Decided]:
    """What the calls return, each made by a thread with a connection of its own."""

    def made(call: Callable[[], Decided]) -> Decided:
        try:
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(made, calls))


# --- Once -------------------------------------------------------------------------------------------------------------


def test_a_candidate_who_agrees_is_written_to_once_however_often_it_is_decided() -> None:
    who, campaign = celebrant(), mailing()
    round_ = Round.objects.create(campaign=campaign, occasion="once", at=NOON, started_at=NOON)
    first = decide(campaign, [candidate(who, facts={"word": "Ä"})], at=NOON, round_id=round_.pk)
    again = decide(campaign, [candidate(who), candidate(who)], at=NOON + HOUR)
    assert (first, again) == (Decided(to_send=1), Decided())
    message = Message.objects.get()
    assert (message.status, message.channel, message.arm, message.due_at) == ("due", "email", "treated", NOON)
    assert (message.facts, message.variant_id) == ({"word": "Ä"}, campaign.variants.get().pk)
    assert (message.language, message.reason, message.points, message.round) == ("en", "", 0, round_)
    assert (message.created_at, message.attempts, message.content, message.sent_at) == (NOON, 0, {}, None)


def test_a_candidate_given_twice_in_a_page_is_decided_about_once_and_each_occasion_by_itself() -> None:
    no_caps()
    who, campaign = celebrant(), mailing()
    page = [candidate(who), candidate(who), candidate(who, occasion="other")]
    assert decide(campaign, page, at=NOON) == Decided(to_send=2)
    assert decide(campaign, [], at=NOON) == Decided()


def test_nobody_is_decided_about_who_is_not_there() -> None:
    assert decide(mailing(), [deciding.Candidate(999_999, "once", NOON)], at=NOON) == Decided()


@committing
def test_of_many_who_decide_about_one_page_at_once_each_row_is_somebodys() -> None:
    no_caps()
    members = [celebrant() for _number in range(20)]
    campaign = mailing(bonus_points=5, hold_out_percent=30)
    page = [candidate(who) for who in members]
    results = in_parallel([lambda: decide(campaign, page, at=NOON)] * 5)
    total = sum(results, Decided())
    assert (total.to_send + total.held_out, total.not_sent, total.failed) == (20, 0, 0)
    assert Counter(results)[Decided()] == 4
    assert Message.objects.filter(campaign=campaign).count() == 20
    given = Transfer.objects.filter(occasion__startswith="campaigns.message:")
    assert given.count() == Message.objects.filter(status="due").count() == total.to_send


# --- Why not ----------------------------------------------------------------------------------------------------------


def test_what_is_known_of_members_decides_who_is_written_to_and_how() -> None:
    channel_policy("push")
    campaign = mailing(channels=["push", "email", "inbox"])
    members = {
        "agrees": celebrant(),
        "takes notifications": celebrant(consents=(ConsentGiven(purpose="marketing", channel="push"),)),
        "no longer takes them": celebrant(consents=(ConsentGiven(purpose="marketing", channel="push"),)),
        "agrees to surveys": celebrant(consents=(ConsentGiven(purpose="surveys", channel="email"),)),
        "has no address": celebrant(email=""),
        "bounced": celebrant(email="Bounced@example.com"),
        "pauses": celebrant(),
        "left": celebrant(),
        "prefers the portal": celebrant(),
    }
    for name, gone_at in {"takes notifications": None, "no longer takes them": NOON}.items():
        PushSubscription.objects.create(
            member=members[name], endpoint=name, endpoint_hash=name, created_at=NOON, gone_at=gone_at
        )
    suppression.suppress(channel="email", address="bounced@example.com", reason="bounce", at=NOON)
    wishes = {"pauses": {"paused_until": NOON + DAY}, "prefers the portal": {"preferred_channel": "inbox"}}
    for name, wish in wishes.items():
        MessagePreference.objects.create(member=members[name], changed_at=NOON, **wish)
    Member.objects.filter(pk=members["left"].pk).update(status=Member.Status.CLOSED)

    result = decide(campaign, [candidate(who) for who in members.values()], at=NOON)

    rows = {row.member_id: (row.status, row.channel, row.reason) for row in Message.objects.all()}
    assert {name: rows[who.pk] for name, who in members.items()} == {
        "agrees": ("due", "email", ""),
        "takes notifications": ("due", "push", ""),
        "no longer takes them": ("due", "inbox", "no_consent"),
        "agrees to surveys": ("due", "inbox", "no_consent"),
        "has no address": ("due", "inbox", "no_address"),
        "bounced": ("due", "inbox", "suppressed"),
        "pauses": ("skipped", "push", "on_pause"),
        "left": ("skipped", "push", "not_a_member"),
        "prefers the portal": ("due", "inbox", ""),
    }
    assert result == Decided(to_send=7, not_sent=2)


def test_surveys_take_the_consent_to_surveys_and_service_takes_none() -> None:
    who = celebrant(agrees=False, consents=(ConsentGiven(purpose="surveys", channel="email"),))
    outcomes = {}
    for purpose in Campaign.Purpose.values:
        campaign = mailing(purpose=purpose)
        decide(campaign, [candidate(who)], at=NOON)
        outcomes[purpose] = state(campaign)
    assert outcomes == {
        "marketing": ("skipped", "no_channel", "email: no_consent"),
        "surveys": ("due", "", ""),
        "service": ("due", "", ""),
    }


def test_a_way_that_is_not_in_use_is_passed_over() -> None:
    campaign = mailing(channels=["sms", "inbox"])
    decide(campaign, [candidate(celebrant(phone="+358401234567"))], at=NOON)
    assert Message.objects.get().channel == "inbox"


def test_what_the_occasion_settled_itself_is_only_written_down() -> None:
    campaign = mailing(bonus_points=5, hold_out_percent=100)
    result = decide(campaign, [candidate(celebrant(), settled="too_late", points=7)], at=NOON)
    assert (result, state(campaign)) == (Decided(not_sent=1), ("skipped", "too_late", ""))
    message = Message.objects.get()
    assert (message.points, message.arm, message.variant, Transfer.objects.count()) == (0, "", None, 0)


def test_texts_that_not_every_variant_has_are_none_of_the_campaigns() -> None:
    campaign = mailing(variants=(1, 1, 0), languages=("fi", "en"))
    campaign.variants.get(code="B").texts.filter(language="en").delete()
    campaign.variants.get(code="C").texts.all().delete()
    decide(campaign, [candidate(celebrant(language="en"))], at=NOON)
    assert Message.objects.get().language == "fi"
    campaign.variants.get(code="B").texts.all().delete()
    decide(campaign, [candidate(celebrant(), occasion="later")], at=NOON)
    assert states(occasion="later") == [("skipped", "no_text")]


# --- Caps -------------------------------------------------------------------------------------------------------------


def test_a_member_who_got_as_many_as_they_may_gets_no_more_that_day() -> None:
    no_caps(per_day=2)
    who = celebrant()
    first, second, third, tomorrow = (mailing() for _number in range(4))
    for campaign in (first, second, third):
        decide(campaign, [candidate(who)], at=NOON)
    decide(tomorrow, [candidate(who, due_at=NOON + DAY)], at=NOON)
    assert states() == [("due", ""), ("due", ""), ("skipped", "capped"), ("due", "")]
    assert Message.objects.get(campaign=third).arm == ""


def test_two_messages_of_one_page_share_the_members_places() -> None:
    no_caps(per_week=1)
    who = celebrant()
    page = [candidate(who, occasion="event:1"), candidate(who, occasion="event:2")]
    assert decide(mailing(), page, at=NOON) == Decided(to_send=1, not_sent=1)
    assert states() == [("due", ""), ("skipped", "capped")]


@pytest.mark.parametrize("status", Message.Status.values)
def test_what_goes_out_or_may_have_gone_out_counts(status: str) -> None:
    no_caps(per_month=1)
    who, campaign = celebrant(), mailing()
    decide(mailing(), [candidate(who)], at=NOON)
    Message.objects.update(status=status)
    decide(campaign, [candidate(who, due_at=NOON + 10 * DAY)], at=NOON)
    assert state(campaign)[:2] == (("skipped", "capped") if status in TO_SEND else ("due", ""))


def test_the_portals_inbox_and_campaigns_beside_the_caps_take_no_places_and_need_none() -> None:
    no_caps(per_day=1)
    who = celebrant()
    free, portal, counted = mailing(ignores_caps=True), mailing(channels=["inbox"]), mailing()
    for campaign in (free, portal, counted, mailing(ignores_caps=True), mailing(channels=["inbox"])):
        decide(campaign, [candidate(who)], at=NOON)
    assert states() == [("due", "")] * 5
    last = mailing()
    decide(last, [candidate(who)], at=NOON)
    assert state(last)[:2] == ("skipped", "capped")


def test_one_channels_cap_leaves_the_others_alone() -> None:
    no_caps()
    channel_policy("sms", per_day=1, quiet_from=None, quiet_to=None)
    who = celebrant(
        phone="+358401234567",
        consents=tuple(ConsentGiven(purpose="marketing", channel=each) for each in ("email", "sms")),
    )
    for channel in ("sms", "sms", "email", "email"):
        decide(mailing(channels=[channel]), [candidate(who)], at=NOON)
    assert states() == [("due", ""), ("skipped", "capped"), ("due", ""), ("due", "")]


@pytest.mark.parametrize(
    ("zone", "gets_both"), [("Pacific/Kiritimati", True), ("Europe/Helsinki", False), ("Etc/GMT+12", False)]
)
def test_the_day_that_is_full_is_the_members_own(zone: str, gets_both: bool) -> None:
    """From 09:00 to 10:30 UTC on New Year's Eve a new year begins at UTC+14, and nowhere else."""
    no_caps(per_month=1)
    who = celebrant(time_zone=zone)
    morning = dt.datetime(2026, 12, 31, 9, 0, tzinfo=dt.UTC)
    for due_at in (morning, morning + 1.5 * HOUR):
        decide(mailing(), [candidate(who, due_at=due_at)], at=morning)
    assert states() == [("due", ""), ("due", "") if gets_both else ("skipped", "capped")]


@committing
def test_parallel_campaigns_never_exceed_a_members_cap_between_them() -> None:
    no_caps(per_day=2, per_week=3)
    members = [celebrant() for _number in range(12)]
    today = [mailing(priority=number % 3) for number in range(6)]
    tomorrow = [mailing(priority=number % 3) for number in range(4)]

    def deciding_of(campaign: Campaign, due_at: dt.datetime) -> Callable[[], Decided]:
        page = [candidate(who, due_at=due_at) for who in members]
        return lambda: decide(campaign, page, at=NOON)

    in_parallel(
        [deciding_of(each, NOON) for each in today] + [deciding_of(each, NOON + DAY) for each in tomorrow]
    )

    assert Message.objects.count() == 12 * 10
    for who in members:
        days = Counter(
            due_at.date() for due_at in who.messages.filter(status="due").values_list("due_at", flat=True)
        )
        assert days.total() == 3
        assert max(days.values()) <= 2


# --- What is more important -------------------------------------------------------------------------------------------


def test_a_message_that_is_less_important_and_still_waits_gives_way() -> None:
    no_caps(per_day=1)
    who = celebrant()
    lesser, equal, greater = mailing(priority=10), mailing(priority=50), mailing(priority=50, code="greater")
    decide(lesser, [candidate(who, due_at=NOON + 5 * HOUR)], at=NOON)
    assert decide(greater, [candidate(who)], at=NOON) == Decided(to_send=1)
    assert state(lesser) == ("skipped", "outranked", "greater")
    assert Message.objects.get(campaign=lesser).arm == "treated"
    decide(equal, [candidate(who)], at=NOON)
    assert state(equal)[:2] == ("skipped", "capped")


def test_nothing_gives_way_on_another_day_or_to_somebody_held_out() -> None:
    no_caps(per_day=1)
    who = celebrant()
    tomorrow, today = mailing(priority=1), mailing(priority=2)
    decide(tomorrow, [candidate(who, due_at=NOON + DAY)], at=NOON)
    decide(today, [candidate(who)], at=NOON)
    decide(mailing(priority=99, hold_out_percent=100), [candidate(who)], at=NOON)
    assert states() == [("due", ""), ("due", ""), ("held_out", "hold_out")]


@committing
def test_a_message_that_a_sender_has_just_taken_hold_of_keeps_its_place() -> None:
    no_caps(per_day=1)
    who = celebrant()
    lesser, greater = mailing(priority=10), mailing(priority=90)
    decide(lesser, [candidate(who)], at=NOON)

    with transaction.atomic():
        Message.objects.filter(campaign=lesser).update(status="sending")
        assert in_parallel([lambda: decide(greater, [candidate(who)], at=NOON)]) == [Decided(not_sent=1)]

    assert state(lesser)[0] == "sending"
    assert state(greater)[:2] == ("skipped", "capped")


@committing
def test_a_member_who_leaves_while_it_is_decided_is_not_written_to() -> None:
    who, campaign = celebrant(), mailing()
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Member.objects.select_for_update().get(pk=who.pk)
            decided = pool.submit(in_parallel, [lambda: decide(campaign, [candidate(who)], at=NOON)])
            with pytest.raises(TimeoutError):
                decided.result(timeout=0.3)
            Member.objects.filter(pk=who.pk).update(status=Member.Status.CLOSED)
        assert decided.result() == [Decided(not_sent=1)]
    assert states() == [("skipped", "not_a_member")]


# --- Quiet hours ------------------------------------------------------------------------------------------------------


def test_what_is_held_over_a_night_counts_on_the_day_it_goes_out() -> None:
    no_caps(per_day=1)
    channel_policy("email", quiet_from=dt.time(21), quiet_to=dt.time(9))
    who = celebrant()
    evening = dt.datetime(2026, 6, 15, 19, 30, tzinfo=dt.UTC)  # 22:30 in Helsinki
    held, next_day, today = mailing(), mailing(), mailing(ignores_quiet_hours=True)
    for campaign in (held, today):
        decide(campaign, [candidate(who, due_at=evening)], at=evening)
    decide(next_day, [candidate(who, due_at=evening + 12 * HOUR)], at=evening)
    message = Message.objects.get(campaign=held)
    assert (message.status, message.reason) == ("due", "quiet_hours")
    assert message.due_at == dt.datetime(2026, 6, 16, 6, 0, tzinfo=dt.UTC)
    assert state(today)[:2] == ("due", "")
    assert state(next_day)[:2] == ("skipped", "capped")


@pytest.mark.usefixtures("plain")
def test_a_message_held_over_midnight_goes_out_once_when_the_night_ends(sink: Sink) -> None:
    channel_policy("email", quiet_from=dt.time(21), quiet_to=dt.time(9))
    who, campaign = celebrant(), mailing(status="running", occasion="event", kind="triggered")
    evening = dt.datetime(2026, 6, 15, 20, 0, tzinfo=dt.UTC)  # 23:00 in Helsinki
    for moment in (evening, evening + HOUR, evening + 2 * HOUR):
        decide(campaign, [candidate(who, due_at=moment)], at=moment)
        assert send_due(moment) == (0, 0, 0)
    morning = dt.datetime(2026, 6, 16, 6, 0, tzinfo=dt.UTC)
    assert send_due(morning - dt.timedelta(minutes=1)) == (0, 0, 0)
    assert send_due(morning) == (1, 0, 0)
    decide(campaign, [candidate(who)], at=morning)
    assert send_due(morning + HOUR) == (0, 0, 0)
    assert sink.recipients == [who.email]


# --- Experiments ------------------------------------------------------------------------------------------------------


def test_a_member_stands_on_the_same_side_and_has_the_same_variant_on_every_occasion() -> None:
    no_caps()
    members = [celebrant() for _number in range(40)]
    campaign = mailing(variants=(1, 2), hold_out_percent=30, kind="recurring", occasion="schedule")
    for occasion in ("2026-06-15", "2026-06-22"):
        decide(campaign, [candidate(who, occasion=occasion) for who in members], at=NOON)
    sides = [
        list(Message.objects.filter(occasion=each).order_by("member_id").values_list("arm", "variant_id"))
        for each in ("2026-06-15", "2026-06-22")
    ]
    assert sides[0] == sides[1]
    assert {arm for arm, _variant in sides[0]} == {"treated", "held_out"}
    assert all((variant is None) == (arm == "held_out") for arm, variant in sides[0])


def test_who_is_held_out_gets_nothing_and_everybody_else_what_was_promised() -> None:
    no_caps()
    members = [celebrant() for _number in range(30)]
    campaign = mailing(bonus_points=25, hold_out_percent=40)
    result = decide(campaign, [candidate(who) for who in members], at=NOON)
    assert 0 < result.held_out < 30
    paid = Transfer.objects.filter(occasion__startswith="campaigns.message:")
    assert set(paid.values_list("member_id", flat=True)) == set(
        Message.objects.filter(arm="treated").values_list("member_id", flat=True)
    )
    assert set(Message.objects.filter(arm="held_out").values_list("points", "reason")) == {(0, "hold_out")}


def test_those_outside_a_test_wait_without_a_variant_until_the_winner_is_chosen() -> None:
    no_caps()
    members = [celebrant() for _number in range(30)]
    campaign = mailing(
        variants=(1, 1), test_percent=30, winner_by="click", winner_after_hours=4, started_at=NOON
    )
    decide(campaign, [candidate(who) for who in members], at=NOON)
    rows = {(row.variant is None, row.status, row.arm, row.due_at) for row in Message.objects.all()}
    assert rows == {(False, "due", "treated", NOON), (True, "due", "treated", NOON + 4 * HOUR)}
    campaign.winner = campaign.variants.get(code="B")
    late = celebrant()
    decide(campaign, [candidate(late)], at=NOON + 5 * HOUR)
    message = late.messages.get()
    assert (message.variant, message.due_at) == (campaign.winner, NOON + 5 * HOUR)


# --- One that breaks --------------------------------------------------------------------------------------------------


def test_a_candidate_that_cannot_be_written_down_costs_the_others_nothing() -> None:
    members = [celebrant() for _number in range(7)]
    page = [candidate(who) for who in members]
    page[4] = candidate(members[4], facts={"word": "\x00"})
    page[6] = candidate(members[6], points=-1)
    campaign = mailing()
    assert decide(campaign, page, at=NOON) == Decided(to_send=5, failed=2)
    assert set(Message.objects.values_list("member_id", flat=True)) == {
        each.pk for number, each in enumerate(members) if number not in {4, 6}
    }
    page[4] = candidate(members[4])
    assert decide(campaign, page, at=NOON) == Decided(to_send=1, failed=1)


def test_a_member_whose_clock_nobody_knows_costs_the_others_nothing() -> None:
    who, lost = celebrant(), celebrant()
    Member.objects.filter(pk=lost.pk).update(time_zone="Nowhere/Land")
    assert decide(mailing(), [candidate(lost), candidate(who)], at=NOON) == Decided(to_send=1, failed=1)
    assert [row.member_id for row in Message.objects.all()] == [who.pk]


def test_who_cannot_be_given_what_was_promised_has_no_message_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    members = [celebrant() for _number in range(4)]
    give = awards.give

    def giving(campaign: Campaign, messages: Sequence[Message], *, at: dt.datetime) -> None:
        give(campaign, messages, at=at)
        if any(message.member_id == members[2].pk for message in messages):
            raise LookupError("no more of that")

    monkeypatch.setattr(awards, "give", giving)
    result = decide(mailing(bonus_points=10), [candidate(who) for who in members], at=NOON)
    assert result == Decided(to_send=3, failed=1)
    assert not members[2].messages.exists()
    assert Transfer.objects.filter(occasion__startswith="campaigns.message:").count() == 3


# --- Cost -------------------------------------------------------------------------------------------------------------


def test_the_number_of_candidates_costs_no_statements() -> None:
    channel_policy("sms", quiet_from=None, quiet_to=None)
    counts = []
    for number in (1, 25):
        page = [candidate(celebrant(phone="+358401234567")) for _number in range(number)]
        campaign = mailing(variants=(1, 1), channels=["sms", "email", "inbox"], hold_out_percent=10)
        with CaptureQueriesContext(connection) as queries:
            decide(campaign, page, at=NOON)
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert counts[0] == 14, [query["sql"] for query in queries]


def test_a_page_leaves_the_collector_as_it_was() -> None:
    assert gc.isenabled()
    decide(mailing(), [candidate(celebrant(), facts={"word": "\x00"})], at=NOON)
    assert gc.isenabled()
