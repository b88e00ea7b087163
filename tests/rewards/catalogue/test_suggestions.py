"""Who keeps buying oat milk is not offered whole milk; who said never is not asked again."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from members.activities import LineFacts
from members.consents import set_consent
from members.models import Member
from rewards.catalogue import preferences
from rewards.catalogue.favourites import mark
from rewards.catalogue.listing import listing
from rewards.catalogue.preferences import Bought, EitherOr, Goods, Kind, UnknownKind, unwanted
from rewards.catalogue.suggestions import next_reward, suggest
from rewards.models import Aversion, AversionKind, MemberAversion
from tests.factories.catalogue import points, reward
from tests.factories.members import NOON, member
from tests.factories.partners import PartnerFactory
from tests.factories.rewards import purchase

DAY = dt.timedelta(days=1)
OAT = Kind(1, frozenset({"oat"}), frozenset())
WHOLE = Kind(2, frozenset({"whole"}), frozenset({"Dairy"}))
MILK = EitherOr(purchases=2, days=100, kinds=(OAT, WHOLE))


def bought(*baskets: str, ago: int = 1, categories: Sequence[str] = ()) -> list[Bought]:
    return [Bought(NOON - ago * DAY, frozenset({sku}), frozenset(categories)) for sku in baskets]


def not_wanted(said: set[int], purchases: Sequence[Bought]) -> set[int]:
    return {kind.id for kind in unwanted(either_ors=[MILK], said=said, bought=purchases, at=NOON).kinds}


@pytest.mark.parametrize(
    ("said", "purchases", "expected"),
    [
        (set(), [], set()),
        (set(), bought("oat"), set()),
        (set(), bought("oat", "oat"), {2}),
        (set(), bought("oat", "oat", ago=101), set()),
        (set(), bought("oat", "oat", "whole"), set()),
        (set(), bought("whole", "other", "whole"), {1}),
        ({1}, [], {1}),
        # said oat never, bought it for somebody else: that shows nothing about whole milk
        ({1}, bought("oat", "oat"), {1}),
        ({1, 2}, bought("oat", "oat"), {1, 2}),
        (set(), bought("bread", "bread", categories=["Dairy"]), {1}),
    ],
)
def test_what_is_unwanted(said: set[int], purchases: list[Bought], expected: set[int]) -> None:
    assert not_wanted(said, purchases) == expected


def test_a_reward_conflicts_only_when_all_of_it_is_unwanted() -> None:
    found = unwanted(either_ors=[MILK], said={2}, bought=[], at=NOON)
    assert found.conflicts([Goods("whole")])
    assert found.conflicts([Goods("cream", frozenset({"Dairy"}))])
    assert not found.conflicts([Goods("whole"), Goods("oat")])
    assert not found.conflicts([])


# --- With the house around it -----------------------------------------------------------------------------------------


@pytest.fixture
def aino(db: None) -> Member:
    who = member(partner=PartnerFactory())
    points(who, 200)
    return who


@pytest.fixture
def milk(db: None) -> Aversion:
    kept = Aversion.objects.create(code="milk", names={"en": "Milk"})
    for code in ("oat", "whole"):
        AversionKind.objects.create(aversion=kept, code=code, names={"en": code}, skus=[code])
    return kept


def agree(who: Member) -> None:
    for purpose in preferences.NEEDED:
        set_consent(member_id=who.pk, purpose=purpose, granted=True, source="portal", at=NOON)


def buy(who: Member, *skus: str) -> None:
    lines = tuple(LineFacts(sku, "Milks", "Food", Decimal(1), Decimal(2)) for sku in skus)
    purchase(who, total=2 * len(skus), at=NOON - 3 * DAY, lines=lines)


def suggested(who: Member) -> list[tuple[str, bool]]:
    found = suggest(who, listing(who, at=NOON), at=NOON)
    return [(each.shown.reward.code, each.by_purchases) for each in found]


def test_purchases_choose_only_for_those_who_agreed(aino: Member, milk: Aversion) -> None:
    reward("whole-milk", skus=["whole"])
    reward("oat-drink", skus=["oat"])
    reward("bag", points=150)
    buy(aino, "oat")
    buy(aino, "oat")
    assert suggested(aino) == [("bag", False), ("whole-milk", False), ("oat-drink", False)]
    agree(aino)
    assert suggested(aino) == [("oat-drink", True), ("bag", False)]


def test_what_was_said_counts_without_any_consent(aino: Member, milk: Aversion) -> None:
    reward("whole-milk", skus=["whole"])
    reward("oat-drink", skus=["oat"])
    preferences.say(member_id=aino.pk, kind_ids=[milk.kinds.get(code="whole").pk], at=NOON)
    assert suggested(aino) == [("oat-drink", False)]
    preferences.say(member_id=aino.pk, kind_ids=[], at=NOON)
    assert {code for code, _why in suggested(aino)} == {"whole-milk", "oat-drink"}


def test_an_unknown_kind_changes_nothing(aino: Member, milk: Aversion) -> None:
    preferences.say(member_id=aino.pk, kind_ids=[milk.kinds.get(code="oat").pk], at=NOON)
    with pytest.raises(UnknownKind):
        preferences.say(member_id=aino.pk, kind_ids=[987_654], at=NOON)
    assert MemberAversion.objects.get().kind.code == "oat"


def test_suggestions_are_within_reach_and_not_marked_already(aino: Member) -> None:
    reward("far", points=401)
    reward("near", points=400)
    marked = reward("marked", points=100)
    mark(member_id=aino.pk, reward=marked, at=NOON)
    assert suggested(aino) == [("near", False)]


def test_the_next_reward_is_the_nearest_marked_else_the_nearest_wanted(aino: Member, milk: Aversion) -> None:
    assert next_reward(aino, at=NOON) is None
    reward("had-already", points=200)
    reward("whole-milk", points=210, skus=["whole"])
    reward("bag", points=300)
    trip = reward("trip", points=5_000)
    preferences.say(member_id=aino.pk, kind_ids=[milk.kinds.get(code="whole").pk], at=NOON)
    first = next_reward(aino, at=NOON)
    assert first is not None
    assert (first.reward.code, first.points_missing) == ("bag", 100)
    mark(member_id=aino.pk, reward=trip, at=NOON)
    second = next_reward(aino, at=NOON)
    assert second is not None
    assert (second.reward.code, second.points_missing) == ("trip", 4_800)


def test_suggesting_costs_the_same_for_few_and_for_many(aino: Member, milk: Aversion) -> None:
    agree(aino)

    def cost() -> int:
        found = listing(aino, at=NOON)
        with CaptureQueriesContext(connection) as queries:
            assert suggest(aino, found, at=NOON)
        return len(queries)

    reward(skus=["oat"])
    buy(aino, "oat")
    one = cost()
    for number in range(20):
        reward(skus=["oat", f"other-{number}"])
        buy(aino, "oat", f"other-{number}")
    assert cost() == one <= 8
