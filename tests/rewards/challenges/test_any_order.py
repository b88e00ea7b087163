"""Whatever the order in which purchases, refunds and replays are heard of, challenges stand as a plain model says."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loyalty import clock
from members.activities import LineFacts
from members.models import Activity, Member
from rewards.challenges import progress
from rewards.models import Challenge, ChallengeRound, MemberBadge, StepAward, Transfer
from rewards.refund_parts import Order, Returned
from rewards.refunds import refund
from tests.factories.challenges import JULY, JUNE, badge, challenge
from tests.factories.members import member
from tests.factories.rewards import purchase

pytestmark = pytest.mark.django_db

Measure, Recurs, Window = Challenge.Measure, Challenge.Recurs, Challenge.Window
CATEGORIES = ("milk", "tea", "buns")
HELSINKI = "Europe/Helsinki"
LATE = JULY + dt.timedelta(days=3)


@dataclass
class Bought:
    """A purchase as the model knows it: its lines that are still the member's, one euro times four each."""

    at: dt.datetime
    kept: list[str]
    id: int = 0
    public_id: str = ""
    heard: bool = False

    @property
    def day(self) -> dt.date:
        return clock.local_date(self.at, HELSINKI)


@dataclass
class Model:
    """Says from the list of purchases alone how far the member is and what it has brought."""

    bought: list[Bought] = field(default_factory=list)

    def alive(self) -> list[Bought]:
        return sorted((one for one in self.bought if one.kept), key=lambda one: (one.at, one.id))

    def rounds(self) -> dict[str, list[Decimal]]:
        """The progress of each round with any, by challenge, in the order of the rounds."""
        alive = self.alive()
        weeks: dict[Any, int] = defaultdict(int)
        for one in alive:
            weeks[one.day.isocalendar()[:2]] += 4 * len(one.kept)
        full, rest = divmod(len(alive), 2)
        first_days = self.first_days(alive)
        raw = {
            "categories": [len({category for one in alive for category in one.kept})],
            "pairs": [2] * full + [rest],
            "weeks": [total for _week, total in sorted(weeks.items())],
            "streak": [self.streak({one.day for one in alive})],
            "days": [len(first_days)],
        }
        return {code: [Decimal(each) for each in found if each] for code, found in raw.items()}

    @staticmethod
    def first_days(alive: list[Bought]) -> list[Bought]:
        return [one for one in alive if (one.day - alive[0].day).days <= 3]

    @staticmethod
    def streak(days: set[dt.date]) -> int:
        """By trying every first and last day; one day may be missing."""
        best = 0
        for first in days:
            for last in days:
                inside = [day for day in days if first <= day <= last]
                if first <= last and (last - first).days + 1 - len(inside) <= 1:
                    best = max(best, len(inside))
        return best

    def points(self) -> int:
        return sum(
            points
            for code, found in self.rounds().items()
            for amount in found
            for target, points in STEPS[code]
            if amount >= target
        )


STEPS = {
    "categories": ((1, 1), (3, 10)),
    "pairs": ((2, 100),),
    "weeks": ((12, 1_000), (20, 3_000)),
    "streak": ((2, 10_000), (3, 30_000)),
    "days": ((2, 100_000),),
}
TERMS: dict[str, dict[str, Any]] = {
    "categories": {"measure": Measure.CATEGORIES},
    "pairs": {"measure": Measure.COUNT, "recurs": Recurs.ON_COMPLETION},
    "weeks": {"measure": Measure.SPEND, "recurs": Recurs.WEEKLY},
    "streak": {"measure": Measure.STREAK_DAYS, "grace": 1},
    "days": {"measure": Measure.COUNT, "window": Window.FROM_JOINING, "days": 3},
}

buying = st.tuples(st.just("buy"), st.integers(0, 24 * 16), st.sets(st.sampled_from(CATEGORIES), min_size=1))
doings = st.one_of(
    buying,
    buying,
    st.tuples(st.just("hear"), st.integers(0, 20), st.none()),
    st.tuples(st.just("return"), st.integers(0, 20), st.sampled_from([*CATEGORIES, "all"])),
)


