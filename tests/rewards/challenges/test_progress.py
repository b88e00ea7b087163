"""Challenges follow what members do: what counts, what it brings, and how refunds undo it."""

import datetime as dt
from decimal import Decimal
from typing import Any
from unittest import mock

import pytest

from loyalty import clock
from loyalty.events import dispatch
from loyalty.events.models import EventFailure
from loyalty.models import Event
from members.activities import LineFacts
from members.models import Activity, Member
from rewards import verification
from rewards.challenges import progress
from rewards.models import (
    Account,
    Challenge,
    ChallengeRound,
    Contribution,
    MemberBadge,
    Participation,
    RefundPolicy,
    StepAward,
    Transfer,
)
from rewards.refund_parts import Order, Returned
from rewards.refunds import refund
from tests.factories.challenges import JULY, JUNE, badge, challenge
from tests.factories.members import NOON, member
from tests.factories.rewards import purchase

pytestmark = pytest.mark.django_db

Measure, Recurs, Window = Challenge.Measure, Challenge.Recurs, Challenge.Window
DAY = dt.timedelta(days=1)


@pytest.fixture
def aino() -> Member:
    return member()


@pytest.fixture(autouse=True)
def _noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOON)


def told(at: dt.datetime = NOON) -> None:
    """Hand all waiting events over, at that moment; none may fail."""
    with mock.patch.object(clock, "now", return_value=at):
        while dispatch.dispatch_batch(at=at):
            pass
    assert [failure.error for failure in EventFailure.objects.all()] == []


def line(
    category: str, *, department: str = "FOOD", sku: str = "", quantity: int = 1, total: str = "1.00"
) -> LineFacts:
    return LineFacts(sku or category, category, department, Decimal(quantity), Decimal(total))


def round_of(aino: Member, number: int = 1) -> tuple[Decimal, bool]:
    found = ChallengeRound.objects.get(member=aino, number=number)
    return found.progress, found.completed_at is not None


def points(aino: Member) -> int:
    """What the ledger gave for challenges, less what it took back."""
    rows = Transfer.objects.filter(member=aino, source="rewards.challenge").values_list("reverses", "points")
    return sum(-each if reverses else each for reverses, each in rows)


def bring_back(activity_id: Any, order: Order | None = None, at: dt.datetime = NOON + DAY) -> None:
    row = Activity.objects.get(public_id=activity_id)
    refund(activity_id=row.pk, external_id=f"back-{row.pk}", order=order or Order(everything=True), at=at)
    told(at)


def names(*wanted: str) -> list[str]:
    return list(Event.objects.filter(name__in=wanted).order_by("pk").values_list("name", flat=True))


def test_the_third_purchase_reaches_the_step_and_brings_its_prizes(aino: Member) -> None:
    explorer = badge("explorer")
    challenge(steps=[{"target": 1, "points": 10}, {"target": 3, "points": 100, "badge": explorer}])
    for day in (0, 1):
        purchase(aino, at=NOON - day * DAY)
    told()
    assert round_of(aino) == (2, False)
    assert (points(aino), MemberBadge.objects.count()) == (10, 0)
    purchase(aino, at=NOON - 3 * DAY)
    told()
    assert round_of(aino) == (3, True)
    assert points(aino) == 110
    assert MemberBadge.objects.get().badge == explorer
    assert names("challenge.step_reached", "challenge.completed", "badge.earned") == [
        "challenge.step_reached",
        "badge.earned",
        "challenge.step_reached",
        "challenge.completed",
    ]
    assert verification.verify(at=NOON) == []


def test_hearing_of_an_activity_again_changes_nothing(aino: Member) -> None:
    challenge(steps=[1])
    done = purchase(aino)
    told()
    before = (points(aino), Contribution.objects.count(), StepAward.objects.count(), Event.objects.count())
    for _time in range(2):
        progress.follow(public_ids={str(done.activity_id)}, at=NOON)
    assert before == (
        points(aino),
        Contribution.objects.count(),
        StepAward.objects.count(),
        Event.objects.count(),
    )


def test_what_happened_outside_the_time_does_not_count(aino: Member) -> None:
    challenge(steps=[1])
    purchase(aino, at=JUNE - dt.timedelta(seconds=1))
    purchase(aino, at=JULY)
    told(JULY)
    assert not Participation.objects.exists()
    purchase(aino, at=JUNE)
    told(JULY)
    assert round_of(aino) == (1, True)


