"""Scores follow the ledger and the challenges, in their periods, until a table closes; who wants no part has none."""

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalty import clock
from loyalty.models import Event, Run
from loyalty.runs import record
from members import privacy
from members.models import Activity, ConsentChange, Member
from rewards.earning import Outcome
from rewards.gifts import give
from rewards.grants import adjust, grant_once
from rewards.leaderboards import membership, reading, scores, tables, tasks, upkeep
from rewards.leaderboards.nicknames import NicknameRefused
from rewards.models import Leaderboard, LeaderboardProfile, LeaderboardScore, LeaderboardTable
from rewards.refund_parts import Order
from rewards.refunds import refund
from tests.factories.challenges import challenge
from tests.factories.leaderboards import heard, leaderboard, seen, table
from tests.factories.members import NOON, UserFactory, member
from tests.factories.rewards import purchase

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def _at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOON)


def standings(board: Leaderboard) -> list[tuple[int, str, int]]:
    """Rank, nickname and score of all places, from PostgreSQL."""
    found = reading.standing_in_sql(table(board), member_id=None, top=100)
    names = dict(LeaderboardProfile.objects.values_list("pk", "nickname"))
    return [(place.rank, names[place.member_id], place.score) for place in found.top]


def bring_back(outcome: Outcome, *, amount: str | None = None) -> None:
    """A refund of a purchase, wholly or by an amount."""
    row = Activity.objects.get(public_id=outcome.activity_id)
    order = Order(amount=Decimal(amount)) if amount else Order(everything=True)
    refund(activity_id=row.pk, external_id=f"back-{row.pk}-{amount}", order=order, at=NOON)


# --- What is earned -----------------------------------------------------------------------------------------------


def test_ties_share_a_rank() -> None:
    board = leaderboard()
    for name, total in (("Cilla", 7), ("Anna", 20), ("Bror", 20), ("Dag", 3), ("Eva", 7), ("Fia", 0)):
        someone = seen(name)
        if total:
            purchase(someone, total=total)
    heard()
    assert standings(board) == [
        (1, "Anna", 20),
        (1, "Bror", 20),
        (3, "Cilla", 7),
        (3, "Eva", 7),
        (5, "Dag", 3),
    ]


def test_told_twice_it_stays_the_same() -> None:
    board = leaderboard()
    purchase(seen("Anna"), total=20)
    heard()
    revision = table(board).revision
    Event.objects.update(dispatched_at=None)
    heard()
    assert standings(board) == [(1, "Anna", 20)]
    assert table(board).revision == revision


def test_refunds_move_it() -> None:
    board = leaderboard()
    anna, bror = seen("Anna"), seen("Bror")
    much, less = purchase(anna, total=20), purchase(bror, total=15)
    heard()
    bring_back(much, amount="8.00")
    heard()
    assert standings(board) == [(1, "Bror", 15), (2, "Anna", 12)]
    bring_back(less)
    heard()
    assert standings(board) == [(1, "Anna", 12)]  # nothing earned, no place
    purchase(bror, total=5)
    heard()
    assert standings(board) == [(1, "Anna", 12), (2, "Bror", 5)]


def test_points_that_were_not_earned_do_not_count() -> None:
    board = leaderboard()
    anna, bror = seen("Anna"), seen("Bror")
    staff = UserFactory()
    purchase(anna, total=100)
    adjust(member_id=bror.pk, points=500, staff_id=staff.pk, note="Sorry", at=NOON)
    give(from_member_id=anna.pk, to_member_id=bror.pk, points=40, token=uuid.uuid4(), at=NOON)
    grant_once(member_id=bror.pk, points=30, occasion="birthday", source="campaigns.message", at=NOON)
    heard()
    assert standings(board) == [(1, "Anna", 100), (2, "Bror", 30)]


def test_points_that_repay_a_debt_were_earned_all_the_same() -> None:
    board = leaderboard(period="ever")
    anna = seen("Anna")
    first = purchase(anna, total=50)
    adjust(member_id=anna.pk, points=-50, staff_id=UserFactory().pk, note="Spent", at=NOON)
    bring_back(first)  # fifty owed
    purchase(anna, total=80)
    heard()
    assert standings(board) == [(1, "Anna", 80)]


