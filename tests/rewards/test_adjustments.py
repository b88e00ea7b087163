"""Large corrections wait for a second person; small ones are posted at once."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.utils import IntegrityError

from members.models import Member
from rewards.adjustments import DecisionRefused, adjust_or_ask, approve, reject
from rewards.ledger import InsufficientPoints
from rewards.models import AdjustmentRequest, Transfer
from rewards.queries import balance_of
from rewards.verification import verify
from tests.factories.members import NOON, UserFactory, member

pytestmark = pytest.mark.django_db


@pytest.fixture
def who() -> Member:
    return member()


def ask(who: Member, points: int, *, by: Any, number: int = 1, at: dt.datetime = NOON) -> Any:
    return adjust_or_ask(
        member_id=who.pk,
        points=points,
        staff_id=by.pk,
        note="Goodwill",
        at=at,
        occasion=f"adjustment:{number}",
    )


def points_of(who: Member) -> int:
    return balance_of(who, NOON).available


def test_a_small_correction_is_posted_at_once(who: Member) -> None:
    assert isinstance(ask(who, 1000, by=UserFactory()), int)
    assert points_of(who) == 1000
    assert not AdjustmentRequest.objects.exists()


def test_a_large_manual_credit_by_one_person_waits_for_a_second(who: Member) -> None:
    """FAULTS 59."""
    first, second = UserFactory(), UserFactory()
    request = ask(who, 1001, by=first)
    assert (points_of(who), request.status) == (0, "waiting")
    with pytest.raises(DecisionRefused):
        approve(request_id=request.pk, staff_id=first.pk, at=NOON)
    assert points_of(who) == 0
    transfer = Transfer.objects.get(pk=approve(request_id=request.pk, staff_id=second.pk, at=NOON))
    request.refresh_from_db()
    assert points_of(who) == 1001
    assert (transfer.staff_id, transfer.note) == (first.pk, "Goodwill")
    assert (transfer.source, transfer.source_id) == ("rewards.adjustment_request", request.pk)
    assert (request.status, request.decided_by_id, request.decided_at) == ("approved", second.pk, NOON)
    with pytest.raises(DecisionRefused):
        approve(request_id=request.pk, staff_id=second.pk, at=NOON)
    assert points_of(who) == 1001
    assert verify(at=NOON) == []


def test_small_parts_of_a_large_sum_wait_too(who: Member) -> None:
    clerk = UserFactory()
    assert isinstance(ask(who, 600, by=clerk, number=1), int)
    assert isinstance(ask(who, 600, by=clerk, number=2), AdjustmentRequest)
    assert isinstance(ask(who, 600, by=clerk, number=3, at=NOON + dt.timedelta(hours=25)), int)


def test_taking_points_counts_like_giving_them(who: Member) -> None:
    clerk = UserFactory()
    ask(who, 900, by=UserFactory())
    ask(who, 900, by=UserFactory(), number=2)
    assert isinstance(ask(who, -1500, by=clerk, number=3), AdjustmentRequest)
    with pytest.raises(InsufficientPoints):
        ask(who, -1900, by=clerk, number=4)


def test_ones_own_points_always_wait_and_are_not_approved_by_oneself() -> None:
    clerk, colleague, boss = UserFactory(), UserFactory(), UserFactory()
    mine = member(user=clerk)
    assert isinstance(ask(mine, 1, by=clerk), AdjustmentRequest)
    for_me = ask(mine, 5000, by=colleague, number=2)
    with pytest.raises(DecisionRefused):
        approve(request_id=for_me.pk, staff_id=clerk.pk, at=NOON)
    approve(request_id=for_me.pk, staff_id=boss.pk, at=NOON)
    assert points_of(mine) == 5000


def test_the_same_form_asks_once(who: Member) -> None:
    clerk = UserFactory()
    assert isinstance(ask(who, 5000, by=clerk), AdjustmentRequest)
    assert ask(who, 5000, by=clerk) is None
    assert ask(who, 10, by=clerk) is None
    assert AdjustmentRequest.objects.count() == 1


def test_a_rejected_request_posts_nothing(who: Member) -> None:
    request = ask(who, 5000, by=UserFactory())
    reject(request_id=request.pk, staff_id=UserFactory().pk, at=NOON)
    with pytest.raises(DecisionRefused):
        approve(request_id=request.pk, staff_id=UserFactory().pk, at=NOON)
    assert not Transfer.objects.exists()


def test_the_database_refuses_a_decision_by_who_asked(who: Member) -> None:
    clerk = UserFactory()
    request = ask(who, 5000, by=clerk)
    with pytest.raises(IntegrityError), transaction.atomic():
        AdjustmentRequest.objects.filter(pk=request.pk).update(
            status="approved", decided_by=clerk, decided_at=NOON
        )


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_two_who_approve_at_once_post_once() -> None:
    who = member()
    request = ask(who, 5000, by=UserFactory())
    people = [UserFactory().pk for _ in range(6)]

    def one(staff_id: int) -> bool:
        try:
            return bool(approve(request_id=request.pk, staff_id=staff_id, at=NOON))
        except DecisionRefused:
            return False
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(one, people)) == 1
    assert points_of(who) == 5000
