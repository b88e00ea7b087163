"""What happened, heard of, waited out and decided about: once each, by its conditions, for the audience."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns import lifecycle, trigger_events, triggers
from campaigns.audience import campaigns_for_segment
from campaigns.models import Campaign, Message, Trigger
from loyalty import conditions
from loyalty.events.models import Event
from members.activities import LineFacts
from members.models import Activity, Member
from members.privacy import erase
from rewards.refund_parts import Order
from rewards.refunds import refund
from tests.factories.campaigns import celebrant, recorder
from tests.factories.deciding import mailing, no_caps
from tests.factories.members import NOON
from tests.factories.rewards import purchase

pytestmark = pytest.mark.django_db
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
BEFORE = NOON - DAY


@pytest.fixture(autouse=True)
def _checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("campaigns.rendering.checks.problems", lambda campaign: [])


def waiting(event: str, **facts: Any) -> Campaign:
    """A campaign that has waited for an event since the day before."""
    no_caps()
    campaign = mailing(kind="triggered", occasion="event", event=event, **facts)
    return lifecycle.submit(campaign_id=campaign.pk, staff_id=None, at=BEFORE)


def happened(what: str, who: Member, at: dt.datetime = NOON, **facts: Any) -> Event:
    return Event.objects.create(name=what, member_id=who.pk, occurred_at=at, facts=facts)


def heard(*events: Event) -> int:
    return triggers.notice(list(events))


def settle(at: dt.datetime = NOON) -> tuple[int, int, int]:
    """How many go out, do not, and failed."""
    run = recorder(at)
    triggers.settle_due(now=lambda: at, run=run, until=at + HOUR)
    return run.row.done, run.row.skipped, run.row.failed


def test_a_new_member_is_welcomed_once_after_the_delay() -> None:
    campaign = waiting("member.enrolled", delay_minutes=60)
    who = celebrant()
    event = happened("member.enrolled", who, source="portal")
    assert (heard(event), heard(event)) == (1, 0)
    assert settle(NOON + HOUR - dt.timedelta(seconds=1)) == (0, 0, 0)
    assert settle(NOON + HOUR) == (1, 0, 0)
    message = Message.objects.get()
    assert (message.campaign, message.member, message.occasion) == (campaign, who, f"event:{event.pk}")
    assert (message.facts, message.due_at) == ({"source": "portal"}, NOON + HOUR)
    assert not Trigger.objects.exists()
    assert heard(event) == 0
    assert settle(NOON + 2 * HOUR) == (0, 0, 0)


def test_only_what_happens_after_the_start_and_before_the_end_counts() -> None:
    waiting("member.enrolled", ends_at=NOON + DAY)
    who = celebrant()
    assert heard(happened("member.enrolled", who, BEFORE - HOUR)) == 0
    assert heard(happened("member.enrolled", who, NOON + DAY)) == 0
    assert heard(happened("member.enrolled", who, BEFORE)) == 1


def test_without_a_campaign_that_listens_hearing_costs_one_look() -> None:
    Campaign.objects.all().update(status="draft")
    events = [happened("member.enrolled", celebrant()) for _ in range(3)]
    with CaptureQueriesContext(connection) as captured:
        assert heard(*events) == 0
    assert len(captured) == 1


def test_hearing_and_settling_cost_the_same_for_one_and_for_many() -> None:
    waiting("member.enrolled", bonus_points=5)
    who = [celebrant() for _ in range(20)]

    def cost(*members: Member) -> tuple[int, int]:
        events = [happened("member.enrolled", each) for each in members]
        with CaptureQueriesContext(connection) as hearing:
            heard(*events)
        with CaptureQueriesContext(connection) as settling:
            settle()
        return len(hearing), len(settling)

    cost(*who)
    assert cost(who[0]) == cost(*who)
    assert Message.objects.count() == 41


def test_facts_that_do_not_fit_are_passed_over_at_once() -> None:
    waiting("tier.changed", event_conditions={"field": "direction", "op": "eq", "value": "up"})
    who = celebrant()
    up = happened("tier.changed", who, **{"from": "bronze", "to": "silver"})
    down = happened("tier.changed", who, **{"from": "gold", "to": "silver"})
    assert heard(up, down) == 1
    assert Trigger.objects.get().facts["to"] == "silver"
    assert settle() == (1, 0, 0)


def test_members_who_filled_a_new_segment_did_not_join_it() -> None:
    waiting("segment.joined", event_conditions={"field": "segment", "op": "eq", "value": "loyal"})
    who = celebrant()
    assert heard(happened("segment.joined", who, segment="loyal", filling=True)) == 0
    assert heard(happened("segment.joined", who, segment="lost", filling=False)) == 0
    assert heard(happened("segment.joined", who, segment="loyal", filling=False)) == 1


def bought(who: Member, sku: str, at: dt.datetime = NOON, **facts: Any) -> Event:
    """A purchase of one product, and what was announced of it."""
    line = LineFacts(sku, "COFFEE", "FOOD", Decimal(1), Decimal("8.00"))
    purchase(who, total="8.00", at=at, lines=(line,), **facts)
    return Event.objects.filter(name="activity.recorded").latest("pk")


BEANS = {"lines": {"where": {"field": "sku", "op": "eq", "value": "BEANS"}}}


def test_conditions_look_at_the_lines_of_a_purchase() -> None:
    waiting("activity.recorded", event_conditions=BEANS)
    coffee, tea = celebrant(), celebrant()
    heard(bought(coffee, "BEANS"), bought(tea, "TEA"))
    assert settle() == (1, 0, 0)
    message = Message.objects.get()
    assert message.member == coffee
    assert message.facts["activity"] == str(Activity.objects.get(member=coffee).public_id)
    assert not Trigger.objects.exists()


def test_a_purchase_returned_before_the_delay_is_over_is_not_written_about() -> None:
    waiting("activity.recorded", event_conditions=BEANS, delay_minutes=60)
    who = celebrant()
    heard(bought(who, "BEANS"))
    activity = Activity.objects.get(member=who)
    refund(activity_id=activity.pk, external_id="back-1", order=Order(everything=True), at=NOON)
    assert settle(NOON + HOUR) == (0, 0, 0)
    assert not Trigger.objects.exists()


def test_the_audience_is_that_of_the_moment_of_sending() -> None:
    waiting("member.enrolled", delay_minutes=60, audience={"field": "language", "op": "eq", "value": "fi"})
    stays, leaves, comes = (celebrant(language=language) for language in ("fi", "fi", "sv"))
    heard(*(happened("member.enrolled", each) for each in (stays, leaves, comes)))
    Member.objects.filter(pk=leaves.pk).update(language="sv")
    Member.objects.filter(pk=comes.pk).update(language="fi")
    assert settle(NOON + HOUR) == (2, 0, 0)
    assert set(Message.objects.values_list("member", flat=True)) == {stays.pk, comes.pk}


def test_an_outage_is_made_good_within_the_look_back_and_told_of_after_it() -> None:
    """The worker is away for days: younger events are written about, older ones put down as too late."""
    waiting("member.enrolled", look_back_days=3)
    events = [happened("member.enrolled", celebrant(), NOON - hours * HOUR) for hours in (0, 12)]
    heard(*events)
    assert settle(NOON + 3 * DAY) == (1, 1, 0)
    reasons = dict(Message.objects.values_list("member_id", "reason"))
    assert reasons == {events[0].member_id: "", events[1].member_id: "too_late"}


def test_what_happens_during_a_pause_goes_out_when_it_is_over() -> None:
    campaign = waiting("member.enrolled", look_back_days=3)
    lifecycle.pause(campaign_id=campaign.pk, staff_id=None, at=BEFORE)
    old, fresh = (
        happened("member.enrolled", celebrant()),
        happened("member.enrolled", celebrant(), NOON + 5 * DAY),
    )
    assert heard(old, fresh) == 2
    assert settle(NOON + 5 * DAY) == (0, 0, 0)
    lifecycle.resume(campaign_id=campaign.pk, staff_id=None, at=NOON + 5 * DAY)
    assert settle(NOON + 5 * DAY) == (1, 0, 0)
    assert Message.objects.get().member_id == fresh.member_id
    assert not Trigger.objects.exists()


def test_a_challenge_is_nearly_done_once_however_often_it_is_told() -> None:
    waiting("challenge.nearly_done")
    who = celebrant()
    facts = {"challenge": "explorer", "round": 1, "percent": 80}
    assert heard(happened("challenge.nearly_done", who, **facts)) == 1
    assert settle() == (1, 0, 0)
    assert heard(happened("challenge.nearly_done", who, **facts)) == 0
    assert heard(happened("challenge.nearly_done", who, **(facts | {"round": 2}))) == 1


def test_a_partners_own_event_is_waited_for_by_its_name() -> None:
    many = {"field": "total", "op": "ge", "value": "50"}
    waiting("partner.cart_abandoned", event_conditions=many)
    who = celebrant()
    cart, small, other = (
        happened("partner.event", who, name=name, total=total)
        for name, total in (("cart_abandoned", "50.00"), ("cart_abandoned", "49.99"), ("booked", "90.00"))
    )
    assert heard(cart, small, other) == 1
    assert settle() == (1, 0, 0)
    assert Message.objects.get().occasion == f"event:{cart.pk}"


def test_what_cannot_be_decided_is_tried_again_and_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting("member.enrolled")
    poisoned, other = celebrant(), celebrant()
    heard(happened("member.enrolled", poisoned), happened("member.enrolled", other))
    original = triggers.decide

    def deciding(campaign: Campaign, candidates: Any, **facts: Any) -> Any:
        fit = [each for each in candidates if each.member_id != poisoned.pk]
        decided = original(campaign, fit, **facts)
        return decided + type(decided)(failed=len(candidates) - len(fit))

    monkeypatch.setattr(triggers, "decide", deciding)
    assert settle() == (1, 0, 1)
    assert Trigger.objects.get().member == poisoned
    monkeypatch.setattr(triggers, "decide", original)
    assert settle(NOON + HOUR) == (1, 0, 0)


def test_conditions_that_cannot_be_read_any_more_halt_the_campaign() -> None:
    campaign = waiting("activity.recorded")
    heard(bought(celebrant(), "BEANS"))
    Campaign.objects.filter(pk=campaign.pk).update(event_conditions={"field": "shoe", "op": "eq", "value": 1})
    assert settle() == (0, 0, 0)
    campaign.refresh_from_db()
    assert (campaign.status, bool(campaign.problem)) == ("paused", True)
    Campaign.objects.filter(pk=campaign.pk).update(event_conditions={})
    lifecycle.resume(campaign_id=campaign.pk, staff_id=None, at=NOON)
    assert settle() == (1, 0, 0)


def test_nothing_waits_any_more_for_a_member_who_is_erased() -> None:
    waiting("member.enrolled", delay_minutes=60)
    who = celebrant()
    heard(happened("member.enrolled", who))
    erase(member_id=who.pk, source="portal", at=NOON)
    assert not Trigger.objects.exists()


def test_every_event_can_be_asked_about_and_has_a_name_in_words() -> None:
    for name, label in trigger_events.choices():
        event = trigger_events.find(name)
        assert event is not None
        assert str(label)
        assert conditions.subject(event.subject).fields(), name


def test_a_segment_that_a_campaign_names_is_in_use() -> None:
    campaign = mailing(audience={"field": "segments", "op": "contains", "value": "loyal"})
    assert campaigns_for_segment("loyal") == [str(campaign)]
    assert campaigns_for_segment("lost") == []
    Campaign.objects.filter(pk=campaign.pk).update(status="sent")
    assert campaigns_for_segment("loyal") == []