def test_each_purchase_counts_in_the_period_it_was_made_in(monkeypatch: pytest.MonkeyPatch) -> None:
    week, month, ever = (leaderboard(period=period) for period in ("week", "month", "ever"))
    anna = seen("Anna", at=NOON - 60 * DAY)
    purchase(anna, total=1, at=NOON - 40 * DAY)  # in May
    purchase(anna, total=10, at=NOON - 10 * DAY)  # earlier in June
    purchase(anna, total=100, at=NOON)  # on Monday
    purchase(
        anna, total=1000, at=dt.datetime(2026, 6, 14, 20, 59, tzinfo=dt.UTC)
    )  # Sunday, a minute to midnight
    heard()
    assert [standings(board)[0][2] for board in (week, month, ever)] == [100, 1110, 1111]


# --- Who is on it -------------------------------------------------------------------------------------------------


def test_who_has_no_nickname_is_not_counted() -> None:
    board = leaderboard()
    purchase(member(), total=1000)
    purchase(seen("Anna"), total=5)
    heard()
    assert standings(board) == [(1, "Anna", 5)]
    assert LeaderboardScore.objects.count() == 1


def test_who_joins_has_what_they_earned_before() -> None:
    board = leaderboard()
    late = member()
    purchase(late, total=70)
    purchase(seen("Anna"), total=5)
    heard()
    membership.take_nickname(member_id=late.pk, nickname="Late", at=NOON)
    assert standings(board) == [(1, "Late", 70), (2, "Anna", 5)]


def test_who_leaves_is_gone_from_past_tables_too() -> None:
    board = leaderboard()
    anna, bror = seen("Anna"), seen("Bror")
    purchase(anna, total=70)
    purchase(bror, total=5)
    heard()
    upkeep.close(table(board), at=NOON)
    assert membership.leave(member_id=anna.pk, at=NOON)
    assert not membership.leave(member_id=anna.pk, at=NOON)
    assert standings(board) == [(1, "Bror", 5)]
    assert not LeaderboardScore.objects.filter(profile_id=anna.pk).exists()


def test_nobody_takes_the_nickname_of_another() -> None:
    seen("Anna K")
    bror = seen("Bror")
    for text in ("anna k", "ANNA-K", "AnnaK"):
        with pytest.raises(NicknameRefused) as refused:
            membership.take_nickname(member_id=bror.pk, nickname=text, at=NOON)
        assert refused.value.code == "taken"
    assert sorted(LeaderboardProfile.objects.values_list("nickname", flat=True)) == ["Anna K", "Bror"]
    membership.take_nickname(member_id=bror.pk, nickname="BROR", at=NOON)  # one's own may be spelt anew


def test_staff_words_are_forbidden() -> None:
    someone = member()
    for text in ("Ylläpito", "The Administrator", "Kantis"):
        with pytest.raises(NicknameRefused):
            membership.take_nickname(member_id=someone.pk, nickname=text, at=NOON)
    assert not LeaderboardProfile.objects.exists()


def test_an_erased_member_leaves_nothing_and_cannot_come_back() -> None:
    board = leaderboard()
    anna = seen("Anna")
    purchase(anna, total=70)
    heard()
    upkeep.close(table(board), at=NOON)
    privacy.erase(member_id=anna.pk, source=ConsentChange.Source.STAFF, at=NOON)
    assert not LeaderboardProfile.objects.exists()
    assert not LeaderboardScore.objects.exists()
    heard()
    with pytest.raises(NicknameRefused):
        membership.take_nickname(member_id=anna.pk, nickname="Anna", at=NOON)


def test_the_members_own_copy_has_the_nickname() -> None:
    leaderboard(code="june")
    anna = seen("Anna")
    purchase(anna, total=70)
    heard()
    assert membership.copy_of(anna) == {
        "nickname": "Anna",
        "joined_at": NOON,
        "scores": [{"leaderboard": "june", "from": dt.date(2026, 6, 1), "score": 70}],
    }
    assert membership.copy_of(member()) is None


# --- Challenges ---------------------------------------------------------------------------------------------------


def test_progress_in_a_challenge_is_followed_and_falls_with_refunds() -> None:
    board = leaderboard(challenge=challenge(steps=[5]), period="ever")
    anna, bror = seen("Anna"), seen("Bror")
    one = purchase(anna)
    purchase(anna)
    purchase(bror)
    purchase(member())
    heard()
    assert standings(board) == [(1, "Anna", 200), (2, "Bror", 100)]
    bring_back(one)
    heard()
    assert standings(board) == [(1, "Anna", 100), (1, "Bror", 100)]


def test_a_round_counts_in_the_week_it_began_in_by_the_members_own_calendar() -> None:
    """Monday begins on Sunday in Helsinki for who lives in Auckland."""
    made = challenge(steps=[5], recurs="weekly", window="fixed")
    board = leaderboard(challenge=made, period="week")
    far = seen("Far", time_zone="Pacific/Auckland")
    purchase(far, at=NOON)
    heard()
    assert table(board).starts_on == dt.date(2026, 6, 15)
    assert standings(board) == [(1, "Far", 100)]


