"""The nightly figures: true to the ledger, the same by every way, and computed only where something changed."""

import datetime as dt
import json
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Event
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from analytics import figures, nightly, tasks
from analytics.models import DailyFigures, Watermark
from analytics.nightly import Summary, run_nightly
from loyalty import programme
from loyalty.models import Programme
from loyalty.runs.models import Run
from members.models import Activity, Member
from rewards import grants, ledger
from rewards.ledger import Why
from rewards.models import Account
from rewards.models.ledger import AccountKind
from tests.factories.analytics import purchase
from tests.factories.members import UserFactory, member

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
MONDAY = dt.datetime(2026, 6, 15, 9, tzinfo=dt.UTC)
FIELDS = (
    "date", "members", "new_members", "active_members", "purchases", "revenue", "points_issued", "points_redeemed",
    "points_expired", "points_adjusted", "points_outstanding",
)  # fmt: skip


def rows(*fields: str) -> list[tuple[Any, ...]]:
    return list(DailyFigures.objects.order_by("date").values_list(*(fields or FIELDS)))


def day(number: int) -> dt.date:
    return dt.date(2026, 6, number)


def redeem(who: Member, points: int, *, at: dt.datetime) -> None:
    ledger.spend(
        member_id=who.pk,
        wallet_id=Account.objects.get(member=who, kind="available").wallet_id,
        points=points,
        kind="redeem",
        to_kind=AccountKind.REDEEMED,
        why=Why(source="test"),
        at=at,
    )


def test_each_figure_of_each_day() -> None:
    aino, eino = member(at=MONDAY), member(at=MONDAY + DAY)
    purchase(aino, "10.50", on=MONDAY)
    purchase(aino, "5.00", on=MONDAY)
    purchase(eino, "0.00", on=MONDAY + DAY, kind="visit")
    purchase(eino, "20.00", on=MONDAY + 2 * DAY)
    redeem(aino, 4, at=MONDAY + 2 * DAY)
    staff = UserFactory(is_staff=True)
    grants.adjust(member_id=eino.pk, points=-3, staff_id=staff.pk, note="mistake", at=MONDAY + 2 * DAY)
    assert run_nightly(at=MONDAY + 4 * DAY) == Summary(date=day(18), days=4, changed=4, full=False)
    assert rows() == [
        (day(15), 1, 1, 1, 2, Decimal("15.50"), 15, 0, 0, 0, 15),
        (day(16), 2, 1, 1, 0, Decimal("0.00"), 0, 0, 0, 0, 15),
        (day(17), 2, 0, 2 - 1, 1, Decimal("20.00"), 20, 4, 0, -3, 28),
        (day(18), 2, 0, 0, 0, Decimal("0.00"), 0, 0, 0, 0, 28),
    ]


def test_a_day_begins_at_the_programmes_midnight() -> None:
    aino = member(at=MONDAY)
    just_before = dt.datetime(2026, 6, 16, 20, 59, 59, tzinfo=dt.UTC)
    purchase(aino, "1.00", on=just_before)
    purchase(aino, "2.00", on=just_before + dt.timedelta(seconds=1))
    run_nightly(at=MONDAY + 3 * DAY)
    assert rows("date", "revenue")[1:] == [(day(16), Decimal("1.00")), (day(17), Decimal("2.00"))]


def test_points_expire_on_the_day_they_ran_out_however_late_the_job_was() -> None:
    aino = member(at=MONDAY)
    purchase(aino, "10.00", on=MONDAY)
    expiry = dt.datetime(2028, 6, 30, 21, tzinfo=dt.UTC)
    assert [each.points for each in ledger.expire_due(at=expiry + 5 * DAY)] == [10]
    run_nightly(at=expiry + 5 * DAY)
    expired = DailyFigures.objects.filter(points_expired__gt=0)
    assert list(expired.values_list("date", "points_expired", "points_outstanding")) == [
        (dt.date(2028, 7, 1), 10, 0)
    ]


def test_only_touched_days_are_computed_again() -> None:
    aino = member(at=MONDAY)
    for number in range(10):
        purchase(aino, "10.00", on=MONDAY + number * DAY)
    assert run_nightly(at=MONDAY + 10 * DAY).days == 10
    assert run_nightly(at=MONDAY + 10 * DAY) == Summary(date=day(24), days=0, changed=0, full=False)
    purchase(aino, "7.00", on=MONDAY + 2 * DAY, at=MONDAY + 10 * DAY)
    member(at=MONDAY + 10 * DAY, joined_at=MONDAY + 8 * DAY)
    late = run_nightly(at=MONDAY + 11 * DAY)
    assert late.days == 3  # the day of the late purchase, the day the late member joined, and the new day
    assert late.changed == 9  # and the sums of the days after them
    assert rows("purchases") == [(1,), (1,), (2,), *[(1,)] * 7, (0,)]
    assert rows("points_outstanding")[-1] == (107,)


