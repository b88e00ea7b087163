"""What a campaign gives besides words: to those it writes to, once each, keyed by the message."""

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns import awards, lifecycle, rounds
from campaigns.models import Campaign, Message, Round
from loyalty.events.models import Event
from members.models import Segment, SegmentMember
from rewards import verification
from rewards.models import Account, Transfer, Voucher
from tests.factories.campaigns import celebrant, recorder
from tests.factories.deciding import mailing, no_caps
from tests.factories.members import NOON
from tests.factories.vouchers import pooled, voucher_family

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def _checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("campaigns.rendering.checks.problems", lambda campaign: [])


def send(at: dt.datetime = NOON, **facts: Any) -> Campaign:
    """A one-off to everybody, decided about."""
    no_caps()
    campaign = mailing(**facts)
    lifecycle.submit(campaign_id=campaign.pk, staff_id=None, at=at)
    decide(at)
    return campaign


def decide(at: dt.datetime = NOON) -> None:
    rounds.begin_due(at=at)
    rounds.decide_open(now=lambda: at, run=recorder(at), until=at + HOUR)


def test_points_go_to_those_who_are_written_to_and_to_nobody_else() -> None:
    written, silent = celebrant(), celebrant(agrees=False)
    send(bonus_points=30)
    balances = dict(Account.objects.filter(kind="available", balance__gt=0).values_list("member", "balance"))
    assert balances == {written.pk: 30}
    message = Message.objects.get(member=written)
    transfer = Transfer.objects.get()
    assert (transfer.source, transfer.source_id) == ("campaigns.message", message.pk)
    assert Message.objects.get(member=silent).points == 0
    assert Event.objects.get(name="points.earned").facts["points"] == 30
    assert verification.verify(at=NOON) == []


def test_whoever_is_held_out_gets_nothing() -> None:
    for _ in range(3):
        celebrant()
    send(bonus_points=30, voucher_family=voucher_family(), hold_out_percent=100)
    assert set(Message.objects.values_list("status", flat=True)) == {"held_out"}
    assert (Transfer.objects.count(), Voucher.objects.count()) == (0, 0)


def test_giving_again_for_the_same_messages_gives_nothing_more() -> None:
    celebrant()
    campaign = send(bonus_points=30, voucher_family=voucher_family())
    code = Voucher.objects.get().code
    awards.give(campaign, list(Message.objects.all()), at=NOON + HOUR)
    assert (Transfer.objects.count(), Voucher.objects.count()) == (1, 1)
    assert Message.objects.get().facts["voucher"]["code"] == code


def test_a_voucher_reaches_the_texts_by_the_messages_facts() -> None:
    who = celebrant()
    send(voucher_family=voucher_family(value="7.50"))
    voucher = Voucher.objects.get()
    assert voucher.member == who
    assert Message.objects.get().facts == {
        "voucher": {"code": voucher.code, "value": "7.50", "expires_at": None}
    }


def test_members_are_put_on_the_list_once() -> None:
    vips = Segment.objects.create(code="vips", names={"en": "VIPs"}, kind="list", created_at=NOON)
    first, second = celebrant(), celebrant()
    SegmentMember.objects.create(segment=vips, member=first, joined_at=NOON)
    send(add_to_list=vips)
    assert set(vips.memberships.values_list("member", flat=True)) == {first.pk, second.pk}
    joined = Event.objects.filter(name="segment.joined")
    assert [event.member_id for event in joined] == [second.pk]


def test_a_list_archived_meanwhile_takes_nobody_and_stops_nothing() -> None:
    vips = Segment.objects.create(code="vips", names={"en": "VIPs"}, kind="list", created_at=NOON)
    celebrant()
    campaign = mailing(add_to_list=vips)
    lifecycle.submit(campaign_id=campaign.pk, staff_id=None, at=NOON)
    Segment.objects.filter(pk=vips.pk).update(is_active=False)
    decide()
    assert (Message.objects.get().status, vips.memberships.count()) == ("due", 0)


def test_a_pool_that_runs_short_halts_the_campaign_until_it_is_filled() -> None:
    for _ in range(3):
        celebrant()
    family = voucher_family(source="pool")
    pooled(family, "A-1", "A-2")
    campaign = send(voucher_family=family)
    campaign.refresh_from_db()
    assert (campaign.status, Message.objects.count(), Voucher.objects.filter(state="active").count()) == (
        "paused",
        0,
        0,
    )
    assert "2" in campaign.problem
    pooled(family, "A-3")
    lifecycle.resume(campaign_id=campaign.pk, staff_id=None, at=NOON)
    decide()
    assert Message.objects.filter(facts__voucher__code__startswith="A-").count() == 3
    assert Round.objects.get().status == "decided"


def test_points_of_a_page_cost_the_same_for_few_and_for_many() -> None:
    members = [celebrant() for _ in range(12)]
    campaign = send(bonus_points=1)

    def cost(count: int, start: int) -> int:
        new = Message.objects.bulk_create(
            Message(
                member=who, campaign=campaign, occasion=f"more:{start}", channel="email", language="en", points=5,
                created_at=NOON, due_at=NOON,
            )
            for who in members[:count]
        )  # fmt: skip
        with CaptureQueriesContext(connection) as captured:
            awards.give(campaign, new, at=NOON)
        return len(captured)

    assert cost(1, start=1) == cost(12, start=2)
    assert verification.verify(at=NOON) == []