@contextmanager
def undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(doings=st.lists(doings, min_size=3, max_size=14), order=st.randoms(use_true_random=False))
def test_any_order_comes_to_what_the_model_says(doings: list[tuple[str, int, Any]], order: Any) -> None:
    with undone():
        explorer = badge("explorer")
        for code, facts in TERMS.items():
            steps = [{"target": target, "points": points} for target, points in STEPS[code]]
            steps[-1]["badge"] = explorer  # type: ignore[assignment]
            challenge(code=code, steps=steps, **facts)
        aino, model = member(), Model()
        for what, number, more in doings:
            do(aino, model, what, number, more)
        unheard = [one for one in model.bought if not one.heard]
        order.shuffle(unheard)
        for one in [*unheard, *order.sample(model.bought, k=min(2, len(model.bought)))]:
            hear(one)
        assert found_rounds(aino) == model.rounds()
        assert found_points(aino) == model.points()
        awards = StepAward.objects.filter(round__member=aino, withdrawn_at=None)
        assert sum(award.points for award in awards) == model.points()
        assert MemberBadge.objects.filter(member=aino).count() == awards.filter(step__badge=explorer).count()


def do(aino: Member, model: Model, what: str, number: int, more: Any) -> None:
    if what == "buy":
        at = JUNE + dt.timedelta(hours=number)
        lines = tuple(LineFacts(each, each, "FOOD", Decimal(1), Decimal(4)) for each in sorted(more))
        done = purchase(aino, total=4 * len(more), at=at, lines=lines)
        row = Activity.objects.get(public_id=done.activity_id)
        model.bought.append(Bought(at, sorted(more), row.pk, str(row.public_id)))
    elif model.bought:
        one = model.bought[number % len(model.bought)]
        if what == "hear":
            hear(one)
        elif more in one.kept or (more == "all" and one.kept):
            order = Order(everything=True) if more == "all" else Order(lines=(Returned(more),))
            refund(activity_id=one.id, external_id=f"{one.id} {more} {len(one.kept)}", order=order, at=LATE)
            one.kept = [] if more == "all" else [each for each in one.kept if each != more]
            one.heard = False


def hear(one: Bought) -> None:
    progress.follow(public_ids={one.public_id}, at=LATE)
    one.heard = True


def found_rounds(aino: Member) -> dict[str, list[Decimal]]:
    rows = ChallengeRound.objects.filter(member=aino, progress__gt=0).order_by("number")
    found: dict[str, list[Decimal]] = {code: [] for code in TERMS}
    for code, amount in rows.values_list("challenge__code", "progress"):
        found[code].append(amount)
    return found


def found_points(aino: Member) -> int:
    rows = Transfer.objects.filter(member=aino, source="rewards.challenge").values_list("reverses", "points")
    return sum(-points if reverses else points for reverses, points in rows)


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(buys=st.lists(buying, max_size=8))
def test_counting_afterwards_comes_to_the_same_as_following(buys: list[tuple[str, int, Any]]) -> None:
    with undone():
        for code, facts in TERMS.items():
            steps = [{"target": target, "points": points} for target, points in STEPS[code]]
            challenge(code=code, steps=steps, **facts)
        aino, model = member(), Model()
        for what, number, more in buys:
            do(aino, model, what, number, more)
        ids = list(Challenge.objects.values_list("pk", flat=True))
        progress.recount(challenge_ids=ids, member_ids=[aino.pk], at=LATE)
        assert (found_rounds(aino), found_points(aino)) == (model.rounds(), model.points())
        for one in model.bought:
            hear(one)
        progress.recount(challenge_ids=ids, member_ids=[aino.pk], at=LATE)
        assert (found_rounds(aino), found_points(aino)) == (model.rounds(), model.points())


def test_when_the_first_purchase_comes_back_the_days_begin_with_the_next() -> None:
    challenge(code="days", steps=[{"target": 2, "points": 100_000}], **TERMS["days"])
    aino, model = member(), Model()
    for hours in (0, 24 * 5, 24 * 6, 24 * 9):
        do(aino, model, "buy", hours, {"milk"})
        hear(model.bought[-1])
    assert ChallengeRound.objects.get(member=aino).progress == 1
    do(aino, model, "return", 0, "all")
    hear(model.bought[0])
    assert ChallengeRound.objects.get(member=aino).progress == 2
    assert found_points(aino) == 100_000
    do(aino, model, "return", 1, "all")
    hear(model.bought[1])
    assert ChallengeRound.objects.get(member=aino).progress == 2
    do(aino, model, "return", 2, "all")
    hear(model.bought[2])
    assert ChallengeRound.objects.get(member=aino).progress == 1
    assert found_points(aino) == 0