def test_a_full_run_gives_the_very_same_rows() -> None:
    aino = member(at=MONDAY)
    purchase(aino, "10.00", on=MONDAY + DAY)
    run_nightly(at=MONDAY + 3 * DAY)
    purchase(aino, "30.00", on=MONDAY, at=MONDAY + 4 * DAY)
    redeem(aino, 25, at=MONDAY + 4 * DAY)
    run_nightly(at=MONDAY + 6 * DAY)
    before = rows(*FIELDS, "computed_at", "definition")
    assert run_nightly(at=MONDAY + 6 * DAY, full=True) == Summary(date=day(20), days=6, changed=0, full=True)
    assert rows(*FIELDS, "computed_at", "definition") == before
    DailyFigures.objects.all().delete()
    run_nightly(at=MONDAY + 6 * DAY, full=True)
    assert rows() == [row[: len(FIELDS)] for row in before]


def test_a_tampered_row_is_put_right_by_a_full_run() -> None:
    purchase(member(at=MONDAY), "10.00", on=MONDAY)
    run_nightly(at=MONDAY + 2 * DAY)
    before = rows()
    DailyFigures.objects.update(revenue=1, members=99)
    assert run_nightly(at=MONDAY + 2 * DAY, full=True).changed == 2
    assert rows() == before


def test_the_days_add_up_to_the_ledgers_balances() -> None:
    members = [member(at=MONDAY - 900 * DAY) for _ in range(3)]
    staff = UserFactory(is_staff=True)
    for number, who in enumerate(members):
        purchase(who, f"{100 * (number + 1)}.00", on=MONDAY - 850 * DAY, at=MONDAY)
        purchase(who, "1500.00", on=MONDAY - number * DAY)
        purchase(who, "50.00", on=MONDAY)
        redeem(who, 20, at=MONDAY)
        grants.adjust(member_id=who.pk, points=11, staff_id=staff.pk, note="sorry", at=MONDAY)
        grants.grant_once(member_id=who.pk, points=100, occasion=f"o{who.pk}", source="test", at=MONDAY)
    ledger.expire_due(at=MONDAY)
    run_nightly(at=MONDAY + DAY)
    held = Account.objects.filter(member__isnull=False).aggregate(points=Sum("balance"))["points"]
    total = DailyFigures.objects.aggregate(
        **{
            name: Sum(name)
            for name in ("points_issued", "points_redeemed", "points_expired", "points_adjusted")
        }
    )
    flows = (
        total["points_issued"] - total["points_redeemed"] - total["points_expired"] + total["points_adjusted"]
    )
    assert rows("points_outstanding")[-1] == (held,) == (flows,)
    assert total["points_adjusted"] == 33
    sold = Activity.objects.aggregate(sum=Sum("total"))["sum"]
    assert DailyFigures.objects.aggregate(sum=Sum("revenue"))["sum"] == sold


def test_up_to_a_date_and_then_further() -> None:
    aino = member(at=MONDAY)
    purchase(aino, "10.00", on=MONDAY)
    purchase(aino, "20.00", on=MONDAY + 5 * DAY)
    assert run_nightly(at=MONDAY + 9 * DAY, date=day(17)).days == 3
    assert rows("date", "points_outstanding") == [(day(15), 10), (day(16), 10), (day(17), 10)]
    run_nightly(at=MONDAY + 9 * DAY)
    assert rows("date", "points_outstanding")[-1] == (day(23), 30)
    purchase(aino, "5.00", on=MONDAY + 6 * DAY, at=MONDAY + 9 * DAY)
    run_nightly(at=MONDAY + 9 * DAY, date=day(17))
    assert rows("points_outstanding")[-1] == (35,)


def test_a_day_that_has_not_begun_is_refused() -> None:
    purchase(member(at=MONDAY), "10.00", on=MONDAY)
    with pytest.raises(nightly.DateInFuture):
        run_nightly(at=MONDAY, date=day(16))
    assert not Watermark.objects.exists()


def test_a_programme_without_facts_has_no_figures() -> None:
    assert run_nightly(at=MONDAY) == Summary(date=day(14), days=0, changed=0, full=False)
    assert rows() == []


