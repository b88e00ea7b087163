"""Who can get a reward at a moment, and what is in the way for the others."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from members.models import Member, Tier
from rewards.catalogue.asking import gather
from rewards.catalogue.availability import RELATED, Asker, Obstacle, ObstacleKind, judge
from rewards.ledger import Why, spend
from rewards.models import Draw, Redemption, Reward, Voucher, Wallet
from rewards.models.ledger import AccountKind
from tests.factories.catalogue import family, points, reward
from tests.factories.members import NOON, member

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)
RICH = Asker(tier_rank=1, points=1_000)


def tier(code: str) -> Tier:
    return Tier.objects.get(code=code)


def kinds(given: Reward, asker: Asker = RICH, at: dt.datetime = NOON) -> list[str]:
    return [str(each.kind) for each in judge(reward=given, asker=asker, at=at)]


def asker_for(who: Member, given: Reward, at: dt.datetime = NOON) -> Asker:
    loaded = Reward.objects.select_related(*RELATED).get(pk=given.pk)
    return gather(member_ids=[who.pk], rewards=[loaded], at=at).asker(who.pk, loaded)


def redeemed(who: Member, given: Reward, *, at: dt.datetime = NOON, state: str = "fulfilled") -> Redemption:
    """A redemption as the ledger and its row show it."""
    wallet = Wallet.objects.get(is_default=True)
    transfer_id = spend(
        member_id=who.pk,
        wallet_id=wallet.pk,
        points=1,
        kind="redeem",
        to_kind=AccountKind.REDEEMED,
        why=Why(),
        at=at,
    )
    return Redemption.objects.create(
        member=who, reward=given, wallet=wallet, state=state, via="portal", points=1, transfer_id=transfer_id,
        redeemed_at=at,
    )  # fmt: skip


def test_nothing_is_in_the_way_of_who_has_the_points() -> None:
    assert judge(reward=reward(points=1_000), asker=RICH, at=NOON) == ()


def test_missing_points_are_told_to_the_point() -> None:
    found = judge(reward=reward(points=1_320), asker=RICH, at=NOON)
    assert found == (Obstacle(ObstacleKind.POINTS, "320 points missing.", points_missing=320),)


CASES: list[tuple[dict[str, Any], dict[str, Any], list[str]]] = [
    ({"is_active": False}, {}, ["withdrawn"]),
    ({"closes_at": NOON}, {}, ["ended"]),
    ({"closes_at": NOON + DAY}, {}, []),
    ({"opens_at": NOON}, {}, []),
    ({"opens_at": NOON + DAY}, {}, ["not_yet"]),
    (
        {"conditions": {"field": "language", "op": "eq", "value": "sv"}},
        {"facts": {"language": "fi"}},
        ["audience"],
    ),
    ({"conditions": {"field": "language", "op": "eq", "value": "sv"}}, {"facts": {"language": "sv"}}, []),
    ({}, {"pieces_left": 0}, ["sold_out"]),
    ({}, {"pieces_left": 1}, []),
    ({"limit_per_member": 2}, {"taken": 2}, ["member_limit"]),
    ({"limit_per_member": 2}, {"taken": 1}, []),
    ({"limit_in_all": 5}, {"taken_in_all": 5}, ["limit_in_all"]),
    (
        {"points": 1_001, "limit_per_member": 1},
        {"taken": 1, "pieces_left": 0},
        ["sold_out", "member_limit", "points"],
    ),
]


@pytest.mark.parametrize(("facts", "asking", "expected"), CASES)
def test_each_thing_in_the_way(facts: dict[str, Any], asking: dict[str, Any], expected: list[str]) -> None:
    assert kinds(reward(**facts), Asker(**{"tier_rank": 1, "points": 1_000, **asking})) == expected


def test_a_tier_is_asked_for_by_its_rank() -> None:
    silver = tier("silver")
    given = reward(minimum_tier=silver)
    assert kinds(given, Asker(tier_rank=silver.rank - 1, points=1_000)) == ["tier"]
    assert kinds(given, Asker(tier_rank=silver.rank, points=1_000)) == []
    assert kinds(given, Asker(tier_rank=silver.rank + 1, points=1_000)) == []


def test_early_access_is_for_its_tier_and_those_above_it() -> None:
    gold = tier("gold")
    given = reward(opens_at=NOON + DAY, early_opens_at=NOON - DAY, early_tier=gold)
    assert kinds(given, Asker(tier_rank=gold.rank, points=1_000)) == []
    assert kinds(given, Asker(tier_rank=gold.rank, points=1_000), NOON - 2 * DAY) == ["not_yet"]
    [waits] = judge(reward=given, asker=Asker(tier_rank=gold.rank - 1, points=1_000), at=NOON)
    assert (waits.kind, waits.until) == ("not_yet", NOON + DAY)


def test_a_limit_that_ends_says_when() -> None:
    given = reward(limit_per_member=1, limit_per_member_period="month")
    [limit] = judge(reward=given, asker=Asker(tier_rank=1, points=500, taken=1), at=NOON)
    assert limit.until == dt.datetime(2026, 6, 30, 21, 0, tzinfo=dt.UTC)
    assert limit.text == "You have taken as many as you can for now. Again 1.7.2026 0:00."
    given.limit_per_member_period = "ever"
    [limit] = judge(reward=given, asker=Asker(tier_rank=1, points=500, taken=1), at=NOON)
    assert (limit.until, limit.text) == (None, "You have taken as many as you can.")


def drawing(**facts: Any) -> Reward:
    """An entry into a draw that is open, both as they stand in a form that nobody saved yet."""
    columns = {"names": {"en": "D"}, "state": "open", "opens_at": NOON - DAY, "closes_at": NOON + DAY}
    entry = {"code": "entry", "kind": "draw_entry", "fulfilment": "at_once", "points": 10, "is_active": True}
    return Reward(names={"en": "Entry"}, draw=Draw(**(columns | facts)), **entry)


WORTHLESS: list[Callable[[], Reward]] = [
    lambda: reward(fulfilment="voucher", voucher_family=family(is_active=False)),
    lambda: reward(fulfilment="voucher", voucher_family=family(valid_to=NOON)),
    lambda: drawing(closes_at=NOON),
    lambda: drawing(state="drawn"),
]


@pytest.mark.parametrize("given", WORTHLESS)
def test_a_reward_ends_with_what_it_turns_into(given: Callable[[], Reward]) -> None:
    assert kinds(given()) == ["ended"]


def test_a_voucher_and_an_open_draw_are_worth_something() -> None:
    assert kinds(reward(fulfilment="voucher", voucher_family=family(valid_to=NOON + DAY))) == []
    assert kinds(drawing()) == []


# --- What is known of the member --------------------------------------------------------------------------------------


def test_points_past_their_expiry_cannot_be_spent_even_before_the_night() -> None:
    who = member()
    points(who, 500, at=NOON - 3 * 365 * DAY)
    points(who, 70)
    assert asker_for(who, reward()).points == 70


def test_the_tier_and_the_facts_are_the_members_own() -> None:
    who = member(language="sv")
    asker = asker_for(who, reward())
    assert asker.tier_rank == who.tier.rank
    assert {name: asker.facts[name] for name in ("language", "tier")} == {
        "language": "sv",
        "tier": who.tier.code,
    }
    gold = reward(conditions={"field": "tier_reached", "op": "contains", "value": "gold"})
    bronze = reward(conditions={"field": "tier_reached", "op": "contains", "value": "bronze"})
    assert kinds(gold, asker_for(who, gold)) == ["audience", "points"]
    assert kinds(bronze, asker_for(who, bronze)) == ["points"]


def test_what_was_given_up_or_is_of_another_month_counts_for_no_limit() -> None:
    who, other = member(), member()
    for each in (who, other):
        points(each, 100, at=NOON - 60 * DAY)
    given = reward(
        limit_per_member=5, limit_per_member_period="month", limit_in_all=9, limit_in_all_period="month"
    )
    for state in ("reserved", "issued", "fulfilled", "cancelled", "expired"):
        redeemed(who, given, state=state)
    redeemed(who, given, at=NOON - 40 * DAY)
    redeemed(other, given)
    asker = asker_for(who, given)
    assert (asker.taken, asker.taken_in_all) == (3, 4)


def test_a_pool_of_codes_that_is_empty_is_sold_out() -> None:
    pool = family(source="pool")
    given = reward(fulfilment="voucher", voucher_family=pool)
    who = member()
    points(who, 100)
    assert kinds(given, asker_for(who, given)) == ["sold_out"]
    Voucher.objects.create(family=pool, code="A1", state="stored", value=5, remaining=5)
    assert (asker_for(who, given).pieces_left, kinds(given, asker_for(who, given))) == (1, [])


def test_reading_costs_the_same_for_one_and_for_thirty_of_each() -> None:
    everybody = [member() for _number in range(30)]
    everything = [
        reward(limit_per_member=1, limit_in_all=5, fulfilment="voucher", voucher_family=family(source="pool"))
        for _number in range(30)
    ]
    loaded = list(Reward.objects.select_related(*RELATED).filter(pk__in=[each.pk for each in everything]))

    def cost(members: list[Member], rewards: list[Reward]) -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            known = gather(member_ids=[each.pk for each in members], rewards=rewards, at=NOON)
            for who in members:
                for each in rewards:
                    judge(reward=each, asker=known.asker(who.pk, each), at=NOON)
        return len(queries)

    cost(everybody[:1], loaded[:1])
    assert cost(everybody, loaded) == cost(everybody[:1], loaded[:1]) == 7
