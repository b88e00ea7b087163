"""The visits that the demo's newsletter brought are made up for those who were written to, and for nobody else."""

import datetime as dt
import random

from campaigns import demo
from campaigns.experiments.assignment import assignment_of
from campaigns.models import Campaign, SendingPolicy, Variant
from rewards.demo.people import people
from rewards.demo.shopping import trips
from rewards.demo.wares import CAFE
from tests.factories.members import NOON


def test_the_newsletter_brings_visits_to_those_who_are_written_to_and_to_nobody_else() -> None:
    chance = random.Random(1)
    persons = people(120, chance=chance, begins=NOON - dt.timedelta(days=120), at=NOON)
    shopping = trips(persons, chance=chance, at=NOON)
    ids = {person.number: person.number + 1 for person in persons}
    brought = demo.visits_brought(shopping, ids, at=NOON)
    assert brought == demo.visits_brought(shopping, ids, at=NOON)

    campaign = Campaign(public_id=demo.NEWSLETTER, hold_out_percent=demo.HOLD_OUT)
    variants = [Variant(pk=1, code="A"), Variant(pk=2, code="B")]
    sides = assignment_of(campaign, SendingPolicy(), variants)
    assert {sides.arm_of(ids[trip.person.number]) for trip in brought} == {"treated"}
    of_variant = [sides.variant_of(ids[trip.person.number]) for trip in brought]
    assert of_variant.count(2) > of_variant.count(1) > 0
    assert {sides.arm_of(number) for number in ids.values()} == {"treated", "held_out"}

    sent = demo.sent_at(NOON)
    assert all(sent < trip.occurred_at < sent + dt.timedelta(days=demo.GOAL_DAYS) for trip in brought)
    assert {trip.shop for trip in brought} == {CAFE}
    assert not any(trip.person.is_demo for trip in brought)
    receipts = [trip.receipt for trip in [*shopping, *brought]]
    assert len(set(receipts)) == len(receipts)