def test_prizes_of_a_challenge_are_points_earned() -> None:
    board = leaderboard()
    challenge(steps=[{"target": 1, "points": 100}])
    bought = purchase(seen("Anna"), total=10)
    heard()
    assert standings(board) == [(1, "Anna", 110)]
    bring_back(bought)
    heard()
    assert standings(board) == []


# --- Closing and mending ------------------------------------------------------------------------------------------


def reconcile(at: dt.datetime) -> dict[str, Any]:
    with record.run("test", at=at) as run:
        upkeep.reconcile(at=at, run=run)
    return run.row.detail


def test_a_table_settles_for_some_days_and_then_stands() -> None:
    board = leaderboard(period="week", settling_days=3)
    anna = seen("Anna")
    bought = purchase(anna, total=20)
    heard()
    monday = tables.bounds(table(board)).until
    assert monday is not None
    scores.recompute(member_ids=[anna.pk], at=monday)  # the next week's table is there
    week = LeaderboardTable.objects.earliest("starts_on")
    reconcile(monday + 2 * DAY)
    purchase(anna, total=3, at=NOON + DAY)  # came in late
    scores.recompute(member_ids=[anna.pk], at=monday + 2 * DAY)
    assert LeaderboardScore.objects.get(table=week).score == 23
    reconcile(monday + 3 * DAY)
    week.refresh_from_db()
    assert week.closed_at == monday + 3 * DAY
    bring_back(bought)
    scores.recompute(member_ids=[anna.pk], at=monday + 4 * DAY)
    reconcile(monday + 4 * DAY)
    assert LeaderboardScore.objects.get(table=week).score == 23  # final


def test_a_table_of_a_challenge_closes_after_the_challenge() -> None:
    made = challenge(steps=[5])
    board = leaderboard(challenge=made, period="ever", settling_days=1)
    purchase(seen("Anna"))
    heard()
    assert made.ends_at is not None
    reconcile(made.ends_at)
    assert table(board).closed_at is None
    reconcile(made.ends_at + DAY)
    assert table(board).closed_at == made.ends_at + DAY
    assert standings(board) == [(1, "Anna", 100)]
    assert tables.open_tables(at=made.ends_at + DAY) == []


def test_the_night_mends_what_went_astray_and_says_so() -> None:
    board = leaderboard()
    anna, bror = seen("Anna"), seen("Bror")
    purchase(anna, total=20)
    purchase(bror, total=10)
    heard()
    assert "mended" not in reconcile(NOON)
    LeaderboardScore.objects.filter(profile=anna.pk).update(score=1)
    LeaderboardScore.objects.filter(profile=bror.pk).delete()
    assert reconcile(NOON)["mended"] == 2
    assert standings(board) == [(1, "Anna", 20), (2, "Bror", 10)]


def test_the_night_takes_out_who_is_no_active_member() -> None:
    board = leaderboard()
    anna = seen("Anna")
    purchase(anna, total=20)
    heard()
    Member.objects.filter(pk=anna.pk).update(status=Member.Status.CLOSED)
    reconcile(NOON)
    assert standings(board) == []


def test_a_new_leaderboard_is_counted_by_the_tick() -> None:
    purchase(seen("Anna"), total=20)
    heard()
    board = leaderboard()
    tasks.keep_leaderboards()
    assert standings(board) == [(1, "Anna", 20)]
    assert table(board).counted_at == NOON
    assert Run.objects.filter(name="rewards.keep_leaderboards").count() == 1
    tasks.keep_leaderboards()
    assert Run.objects.filter(name="rewards.keep_leaderboards").count() == 1


def test_the_nights_work_is_done_once_a_day() -> None:
    tasks.reconcile_leaderboards()
    tasks.reconcile_leaderboards()
    assert Run.objects.filter(name="rewards.reconcile_leaderboards").count() == 1


def test_a_batch_costs_the_same_for_one_member_and_for_many() -> None:
    leaderboard()
    leaderboard(period="week")
    everybody = [seen(f"Member {number}") for number in range(12)]
    for someone in everybody:
        purchase(someone)
    tables.open_tables(at=NOON)

    def statements(members: list[Member]) -> int:
        with CaptureQueriesContext(connection) as made:
            scores.recompute(member_ids=[each.pk for each in members], at=NOON)
        return len(made)

    assert statements(everybody[:1]) == statements(everybody[1:])
