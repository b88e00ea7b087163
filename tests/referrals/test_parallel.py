"""Events and workers at the same time, over real connections: once each, both sides or neither, never over the cap."""

import datetime as dt
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from loyalty.events import dispatch
from loyalty.events.models import EventFailure
from loyalty.runs import record
from members.models import Member
from referrals import programmes, qualification, settling
from referrals.models import MilestoneReached, ProgrammeUse, Referral, ReferralGrant, ReferralStep
from rewards.models import Transfer
from rewards.refund_parts import Order
from rewards.refunds import refund
from rewards.verification import verify
from tests.factories.members import NOON, member
from tests.factories.partners import PartnerFactory
from tests.factories.referrals import DAY, bought, brought, buys, points_for_referrals, programme
from tests.factories.rewards import purchase

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)
DUE = NOON + 14 * DAY


def at_once(jobs: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run the jobs on a thread each, beginning together; as many at a time as there are connections."""
    start = threading.Barrier(len(jobs))

    def run(job: Callable[[], Any]) -> Any:
        try:
            start.wait(timeout=60)
            return job()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


def by_ticks(workers: int, *, at: dt.datetime) -> None:
    def tick() -> None:
        with record.run("test", at=at) as run:
            settling.settle_due(at=at, run=run)
        assert run.row.failed == 0

    at_once([tick] * workers)


def test_parallel_purchases_of_the_friend_qualify_once() -> None:
    programme()
    referral = brought(member())
    shop = PartnerFactory.create()
    friend = Member.objects.get(pk=referral.friend_id)

    def buy_and_tell() -> None:
        purchase(friend, total=30, partner=shop)
        dispatch.drain(seconds=5)

    at_once([buy_and_tell] * 8)
    dispatch.drain(seconds=5)
    assert not EventFailure.objects.exists()
    assert list(ReferralStep.objects.order_by("pk").values_list("state", flat=True)) == ["joined", "waiting"]
    by_ticks(4, at=DUE)
    referral.refresh_from_db()
    assert referral.state == "rewarded"
    assert points_for_referrals(friend) == 50
    assert Transfer.objects.filter(source__startswith="referral").count() == 2


def test_the_cap_and_the_budget_hold_under_fifty_parallel_qualifications() -> None:
    """Fifty friends of one member, cap of ten, budget for forty of the friends' own sides besides the ten."""
    terms = programme(
        cap=10,
        budget_points=10 * 150 + 30 * 50 + 500,
        milestones=[{"friends": 3, "points": 500, "voucher": None}],
    )
    aino = member()
    referrals = [brought(aino) for _number in range(50)]
    for referral in referrals:
        bought(referral)
    dispatch.drain(seconds=20)
    assert Referral.objects.filter(state="waiting").count() == 50

    def settle(referral: Referral) -> Callable[[], Any]:
        return lambda: settling.settle_one(referral_id=referral.pk, at=DUE)

    at_once([settle(referral) for referral in referrals])
    by_ticks(2, at=DUE)
    paid = ReferralGrant.objects.filter(side="referrer", reason="")
    assert paid.count() == 10
    assert points_for_referrals(aino) == 10 * 100 + 500
    assert Referral.objects.filter(state="rewarded").count() == 40
    assert Referral.objects.filter(state="qualified", reason="budget", due_at=None).count() == 10
    use = ProgrammeUse.objects.get(programme=terms.programme_id)
    assert (use.points, use.rewarded) == (terms.budget_points, 40)
    assert MilestoneReached.objects.count() == 1
    assert verify(at=DUE) == []
    programmes.revise(programme_id=terms.programme_id, at=DUE + DAY, budget_points=None)
    by_ticks(2, at=DUE + DAY)
    assert Referral.objects.filter(state="rewarded").count() == 50
    assert paid.count() == 10


def test_a_return_and_the_settling_at_once_leave_both_sides_or_neither() -> None:
    programme()
    aino = member()
    for _round in range(6):
        referral = brought(aino)
        activity = buys(referral)

        def give_back(activity: Any = activity) -> None:
            refund(activity_id=activity.pk, external_id="all", order=Order(everything=True), at=DUE)
            qualification.on_refunds([activity.member_id], at=DUE)

        def settle(referral: Referral = referral) -> None:
            settling.settle_one(referral_id=referral.pk, at=DUE)

        at_once([give_back, settle, settle])
        referral.refresh_from_db()
        assert referral.state in ("joined", "reversed")
        assert points_for_referrals(referral.friend) == 0
    assert points_for_referrals(aino) == 0
    assert verify(at=DUE) == []


def test_members_who_brought_each_other_are_settled_at_once_without_a_deadlock() -> None:
    programme(hold_from=10_000)  # a circle would be held
    first, second = member(), member()
    pair = [brought(first, friend=second), brought(second, friend=first)]
    for referral in pair:
        buys(referral)
    at_once([lambda each=each: settling.settle_one(referral_id=each.pk, at=DUE) for each in pair])  # type: ignore[misc]
    assert points_for_referrals(first) == points_for_referrals(second) == 150
