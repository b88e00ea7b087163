"""Faults 54 and 55: whoever brings themselves, in circles or under another name, gains nothing."""

from typing import Any

import pytest

from members.models import Member
from referrals import attribution, codes, qualification
from referrals.models import ProgrammeTerms, Referral
from rewards.queries import balance_of
from rewards.verification import verify
from tests.factories.members import NOON, member
from tests.factories.redemptions import redeemed, reward
from tests.factories.referrals import (
    DAY,
    brought,
    buys,
    points_for_referrals,
    programme,
    returns,
    settle,
)
from tests.factories.rewards import purchase

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _books_stay_sound() -> Any:
    yield
    assert verify(at=NOON + 200 * DAY) == []


@pytest.fixture
def terms() -> ProgrammeTerms:
    return programme()


def assert_held_without_points(*referrals: Referral) -> None:
    for referral in referrals:
        assert settle(referral, at=NOON + 60 * DAY) == "held"
        assert points_for_referrals(referral.referrer) == points_for_referrals(referral.friend) == 0


def test_nobody_brings_themselves(terms: ProgrammeTerms) -> None:
    aino = member()
    with pytest.raises(attribution.SelfReferral):
        attribution.attribute(friend=aino, code=codes.code_of(aino, NOON), at=NOON)
    assert not Referral.objects.exists()


@pytest.mark.parametrize(
    ("own", "other"),
    [
        ({"email": "aino.v@gmail.com"}, {"email": "ainov+1@gmail.com"}),
        ({"email": "aino.v@gmail.com"}, {"email": "AinoV@googlemail.com"}),
        ({"email": "aino@example.com"}, {"email": "aino+shop@example.com"}),
        ({"phone": "040 123 4567"}, {"phone": "+358 40 1234567"}),
    ],
)
def test_whoever_joins_again_under_another_spelling_is_held(
    terms: ProgrammeTerms, own: dict[str, str], other: dict[str, str]
) -> None:
    referral = brought(member(**own), friend=member(**other))
    buys(referral)
    assert referral.state == "held"
    assert_held_without_points(referral)


def test_spellings_among_the_friends_of_one_referrer_are_held(terms: ProgrammeTerms) -> None:
    aino = member()
    referrals = [brought(aino, friend=member(email=f"matti+{n}@example.com")) for n in range(3)]
    for each in referrals:
        buys(each)
    assert_held_without_points(*referrals)


@pytest.mark.parametrize("size", [2, 3, 7])
def test_members_who_bring_each_other_in_a_circle_are_held(terms: ProgrammeTerms, size: int) -> None:
    people = [member() for _ in range(size)]
    referrals = []
    for place, friend in enumerate(people):
        bought = purchase(friend, total="30.00", at=NOON + DAY)
        code = codes.code_of(people[place - 1], NOON)
        referrals.append(attribution.attribute_at_till(friend=friend, activity=bought.activity_id, code=code))
    qualification.on_activities([(each.pk, NOON + DAY) for each in people], at=NOON + DAY)
    for each in referrals:
        each.refresh_from_db()
    assert_held_without_points(*referrals)


def total_of(*people: Member) -> int:
    """Points that the members have among them, pending ones too, less what they owe."""
    balances = [balance_of(who, NOON + 200 * DAY) for who in people]
    return sum(each.available + each.pending - each.debt for each in balances)


@pytest.mark.parametrize("is_returned_before_settling", [True, False])
def test_earning_redeeming_and_returning_in_circles_gains_nothing(
    terms: ProgrammeTerms, is_returned_before_settling: bool
) -> None:
    mug = reward(points=100)
    head, people, worth = member(), [], 0
    for turn in range(4):
        at = NOON + turn * 20 * DAY
        referral = brought(head, at=at)
        people.append(referral.friend)
        bought = buys(referral, at=at)
        if is_returned_before_settling:
            returns(bought, at=at + DAY)
        settle(referral, at=at + 15 * DAY)
        if balance_of(head, at + 15 * DAY).available >= 100:
            redeemed(head, mug, at=at + 15 * DAY)
            worth += 100
        returns(bought, at=at + 16 * DAY) if not is_returned_before_settling else None
        again = buys(referral, at=at + 17 * DAY)  # the same friend does not bring anything twice
        returns(again, at=at + 17 * DAY)
        settle(referral, at=at + 40 * DAY)
    assert total_of(head, *people) + worth <= 0
    assert not Referral.objects.filter(state="rewarded").exists()
    assert (worth > 0) is not is_returned_before_settling
