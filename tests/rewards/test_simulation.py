"""Simulating an activity: the answer of recording it, and not a row written."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from members import kinds
from members.activities import ActivityConflict, LineFacts
from members.models import Member
from rewards import terms
from rewards.earning import Outcome, record_and_reward
from rewards.ledger import Balance
from rewards.simulation import ANYBODY, NOT_RECORDED, simulate
from tests.rewards import random_terms
from tests.rewards.random_terms import HOUR, START, activity, people

pytestmark = pytest.mark.django_db
BUN = LineFacts("bun", "PASTRY", "Food", Decimal(1), Decimal("1200.00"))


def rows() -> dict[str, int]:
    return {model._meta.label: model._default_manager.count() for model in apps.get_models()}


def unnamed(outcome: Outcome) -> Outcome:
    return replace(outcome, activity_id=NOT_RECORDED)


def test_it_answers_as_recording_would_and_writes_nothing() -> None:
    partner, (aino, _bo) = people()
    new = activity(partner, aino, 1, START, "purchase", (BUN,))
    before = rows()
    told = simulate(new, at=START)
    assert rows() == before
    assert (told.available, told.balance, told.tier_code) == (1200, Balance(available=1200), "silver")
    assert told == unnamed(record_and_reward(new, at=START))


def test_a_store_never_heard_of_stays_so() -> None:
    partner, (aino, _bo) = people()
    before = rows()
    simulate(
        replace(activity(partner, aino, 1, START, "purchase", (BUN,)), store="new", channel="new"), at=START
    )
    assert rows() == before


def test_somebody_new_is_judged_at_the_lowest_tier() -> None:
    partner, (aino, _bo) = people()
    told = simulate(
        replace(activity(partner, aino, 1, START, "purchase", (BUN,)), member_id=ANYBODY), at=START
    )
    assert [(reason.rule, reason.points) for reason in told.reasons] == [("base", 1200)]
    assert told.tier_code == "silver"


def test_in_two_years_the_terms_and_points_of_then_count() -> None:
    partner, (aino, _bo) = people()
    record_and_reward(activity(partner, aino, 1, START, "purchase", (BUN,)), at=START)
    soon = simulate(activity(partner, aino, 2, START + HOUR, "purchase", (BUN,)), at=START)
    assert [reason.rule for reason in soon.reasons] == ["base", "tier bonus"]
    Member.objects.filter(pk=aino.pk).update(tier_since=START + 2 * HOUR)
    later = simulate(activity(partner, aino, 2, START - 400 * 24 * HOUR, "purchase", (BUN,)), at=START)
    assert [reason.rule for reason in later.reasons] == ["base"]


def test_a_recorded_id_answers_as_a_replay() -> None:
    partner, (aino, _bo) = people()
    new = activity(partner, aino, 1, START, "purchase", (BUN,))
    record_and_reward(new, at=START)
    assert simulate(new, at=START) == unnamed(record_and_reward(new, at=START))
    with pytest.raises(ActivityConflict):
        simulate(replace(new, total=Decimal(1)), at=START)


@given(rules=st.lists(random_terms.rules, max_size=4), events=st.lists(random_terms.happenings, max_size=8))
def test_it_equals_recording_whatever_the_rules(rules: list[dict[str, Any]], events: list[Any]) -> None:
    with transaction.atomic():
        for number, facts in enumerate(rules):
            random_terms.make_rule(number, facts)
        partner, members = people()
        kinds.forget()
        at = START
        for number, (who, hours, late, kind, lines) in enumerate(events):
            new = activity(partner, members[who], number, START + hours * HOUR, kind, lines)
            at = max(at, new.occurred_at + late * HOUR) + dt.timedelta(seconds=1)
            assert simulate(new, at=at) == unnamed(record_and_reward(new, at=at))
        transaction.set_rollback(True)
    terms.forget()
