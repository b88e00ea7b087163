"""What a backtest says would be outstanding is what is, once the same happens under the drafted expiry."""

import datetime as dt
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import assume, example, given
from hypothesis import strategies as st

from loyalty.models import Partner
from members.activities import LineFacts
from members.models import Member, User
from rewards import drafts, terms
from rewards.backtest_liability import outstanding_points
from rewards.earning import record_and_reward
from rewards.grants import adjust
from rewards.ledger import InsufficientPoints
from rewards.models import ExpiryPolicy, Wallet
from rewards.replay import Period
from tests.rewards.random_terms import START, activity, people
from tests.rewards.test_backtest import DAY, base_rule, forget, result_of

pytestmark = pytest.mark.django_db

NEVER: dict[str, Any] = {"rounding": "exact"}
TEN_DAYS: dict[str, Any] = {"days": 10, "rounding": "exact"}
MONTH: dict[str, Any] = {"months": 1, "rounding": "month_end"}
WEEK_AFTER_THE_LAST: dict[str, Any] = {"days": 7, "rounding": "exact", "sliding": True}
MONTH_AFTER_THE_LAST: dict[str, Any] = {"months": 0, "rounding": "month_end", "sliding": True}
POLICIES = [NEVER, TEN_DAYS, MONTH, WEEK_AFTER_THE_LAST, MONTH_AFTER_THE_LAST]

Happening = tuple[int, int, bool, int]
"""Whose, hours after START, whether it is spending, and how many points."""
happenings = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.integers(0, 24 * 50),
        st.sampled_from([False, False, False, True]),
        st.integers(1, 40),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda each: each[1],
)


def put_in_force(policy: dict[str, Any]) -> None:
    """Let the policy be the only one there ever was."""
    ExpiryPolicy.objects.update(**({"months": None, "days": None, "sliding": False} | policy))
    terms.revised()
    forget()


def live_through(happened: Sequence[Happening]) -> None:
    partner, members = people()
    staff = staff_member()
    for number, (who, hours, spends, points) in enumerate(sorted(happened, key=lambda each: each[1])):
        at = START + dt.timedelta(hours=hours)
        if spends:
            spend(members[who], points, at, staff)
        else:
            buy(partner, members[who], number, at, points)


def staff_member() -> int:
    """Somebody who corrects balances and never logs in: passwords take long to hash."""
    return User.objects.create(email="staff@example.com", is_staff=True).pk


def buy(partner: Partner, member: Member, number: int, at: dt.datetime, points: int) -> None:
    line = LineFacts("sku", "COFFEE", "Food", Decimal(1), Decimal(points))
    record_and_reward(activity(partner, member, number, at, "purchase", (line,)), at=at)


def spend(member: Member, points: int, at: dt.datetime, staff: int) -> None:
    adjust(member_id=member.pk, points=-points, staff_id=staff, note="Spent", at=at)


def tried(work: Callable[[], Any]) -> Any:
    """What comes of it; nothing stays. None where points were lacking."""
    with transaction.atomic():
        try:
            found = work()
        except InsufficientPoints:
            found = None
        transaction.set_rollback(True)
    forget()
    return found


@given(
    live=st.sampled_from(POLICIES),
    drafted=st.sampled_from(POLICIES),
    happened=happenings,
    days=st.tuples(st.integers(-1, 20), st.integers(21, 60)),
)
@example(NEVER, WEEK_AFTER_THE_LAST, [(0, 0, False, 10), (0, 144, False, 5), (0, 288, False, 1)], (-1, 18))
@example(NEVER, WEEK_AFTER_THE_LAST, [(0, 0, False, 10), (0, 144, False, 5), (0, 350, False, 1)], (-1, 18))
def test_a_drafted_expiry_leaves_outstanding_what_it_would_have_left(
    live: dict[str, Any], drafted: dict[str, Any], happened: list[Happening], days: tuple[int, int]
) -> None:
    """Days, ends of months and expiry that activity moves, each against each; with spending in between."""
    period = Period(START - DAY, START + days[1] * DAY)
    entry = drafts.expiry_entry(wallet_id=Wallet.objects.get(is_default=True).pk, **drafted)

    def foretold() -> Any:
        put_in_force(live)
        live_through(happened)
        return result_of({"expiry": [entry]}, period)["liability"]

    def lived() -> Any:
        put_in_force(drafted)
        live_through(happened)
        return outstanding_points(period.ends_at, wallet_id=entry["wallet_id"])

    told, found = tried(foretold), tried(lived)
    assume(told is not None and found is not None)
    assert told["new"] == found


@given(
    live=st.sampled_from(POLICIES),
    happened=happenings,
    days=st.tuples(st.integers(0, 20), st.integers(21, 60)),
)
def test_an_empty_draft_changes_nothing_in_any_part_of_the_time(
    live: dict[str, Any], happened: list[Happening], days: tuple[int, int]
) -> None:
    def foretold() -> Any:
        put_in_force(live)
        live_through(happened)
        return result_of({}, Period(START + days[0] * DAY, START + days[1] * DAY))["liability"]

    told = tried(foretold)
    assume(told is not None)
    assert told["old"] == told["new"]


def test_points_from_before_the_period_keep_their_policy_and_are_spent_in_their_turn() -> None:
    """Under a live week after the last activity, a draft that doubles: the older points still go first."""
    put_in_force(WEEK_AFTER_THE_LAST)
    partner, (aino, _bo) = people()
    buy(partner, aino, 1, START, 30)
    buy(partner, aino, 2, START + 5 * DAY, 10)
    spend(aino, 20, START + 6 * DAY, staff_member())
    period = Period(START + 4 * DAY, START + 7 * DAY)
    found = result_of({"rules": [drafts.rule_entry("base", base_rule(points=2))]}, period)["liability"]
    assert (found["old"], found["new"]) == (20, 30)
    away = Period(START + 4 * DAY, START + 20 * DAY)
    found = result_of({"rules": [drafts.rule_entry("base", base_rule(points=2))]}, away)["liability"]
    assert (found["old"], found["new"]) == (0, 0)
