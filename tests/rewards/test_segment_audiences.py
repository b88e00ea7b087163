"""Earning rules and offers for the members of a segment, judged by who was in it at the time of the activity."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from members.activities import NewActivity
from members.models import Activity, Member
from members.segments.refresh import refresh
from rewards import offers, terms
from rewards.explanations import explain
from rewards.models import EarningRule, RuleRevision, Wallet
from rewards.refunds import Order, refund
from rewards.revisions import RuleTerms, revise_rule
from rewards.simulation import simulate
from tests.factories.members import NOON, member
from tests.factories.rewards import purchase
from tests.factories.segments import compare, segment

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
SWEDES = compare("language", "eq", "sv")
FOR_SWEDES = compare("member.segments", "contains", "swedes")


def make_rule(conditions: dict[str, Any] = FOR_SWEDES, **more: Any) -> RuleRevision:
    rule = EarningRule.objects.create(code="hej", names={"en": "Hej"})
    wallet_id = Wallet.objects.get(is_default=True).pk
    rule_terms = RuleTerms(
        wallet_id=wallet_id, effect="fixed", points=7, priority=100, conditions=conditions, **more
    )
    return revise_rule(rule_id=rule.pk, rule_terms=rule_terms, at=NOON - DAY)


def given(outcome: Any) -> dict[str, int]:
    return {reason.rule: reason.points for reason in outcome.reasons}


def leaves(who: Member, made: Any, *, at: dt.datetime) -> None:
    Member.objects.filter(pk=who.pk).update(language="fi")
    refresh(segment_id=made.pk, at=at)


def test_a_rule_for_a_segment_gives_to_its_members_only() -> None:
    aino, bo = member(language="sv"), member(language="fi")
    segment("swedes", SWEDES)
    make_rule()
    assert given(purchase(aino)) == {"base": 10, "hej": 7}
    assert given(purchase(bo)) == {"base": 10}


def test_what_counts_is_who_was_in_at_the_time_of_the_activity() -> None:
    aino = member(language="sv")
    made = segment("swedes", SWEDES)
    make_rule()
    leaves(aino, made, at=NOON + 2 * DAY)
    assert given(purchase(aino, at=NOON - DAY / 2)) == {"base": 10}
    assert given(purchase(aino, at=NOON + DAY)) == {"base": 10, "hej": 7}
    assert given(purchase(aino, at=NOON + 2 * DAY)) == {"base": 10}


def test_a_simulation_and_an_explanation_judge_the_same() -> None:
    aino = member(language="sv")
    made = segment("swedes", SWEDES)
    make_rule()
    outcome = purchase(aino, at=NOON + DAY)
    leaves(aino, made, at=NOON + 2 * DAY)
    activity = Activity.objects.select_related("store", "channel").get()
    assert {each.rule: each.points for each in explain(activity)} == {
        "base": 10,
        "hej": 7,
        "tier bonus": 0,
    }
    assert given(outcome) == {"base": 10, "hej": 7}
    for at, points in ((NOON + DAY, {"base": 10, "hej": 7}), (NOON + 3 * DAY, {"base": 10})):
        new = NewActivity(activity.partner_id, aino.pk, "", "purchase", at, "EUR", Decimal("10.00"))
        assert given(simulate(new, at=at)) == points


def test_a_full_refund_after_leaving_the_segment_takes_everything_back() -> None:
    aino = member(language="sv")
    made = segment("swedes", SWEDES)
    make_rule()
    purchase(aino, at=NOON + DAY)
    leaves(aino, made, at=NOON + 2 * DAY)
    half = Order(amount=Decimal("5.00"))
    partly = refund(activity_id=Activity.objects.get().pk, external_id="r1", order=half, at=NOON + 3 * DAY)
    assert partly.points == 5
    rest = refund(
        activity_id=Activity.objects.get().pk,
        external_id="r2",
        order=Order(everything=True),
        at=NOON + 3 * DAY,
    )
    assert rest.points == 12


def test_an_offer_is_open_to_the_segment() -> None:
    aino, bo = member(language="sv"), member(language="fi")
    segment("swedes", SWEDES)
    make_rule(needs_activation=True)
    assert [offer.code for offer in offers.offers_for(aino, at=NOON)] == ["hej"]
    assert offers.offers_for(bo, at=NOON) == []


def queries_of_a_purchase(who: Member) -> int:
    purchase(who)
    with CaptureQueriesContext(connection) as captured:
        purchase(who)
    return sum("members_segmentchange" in (query["sql"] or "") for query in captured.captured_queries)


def test_segments_are_read_only_when_a_rule_in_force_asks() -> None:
    aino = member(language="sv")
    segment("swedes", SWEDES)
    assert queries_of_a_purchase(aino) == 0
    make_rule()
    terms.forget()
    assert queries_of_a_purchase(aino) == 1


def test_rules_may_ask_of_a_member_what_is_gathered_and_nothing_else() -> None:
    from loyalty.conditions import subject

    offered = {field.name for field in subject("activity").fields() if field.name.startswith("member.")}
    assert offered == {
        "member.language",
        "member.age",
        "member.birthday_distance",
        "member.joined_at",
        "member.acquisition_channel",
        "member.segments",
    }