@pytest.mark.parametrize(
    ("measure", "worth"),
    [
        (Measure.COUNT, "2"),
        (Measure.SPEND, "33.50"),
        (Measure.QUANTITY, "5"),
        (Measure.CATEGORIES, "3"),
        (Measure.DEPARTMENTS, "2"),
        (Measure.STORES, "2"),
        (Measure.STREAK_DAYS, "2"),
    ],
)
def test_each_measure_counts_its_own(aino: Member, measure: str, worth: str) -> None:
    challenge(measure=measure, steps=[100])
    cakes = line("cakes", department="BAKERY", quantity=2, total="10.00")
    purchase(aino, total="20.50", at=NOON - DAY, store="kamppi", lines=(line("milk", total="10.50"), cakes))
    purchase(aino, total="13.00", store="pasila", lines=(line("milk"), line("tea", total="12.00")))
    told()
    assert round_of(aino) == (Decimal(worth), False)


def test_only_matching_products_count(aino: Member) -> None:
    challenge(measure=Measure.SPEND, steps=[100], lines={"field": "category", "op": "eq", "value": "tea"})
    purchase(aino, total="13.00", lines=(line("milk"), line("tea", total="12.00")))
    purchase(aino, total="1.00", lines=(line("milk"),))
    told()
    assert round_of(aino) == (12, False)
    assert Contribution.objects.count() == 1


def test_an_answered_survey_is_a_goal_like_any_other(aino: Member) -> None:
    from members.models import ActivityKind

    ActivityKind.objects.get_or_create(code="survey", defaults={"names": {"en": "Survey"}})
    challenge(steps=[1], conditions={"field": "kind", "op": "eq", "value": "survey"})
    purchase(aino)
    told()
    assert not Participation.objects.exists()
    purchase(aino, kind="survey", total=0)
    told()
    assert round_of(aino) == (1, True)


def test_a_refund_takes_the_step_back_with_its_points_and_badge(aino: Member) -> None:
    challenge(steps=[{"target": 2, "points": 50, "badge": badge()}])
    purchase(aino, at=NOON - DAY)
    second = purchase(aino)
    told()
    assert (points(aino), MemberBadge.objects.count()) == (50, 1)
    bring_back(second.activity_id)
    assert round_of(aino) == (1, False)
    assert (points(aino), MemberBadge.objects.count()) == (0, 0)
    assert StepAward.objects.get().withdrawn_at == NOON + DAY
    assert Event.objects.get(name="challenge.step_withdrawn").facts["points_taken"] == 50
    purchase(aino, at=NOON + 2 * DAY)
    told(NOON + 2 * DAY)
    assert (round_of(aino), points(aino), MemberBadge.objects.count()) == ((2, True), 50, 1)
    assert verification.verify(at=NOON) == []


def test_part_of_a_purchase_that_comes_back_counts_less(aino: Member) -> None:
    challenge(measure=Measure.CATEGORIES, steps=[2])
    bought = purchase(aino, total="2.00", lines=(line("milk"), line("tea")))
    told()
    assert round_of(aino) == (2, True)
    bring_back(bought.activity_id, Order(lines=(Returned("tea"),)))
    assert (round_of(aino), points(aino)) == ((1, False), 0)


def test_a_purchase_whose_money_all_came_back_counts_no_more(aino: Member) -> None:
    challenge(measure=Measure.CATEGORIES, steps=[1])
    bought = purchase(aino, total="2.00", lines=(line("milk"), line("tea")))
    told()
    bring_back(bought.activity_id, Order(amount=Decimal("2.00")))
    assert not ChallengeRound.objects.filter(progress__gt=0).exists()
    assert points(aino) == 0


def test_points_that_were_spent_become_a_debt(aino: Member) -> None:
    from rewards.grants import adjust
    from tests.factories.staff import staff

    challenge(steps=[{"target": 1, "points": 100}])
    bought = purchase(aino, total=0)
    told()
    adjust(member_id=aino.pk, points=-80, staff_id=staff().pk, note="spent", at=NOON)
    bring_back(bought.activity_id)
    assert Account.objects.get(member=aino, kind="debt").balance == -80
    assert verification.verify(at=NOON) == []


