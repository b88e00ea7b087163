"""On which side of an experiment a member stands."""

import datetime as dt
import uuid
from collections import Counter
from typing import Any

import pytest

from campaigns.experiments.assignment import Assignment, assignment_of, chosen_at, share_of
from campaigns.models import Campaign, SendingPolicy, Variant

MEMBERS = range(1, 20_001)
PUBLIC_ID = uuid.UUID("01980000-0000-7000-8000-000000000001")


def assignment(
    *, weights: tuple[int, ...] = (1,), percent: float = 0, global_percent: float = 0, **facts: Any
) -> Assignment:
    campaign = Campaign(public_id=PUBLIC_ID, hold_out_percent=percent, **facts)
    variants = [Variant(pk=number, weight=weight) for number, weight in enumerate(weights, start=1)]
    return assignment_of(campaign, SendingPolicy(global_hold_out_percent=global_percent), variants)


def held_out(assigned: Assignment) -> set[int]:
    return {member for member in MEMBERS if assigned.arm_of(member) == "held_out"}


def test_a_share_is_the_same_on_every_machine_and_for_good() -> None:
    assert share_of("experiment:hold-out", 1) == pytest.approx(0.5432167689, abs=1e-9)
    assert share_of("experiment:hold-out", 2) == pytest.approx(0.4604717022, abs=1e-9)


def test_shares_are_spread_evenly_and_below_one() -> None:
    tenths = Counter(int(share_of("spread", member) * 10) for member in MEMBERS)
    assert sorted(tenths) == list(range(10))
    assert all(1_850 < number < 2_150 for number in tenths.values())


def test_a_larger_hold_out_keeps_everybody_who_was_in_it() -> None:
    five, eight = held_out(assignment(percent=5)), held_out(assignment(percent=8))
    assert 900 < len(five) < 1_100
    assert five < eight
    assert held_out(assignment(percent=0)) == set()
    assert held_out(assignment(percent=100)) == set(MEMBERS)


def test_who_is_held_out_of_everything_does_not_depend_on_the_campaign() -> None:
    one = assignment(global_percent=10)
    other = assignment(global_percent=10, percent=50, code="other")
    everywhere = {member for member in MEMBERS if one.arm_of(member) == "global"}
    assert everywhere == {member for member in MEMBERS if other.arm_of(member) == "global"}
    assert 1_850 < len(everywhere) < 2_150
    assert len(held_out(other) & everywhere) == 0


def test_service_messages_are_kept_from_nobody_whatever_the_percentage() -> None:
    assigned = assignment(percent=100, purpose=Campaign.Purpose.SERVICE)
    assert assigned.arm_of(1) == "treated"


def test_service_messages_are_not_kept_from_those_held_out_of_everything() -> None:
    assigned = assignment(global_percent=100, purpose=Campaign.Purpose.SERVICE)
    assert assigned.arm_of(1) == "treated"


def test_variants_are_given_by_weight_to_each_member_the_same_way() -> None:
    assigned = assignment(weights=(1, 2, 0, 1))
    given = Counter(assigned.variant_of(member) for member in MEMBERS)
    assert sorted(given) == [1, 2, 4]
    assert given[2] == pytest.approx(10_000, rel=0.03)
    assert given[1] == pytest.approx(5_000, rel=0.05)
    again = assignment(weights=(1, 2, 0, 1))
    assert all(assigned.variant_of(member) == again.variant_of(member) for member in range(1, 500))


def test_the_variant_says_nothing_about_the_hold_out() -> None:
    assigned = assignment(weights=(1, 1), percent=50)
    first = sum(assigned.variant_of(member) == 1 for member in held_out(assigned))
    assert first == pytest.approx(5_000, rel=0.06)


def test_one_variant_goes_to_everybody_and_none_to_nobody() -> None:
    assert {assignment(weights=(3,)).variant_of(member) for member in range(100)} == {1}
    assert {assignment(weights=(0, 0)).variant_of(member) for member in range(100)} == {None}


def test_a_winner_goes_to_everybody_from_then_on() -> None:
    assigned = assignment(weights=(1, 1), winner_id=2, test_percent=20, winner_by="click")
    assert {assigned.variant_of(member) for member in range(100)} == {2}
    assert all(assigned.is_in_test(member) for member in range(100))


def test_only_a_one_off_with_a_rule_for_the_winner_tries_its_variants_on_some() -> None:
    tried = assignment(weights=(1, 1), test_percent=20, winner_by="click")
    assert sum(map(tried.is_in_test, MEMBERS)) == pytest.approx(4_000, rel=0.06)
    for facts in ({"winner_by": ""}, {"winner_by": "click", "kind": Campaign.Kind.RECURRING}):
        assert all(map(assignment(test_percent=20, **facts).is_in_test, range(200)))


def test_the_winner_is_chosen_so_many_hours_after_the_start() -> None:
    start, at = dt.datetime(2026, 6, 1, tzinfo=dt.UTC), dt.datetime(2026, 6, 2, tzinfo=dt.UTC)
    campaign = Campaign(winner_after_hours=6)
    assert chosen_at(campaign, at=at) == at + dt.timedelta(hours=6)
    campaign.send_at = start
    assert chosen_at(campaign, at=at) == start + dt.timedelta(hours=6)
    campaign.started_at = at
    assert chosen_at(campaign, at=at) == at + dt.timedelta(hours=6)
