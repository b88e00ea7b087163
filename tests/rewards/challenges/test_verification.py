"""The ledger finds awards whose prizes it never gave, took back, or gave to another."""

import datetime as dt

import pytest

from members.models import Member
from rewards import verification
from rewards.challenges import progress
from rewards.models import MemberBadge, StepAward
from tests.factories.challenges import badge, challenge
from tests.factories.members import NOON, member
from tests.factories.rewards import purchase

pytestmark = pytest.mark.django_db


@pytest.fixture
def award() -> StepAward:
    aino: Member = member()
    made = challenge(steps=[{"target": 1, "points": 20, "badge": badge(levels=1)}])
    purchase(aino, at=NOON - dt.timedelta(days=1))
    progress.recount(challenge_ids=[made.pk], member_ids=[aino.pk], at=NOON)
    assert verification.verify(at=NOON) == []
    return StepAward.objects.get()


def problems() -> list[str]:
    return [each.problem for each in verification.verify(at=NOON) if each.invariant == "H"]


def test_points_that_were_never_given(award: StepAward) -> None:
    StepAward.objects.update(points=30)
    assert problems() == ["the ledger gave 20 points for it, it says 30"]


def test_a_badge_that_stays_after_its_award_was_withdrawn(award: StepAward) -> None:
    StepAward.objects.update(withdrawn_at=NOON)
    assert problems() == ["its badge is there 1 times, expected 0"]


def test_a_badge_that_is_missing(award: StepAward) -> None:
    MemberBadge.objects.all().delete()
    assert problems() == ["its badge is there 0 times, expected 1"]
