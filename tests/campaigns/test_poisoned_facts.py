"""What partners tell may be anything that JSON can hold: it never keeps other members from their messages."""

import datetime as dt
from typing import Any

import pytest

from campaigns import triggers
from campaigns.dispatch import rounds
from campaigns.models import Campaign, Message, Text, Trigger, Variant
from loyalty.events.models import Event
from members.models import Member
from tests.campaigns.dispatching import send_due, state
from tests.factories.campaigns import MessageFactory, celebrant
from tests.factories.deciding import mailing, no_caps
from tests.factories.members import NOON

pytestmark = pytest.mark.django_db
NEVER_AN_ID = "gggggggg-gggg-gggg-gggg-gggggggggggg"


def says(body: str) -> tuple[Campaign, Variant]:
    """A running campaign whose one text says this."""
    campaign = mailing(status="running", kind="triggered", occasion="event", event="partner.booked")
    variant = campaign.variants.get()
    Text.objects.filter(variant=variant).update(body=body)
    return campaign, variant


@pytest.mark.parametrize(
    ("body", "facts"),
    [
        ("{{ activity.store }}", {"activity": NEVER_AN_ID}),
        ("{{ activity.store }}", {"activity_id": [1]}),
        ("{{ reward.name }}", {"reward_id": [1]}),
        ("{{ reward.name }}", {"reward_id": {"a": 1}}),
        ("{{ expiring.points }}", {"points": 5, "expires_at": "2026-02-30T10:00:00Z"}),
    ],
)
def test_facts_that_mean_nothing_here_are_as_if_they_were_not_told(body: str, facts: dict[str, Any]) -> None:
    no_caps()
    campaign, variant = says(f"Hello {body}")
    told = MessageFactory(campaign=campaign, variant=variant, arm="treated", channel="inbox", facts=facts)
    other = MessageFactory(campaign=campaign, variant=variant, arm="treated", channel="inbox")
    assert send_due() == (2, 0, 0)
    assert [state(each)[0] for each in (told, other)] == ["sent", "sent"]


def test_a_message_whose_facts_cannot_be_read_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    no_caps()
    campaign, variant = says("Hello")
    rows = [
        MessageFactory(campaign=campaign, variant=variant, arm="treated", channel="inbox")
        for _each in range(5)
    ]
    load = rounds.context.load

    def breaks(messages: Any, *, at: dt.datetime) -> Any:
        if rows[2].pk in {each.pk for each in messages}:
            raise ZeroDivisionError("nothing can be made of this")
        return load(messages, at=at)

    monkeypatch.setattr(rounds.context, "load", breaks)
    assert send_due() == (4, 0, 1)
    assert [state(each)[:2] for each in rows] == [("sent", "")] * 2 + [("failed", "error")] + [
        ("sent", "")
    ] * 2


@pytest.mark.parametrize("total", ["NaN", "sNaN", "many", [1], True])
def test_an_amount_that_is_none_is_not_known(total: Any) -> None:
    mailing(
        status="running",
        kind="triggered",
        occasion="event",
        event="partner.booked",
        event_conditions={"field": "total", "op": "gt", "value": 5},
    )

    def booked(who: Member, **facts: Any) -> Event:
        told = {"name": "booked", **facts}
        return Event.objects.create(name="partner.event", member_id=who.pk, occurred_at=NOON, facts=told)

    meant = celebrant()
    assert triggers.notice([booked(celebrant(), total=total), booked(meant, total="7.50")]) == 1
    assert Trigger.objects.get().member == meant
    assert not Message.objects.exists()
