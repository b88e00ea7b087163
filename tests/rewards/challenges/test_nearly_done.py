"""Telling once when a round of a challenge comes close to its end."""

from decimal import Decimal

import pytest

from loyalty.events.models import Event
from members.models import Member
from tests.factories.challenges import challenge
from tests.factories.members import NOON, member
from tests.factories.rewards import purchase
from tests.rewards.challenges.test_progress import DAY, bring_back, told

pytestmark = pytest.mark.django_db


@pytest.fixture
def aino() -> Member:
    return member(at=NOON - 30 * DAY)


def nearly_done() -> list[tuple[str, str, int]]:
    """Progress, what is missing and percent, as announced."""
    found = Event.objects.filter(name="challenge.nearly_done").order_by("pk")
    return [(each.facts["progress"], each.facts["missing"], each.facts["percent"]) for each in found]


def test_a_round_is_nearly_done_when_one_is_missing_and_only_once(aino: Member) -> None:
    challenge(steps=[1, 3])
    for day in (9, 8):
        purchase(aino, at=NOON - day * DAY)
        told()
    assert nearly_done() == [("2", "1", 66)]
    purchase(aino, at=NOON - 7 * DAY)
    told()
    assert len(nearly_done()) == 1


def test_of_five_it_takes_four_and_a_leap_past_the_end_tells_of_nothing(aino: Member) -> None:
    challenge(steps=[5])
    for day in (9, 8, 7):
        purchase(aino, at=NOON - day * DAY)
    told()
    assert nearly_done() == []
    for day in (6, 5):
        purchase(aino, at=NOON - day * DAY)
    told()
    assert nearly_done() == []
    assert Event.objects.filter(name="challenge.completed").count() == 1


def test_what_comes_back_and_is_bought_again_is_told_again(aino: Member) -> None:
    challenge(steps=[2])
    done = purchase(aino, at=NOON - 9 * DAY)
    told()
    bring_back(done.activity_id, at=NOON - 8 * DAY)
    purchase(aino, at=NOON - 7 * DAY)
    told()
    assert nearly_done() == [("1", "1", 50), ("1", "1", 50)]
    assert Decimal(Event.objects.filter(name="challenge.nearly_done").latest("pk").facts["target"]) == 2
