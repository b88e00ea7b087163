"""The regular work on points: done once however often it is asked for, and one bad member holds up nobody else."""

import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from loyalty.events.models import Event
from loyalty.runs import daily
from loyalty.runs.exclusive import exclusively
from loyalty.runs.models import Run
from members.models import Member, Tier
from rewards import grants, ledger, tasks, tier_review, upkeep
from rewards.models import Account, Transfer
from rewards.verification import verify
from tests.factories.campaigns import recorder
from tests.factories.members import NOON, member

pytestmark = pytest.mark.django_db
LONG_AGO = NOON - dt.timedelta(days=800)


def with_old_points(points: int = 50) -> Member:
    """A member whose points, earned over two years ago, have run out."""
    somebody = member(at=LONG_AGO)
    grants.grant_once(
        member_id=somebody.pk, points=points, occasion=f"old:{somebody.pk}", source="test", at=LONG_AGO
    )
    return somebody


def available(somebody: Member) -> int | None:
    return Account.objects.get(member=somebody, kind="available").balance


def failing_for(poisoned: Member, plain: Callable[..., Any]) -> Callable[..., Any]:
    def work(*, members: list[int], **options: Any) -> Any:
        if poisoned.pk in members:
            raise ValueError("a lot that does not add up")
        return plain(members=members, **options)

    return work


def test_points_expire_once_and_are_announced() -> None:
    first, second = with_old_points(50), with_old_points(7)
    for expected in (2, 0):
        run = recorder()
        upkeep.expire_points(at=NOON, run=run)
        assert (run.row.done, run.row.failed) == (expected, 0)
    assert (available(first), available(second)) == (0, 0)
    told = Event.objects.filter(name="points.expired").order_by("member_id")
    assert [(event.member_id, event.facts) for event in told] == [
        (first.pk, {"points": 50}),
        (second.pk, {"points": 7}),
    ]
    assert verify(at=NOON) == []


def test_one_poisoned_member_keeps_nobody_elses_points_from_expiring(monkeypatch: pytest.MonkeyPatch) -> None:
    members = [with_old_points() for _ in range(7)]
    monkeypatch.setattr(upkeep, "BATCH", 5)
    monkeypatch.setattr(ledger, "expire_due", failing_for(members[3], ledger.expire_due))
    run = recorder()
    upkeep.expire_points(at=NOON, run=run)
    assert (run.row.done, run.row.failed) == (6, 1)
    assert [available(each) for each in members] == [0, 0, 0, 50, 0, 0, 0]
    assert Event.objects.filter(name="points.expired").count() == 6


def test_tiers_are_reviewed_though_one_member_breaks_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    members = [member(at=LONG_AGO) for _ in range(5)]
    Member.objects.update(tier=Tier.objects.get(code="silver"))
    plain = tier_review.review_members

    def judge(ids: list[int], **options: Any) -> Any:
        if members[2].pk in ids:
            raise ValueError("no such tier")
        return plain(ids, **options)

    monkeypatch.setattr(tier_review, "review_members", judge)
    run = recorder()
    upkeep.review_tiers(at=NOON, run=run)
    assert (run.row.done, run.row.failed) == (4, 1)
    codes = list(Member.objects.order_by("pk").values_list("tier__code", flat=True))
    assert codes == ["bronze", "bronze", "silver", "bronze", "bronze"]


def test_a_review_is_due_once_a_local_day_and_an_hour_after_a_failure() -> None:
    midnight = dt.datetime(2026, 6, 14, 21, tzinfo=dt.UTC)
    assert daily.is_due("x", at=midnight)

    def ran(at: dt.datetime, status: str) -> None:
        Run.objects.create(name="x", at=at, started_at=at, seen_at=at, status=status)

    ran(midnight - dt.timedelta(seconds=1), "succeeded")
    assert daily.is_due("x", at=midnight)
    ran(midnight, "failed")
    assert not daily.is_due("x", at=midnight + dt.timedelta(minutes=59))
    assert daily.is_due("x", at=midnight + dt.timedelta(minutes=60))
    ran(midnight + dt.timedelta(minutes=61), "succeeded")
    assert not daily.is_due("x", at=midnight + dt.timedelta(hours=23))
    assert daily.is_due("x", at=midnight + dt.timedelta(hours=24))


def test_a_task_delivered_five_times_runs_once_a_night() -> None:
    member(at=LONG_AGO)
    for _ in range(5):
        tasks.review_tiers()
    assert list(Run.objects.values_list("name", "status", "done")) == [
        ("rewards.review_tiers", "succeeded", 1)
    ]


def test_expiry_leaves_a_row_a_run_and_changes_nothing_the_second_time() -> None:
    with_old_points()
    tasks.expire_points()
    tasks.expire_points()
    tasks.mature_pending()
    assert list(Run.objects.order_by("id").values_list("name", "done")) == [
        ("rewards.expire_points", 1),
        ("rewards.expire_points", 0),
    ]
    assert Transfer.objects.filter(kind="expire").count() == 1


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_name_is_held_by_one_at_a_time() -> None:
    def from_elsewhere() -> bool:
        try:
            with exclusively("x") as held:
                return held
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as elsewhere, exclusively("x") as held:
        assert held
        assert elsewhere.submit(from_elsewhere).result() is False
    with ThreadPoolExecutor(1) as elsewhere:
        assert elsewhere.submit(from_elsewhere).result() is True