def test_a_run_cut_short_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    aino = member(at=MONDAY)
    for number in range(0, 100, 9):
        purchase(aino, "10.00", on=MONDAY + number * DAY)
    at = MONDAY + 100 * DAY
    compute, calls = figures.compute, iter(range(9))

    def dies_in_the_third_piece(*arguments: Any, **options: Any) -> Any:
        if next(calls) == 2:
            raise KeyboardInterrupt
        return compute(*arguments, **options)

    monkeypatch.setattr(figures, "compute", dies_in_the_third_piece)
    with pytest.raises(KeyboardInterrupt):
        run_nightly(at=at)
    assert DailyFigures.objects.count() == 62
    monkeypatch.setattr(figures, "compute", compute)
    assert run_nightly(at=at).days == 38
    after = rows()
    assert run_nightly(at=at, full=True).changed == 0
    assert rows() == after


def test_another_time_zone_computes_every_day_afresh() -> None:
    purchase(member(at=MONDAY), "10.00", on=dt.datetime(2026, 6, 15, 22, tzinfo=dt.UTC))
    run_nightly(at=MONDAY + 3 * DAY)
    assert rows("date", "purchases")[:2] == [(day(15), 0), (day(16), 1)]
    Programme.objects.update(time_zone="America/New_York")
    programme.forget()
    run_nightly(at=MONDAY + 3 * DAY)
    assert rows("date", "purchases")[:2] == [(day(15), 1), (day(16), 0)]


def test_a_piece_costs_the_same_number_of_queries_for_few_and_many_facts(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(20):
        purchase(member(at=MONDAY), "10.00", on=MONDAY + number * DAY)
    with django_assert_max_num_queries(30):
        run_nightly(at=MONDAY + 25 * DAY)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(1, 300), st.booleans()),
        min_size=1,
        max_size=12,
    )
)
def test_any_order_of_late_facts_and_runs_ends_with_the_figures_of_a_full_run(
    steps: list[tuple[int, int, int, bool]],
) -> None:
    with transaction.atomic():
        who = member(at=MONDAY)
        now = MONDAY + 41 * DAY
        for on, forward, amount, run_now in steps:
            now += forward * DAY / 10
            purchase(who, f"{amount}.00", on=MONDAY + on * DAY, at=now)
            if run_now:
                run_nightly(at=now)
        run_nightly(at=now)
        by_steps = rows()
        assert run_nightly(at=now, full=True).changed == 0
        assert rows() == by_steps
        transaction.set_rollback(True)


def test_the_task_runs_once_a_night() -> None:
    purchase(member(at=MONDAY), "10.00", on=MONDAY)
    for _ in range(5):
        tasks.nightly()
    run = Run.objects.get()
    assert (run.name, run.status, run.failed) == ("analytics.nightly", "succeeded", 0)
    assert run.done == run.total == DailyFigures.objects.count() > 0


def test_the_command_prints_a_summary(capsys: pytest.CaptureFixture[str]) -> None:
    purchase(member(at=MONDAY - 300 * DAY), "10.00", on=MONDAY - 300 * DAY)
    last = (MONDAY - 298 * DAY).date()
    call_command("nightly", date=last, json=True)
    assert json.loads(capsys.readouterr().out) == {
        "date": last.isoformat(), "days": 3, "changed": 3, "full": False,
    }  # fmt: skip
    call_command("nightly", date=last, full=True)
    assert capsys.readouterr().out == f"Metrics up to {last}: 3 days computed, 0 changed.\n"
    assert set(Run.objects.values_list("name", "status")) == {("analytics.nightly.to_date", "succeeded")}


@pytest.mark.parametrize("text", ["tomorrow", "2026-13-01", "9999-01-01"])
def test_the_command_refuses_a_bad_date_in_one_line(text: str) -> None:
    with pytest.raises(CommandError, match=text):
        call_command("nightly", f"--date={text}")
    assert not DailyFigures.objects.exists()


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_fact_still_uncommitted_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A purchase that drew its id early and commits late is found by the next run."""
    monkeypatch.setattr(nightly, "WAIT_FOR_WRITERS", 0.2)
    first, second = member(at=MONDAY), member(at=MONDAY)
    purchase(second, "1.00", on=MONDAY)
    written, commit = Event(), Event()

    def slow_till() -> None:
        try:
            with transaction.atomic():
                purchase(first, "10.00", on=MONDAY)
                written.set()
                commit.wait(20)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as till:
        slow = till.submit(slow_till)
        written.wait(20)
        purchase(second, "20.00", on=MONDAY)
        run_nightly(at=MONDAY + 2 * DAY)
        seen_early = rows("revenue")[0]
        commit.set()
        slow.result()
    assert seen_early == (Decimal("21.00"),)
    run_nightly(at=MONDAY + 2 * DAY)
    assert rows("revenue")[0] == (Decimal("31.00"),)
    assert run_nightly(at=MONDAY + 2 * DAY).days == 0
