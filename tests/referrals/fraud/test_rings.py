"""A thousand rings of fraud among twenty thousand honest referrals, with the weights that a house begins with."""

from collections import defaultdict

import pytest

from referrals.fraud.assess import assess
from referrals.models import ReferralProgramme
from tests.referrals.fraud.worlds import END, RINGS, World

pytestmark = pytest.mark.django_db
HONEST, RING_COUNT = 20_000, 1_000


def test_of_a_thousand_rings_95_in_100_are_held_and_of_honest_referrals_one_in_100_at_most() -> None:
    terms = ReferralProgramme.objects.get(code="friends").terms.get()
    world = World(seed=54)
    world.honest(HONEST)
    world.rings(RING_COUNT)
    brought = world.write(terms)
    scores = assess(list(brought), END)
    held = {referral for referral, score in scores.items() if score >= terms.hold_from}

    honest = {referral for referral, each in brought.items() if each.ring is None}
    assert len(honest) == HONEST
    assert len(held & honest) <= HONEST // 100

    of_ring: dict[int, list[bool]] = defaultdict(list)
    for referral, each in brought.items():
        if each.ring is not None:
            of_ring[each.ring].append(referral in held)
    assert len(of_ring) == RING_COUNT
    caught = {ring for ring, members in of_ring.items() if 2 * sum(members) > len(members)}
    by_kind = [sum(ring % len(RINGS) == kind for ring in caught) for kind in range(len(RINGS))]
    assert len(caught) >= RING_COUNT * 95 // 100, by_kind