def test_points_forgiven_once_are_not_given_again(aino: Member) -> None:
    from rewards.grants import adjust
    from tests.factories.staff import staff

    RefundPolicy.objects.create(valid_from=NOON - DAY, spent=RefundPolicy.Spent.FORGIVE)
    challenge(steps=[{"target": 1, "points": 100}])
    bought = purchase(aino, total=0)
    told()
    adjust(member_id=aino.pk, points=-80, staff_id=staff().pk, note="spent", at=NOON)
    bring_back(bought.activity_id)
    assert points(aino) == 80
    for day in (2, 3):
        again = purchase(aino, total=0, at=NOON + day * DAY)
        told(NOON + day * DAY)
        assert points(aino) == 100
        bring_back(again.activity_id, at=NOON + day * DAY)
        assert points(aino) == 80


def test_a_round_begins_anew_when_it_is_completed(aino: Member) -> None:
    challenge(steps=[2], recurs=Recurs.ON_COMPLETION)
    for hour in range(5):
        purchase(aino, at=NOON - hour * DAY)
    told()
    assert [round_of(aino, number) for number in (1, 2, 3)] == [(2, True), (2, True), (1, False)]
    assert points(aino) == 200


def test_a_refund_moves_later_activities_up_into_the_round_before(aino: Member) -> None:
    challenge(steps=[2], recurs=Recurs.ON_COMPLETION)
    bought = [purchase(aino, at=NOON - day * DAY) for day in (4, 3, 2, 1)]
    told()
    assert points(aino) == 200
    bring_back(bought[0].activity_id)
    assert [round_of(aino, number) for number in (1, 2)] == [(2, True), (1, False)]
    assert points(aino) == 100
    bring_back(bought[1].activity_id)
    assert round_of(aino) == (2, True)
    assert ChallengeRound.objects.filter(member=aino, ends_at__gt=JUNE).exclude(progress=0).count() == 1


def test_every_week_is_a_round_of_its_own(aino: Member) -> None:
    challenge(steps=[2], recurs=Recurs.WEEKLY)
    for day in (0, 1, 6, 8, 13):  # Monday of one week, two days of the week before, two of that before
        purchase(aino, at=NOON - day * DAY)
    told()
    weeks = ChallengeRound.objects.filter(member=aino).order_by("number").values_list("number", "progress")
    assert list(weeks) == [(1, 2), (2, 2), (3, 1)]
    assert points(aino) == 200


def test_days_are_told_by_the_members_own_midnight() -> None:
    honolulu = member(time_zone="Pacific/Honolulu")
    challenge(measure=Measure.STREAK_DAYS, steps=[2])
    evening = dt.datetime(2026, 6, 11, 7, tzinfo=dt.UTC)  # 21:00 on the 10th in Honolulu
    purchase(honolulu, at=evening)
    purchase(honolulu, at=evening + dt.timedelta(hours=2))  # 23:00
    told()
    assert round_of(honolulu) == (1, False)
    purchase(honolulu, at=evening + dt.timedelta(hours=4))  # 01:00 on the 11th
    told()
    assert round_of(honolulu) == (2, True)


def test_a_challenge_of_a_tier_counts_what_was_done_in_it(aino: Member) -> None:
    challenge(steps=[1], minimum_tier="silver")
    purchase(aino, total="2000.00", at=NOON - DAY)
    told()
    assert not Participation.objects.exists()
    purchase(aino)
    told()
    assert round_of(aino) == (1, True)


def test_a_challenge_for_some_is_not_for_others(aino: Member) -> None:
    swede = member(language="sv")
    challenge(steps=[1], audience={"field": "language", "op": "eq", "value": "sv"})
    purchase(aino)
    purchase(swede)
    told()
    assert [part.member for part in Participation.objects.all()] == [swede]


def test_no_open_challenge_costs_one_statement(aino: Member, django_assert_num_queries: Any) -> None:
    challenge(is_open=False)
    done = purchase(aino)
    with django_assert_num_queries(1):
        progress.follow(public_ids={str(done.activity_id)}, at=NOON)


def test_many_members_cost_no_more_statements_than_one(django_assert_max_num_queries: Any) -> None:
    challenge(steps=[{"target": 1, "points": 5, "badge": badge()}], measure=Measure.CATEGORIES)
    done = [purchase(member(), lines=(line("milk"),), total="1.00") for _one in range(12)]
    with django_assert_max_num_queries(32):
        progress.follow(public_ids={str(each.activity_id) for each in done}, at=NOON)
    assert StepAward.objects.count() == 12
