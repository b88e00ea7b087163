"""The wider choice of events, and that no campaign sets itself off by what it sent or gave."""

import datetime as dt
from typing import Any

import pytest

from campaigns import lifecycle, trigger_events, triggers
from campaigns.models import Campaign, Trigger
from loyalty import conditions
from loyalty.conditions import subject
from loyalty.events.models import Event
from tests.factories.campaigns import MessageFactory, celebrant
from tests.factories.deciding import mailing, no_caps
from tests.factories.members import NOON
from tests.factories.vouchers import voucher, voucher_family

pytestmark = pytest.mark.django_db
BEFORE = NOON - dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def _checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("campaigns.rendering.checks.problems", lambda campaign: [])


def waiting(event: str, **facts: Any) -> Campaign:
    no_caps()
    campaign = mailing(kind="triggered", occasion="event", event=event, **facts)
    return lifecycle.submit(campaign_id=campaign.pk, staff_id=None, at=BEFORE)


def heard(name: str, **facts: Any) -> int:
    event = Event.objects.create(name=name, member_id=celebrant().pk, occurred_at=NOON, facts=facts)
    return triggers.notice([event])


TOLD: dict[str, dict[str, Any]] = {
    "activity.refunded": {"amount": "12.50", "points": 12, "status": "posted"},
    "points.earned": {"points": 30, "total": "30.00", "kind": "purchase", "activity": "x"},
    "points.expired": {"points": 40},
    "voucher.expired": {"family": "five-off", "voucher": "0190a000-0000-7000-8000-000000000000"},
    "draw.entered": {"draw": "spring", "number": 1, "chances": 3},
    "message.opened": {"campaign_id": 0, "message_id": 1, "occasion": "once"},
    "message.clicked": {
        "campaign_id": 0,
        "message_id": 1,
        "occasion": "once",
        "link": "https://example.org/",
    },
}


@pytest.mark.parametrize("name", TOLD)
def test_staff_may_choose_it_and_it_sets_a_campaign_off(name: str) -> None:
    assert name in dict(trigger_events.choices())
    assert name in trigger_events.HEARD
    waiting(name)
    assert heard(name, **TOLD[name]) == 1


@pytest.mark.parametrize("name", [name for name in TOLD if not name.startswith("message.")])
def test_every_field_it_declares_is_told(name: str) -> None:
    event = trigger_events.find(name)
    assert event is not None
    assert {field.name for field in event.fields} <= set(TOLD[name])


def test_a_condition_on_the_campaign_of_the_message_is_met_by_its_code() -> None:
    event = trigger_events.find("message.clicked")
    assert event is not None
    other = mailing(code="other")
    field = subject(event.subject).field("campaign")
    assert field is not None
    assert "other" in dict(field.options())
    condition = conditions.parse(
        {"field": "campaign", "op": "eq", "value": "other"}, event.subject, check_choices=False
    )
    told = [({"campaign_id": pk, "link": "x"}, NOON) for pk in (other.pk, 0)]
    assert trigger_events.judge(event, condition, told) == [True, False]


@pytest.mark.parametrize("name", ["message.opened", "message.clicked"])
def test_its_own_messages_do_not_set_a_campaign_off(name: str) -> None:
    campaign = waiting(name)
    assert heard(name, campaign_id=campaign.pk) == 0
    assert heard(name, campaign_id=mailing(code="other").pk) == 1


def test_openings_make_no_chain_and_clicks_may() -> None:
    one = waiting("message.opened", code="one")
    waiting("message.opened", code="two")
    assert heard("message.opened", campaign_id=one.pk) == 0
    three = waiting("message.clicked", code="three")
    waiting("message.clicked", code="four")
    assert heard("message.clicked", campaign_id=three.pk) == 1


@pytest.mark.parametrize("name", ["points.earned", "voucher.issued"])
@pytest.mark.parametrize("source", ["campaigns.message", "campaigns.birthday"])
def test_what_campaigns_give_sets_off_no_campaign(name: str, source: str) -> None:
    waiting(name)
    assert heard(name, source=source, points=5, family="x") == 0
    assert heard(name, source="rewards.challenge", points=5, family="x") == 1


@pytest.mark.parametrize("name", ["voucher.expired", "voucher.redeemed"])
def test_a_voucher_it_gave_itself_sets_only_others_off(name: str) -> None:
    campaign = waiting(name, code="own")
    message = MessageFactory(campaign=campaign)
    given = voucher(voucher_family(), source="campaigns.message", source_id=message.pk)
    assert heard(name, voucher=str(given.public_id)) == 0
    other = waiting(name, code="another")
    assert heard(name, voucher=str(given.public_id)) == 1
    assert Trigger.objects.get().campaign == other
