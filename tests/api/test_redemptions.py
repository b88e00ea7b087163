"""Redemptions in the API: what tills rely on, each refusal's own problem, and many at once."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from members.models import Member
from rewards.models import Redemption, RedemptionTerms, RewardStock, Transfer
from rewards.verification import verify
from tests.api.till import Till
from tests.factories.members import NOON, member
from tests.factories.redemptions import points_for, redeemed, reward, voucher_reward

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
EACH_TIME = 8
"""The key, the claim and the member; the accounts' lock, what the redemption decides by, the lots; the transfer; and
the answer's own row, with all that waited for it."""
OF_THE_TEST = 2
"""The savepoint and its release: within a test's transaction the request's own is one."""
AINO = {"member": {"external_id": "c-1"}}


@pytest.fixture
def rich(aino: Member) -> Member:
    points_for(aino, 500)
    return aino


class TestPlacing:
    def test_a_reward_is_answered_with_its_code_and_the_balance(self, till: Till, rich: Member) -> None:
        mug = reward(points=200, money=Decimal("1.50"))
        answer = till.post("redemptions", {**AINO, "reward": str(mug.public_id), "external_id": "s-1"})

        row = Redemption.objects.get()
        code = row.code or ""
        assert (answer.status_code, answer.json()) == (
            201,
            {
                "id": str(row.public_id),
                "external_id": "s-1",
                "member": {"id": str(rich.public_id)},
                "reward": {"id": str(mug.public_id), "code": mug.code, "name": "Coffee mug"},
                "state": "reserved",
                "via": "api",
                "points": 200,
                "money": "1.50",
                "currency": "EUR",
                "code": f"R-{code[1:5]}-{code[5:9]}-{code[9:]}",
                "voucher": None,
                "redeemed_at": "2026-06-15T09:00:00Z",
                "collect_by": "2026-06-29T21:00:00Z",
                "ended_at": None,
                "balance": {"available": 300, "pending": 0, "debt": 0},
            },
        )
        again = till.post("redemptions", {**AINO, "reward": str(mug.public_id), "external_id": "s-1"})
        assert (again.status_code, again.json()["id"]) == (200, str(row.public_id))
        other = till.post("redemptions", {**AINO, "reward": str(reward().public_id), "external_id": "s-1"})
        assert (other.status_code, other.json()["code"]) == (409, "redemption-exists")
        assert Redemption.objects.count() == 1

    def test_a_voucher_comes_along(self, till: Till, rich: Member) -> None:
        answer = till.post("redemptions", {**AINO, "reward": str(voucher_reward().public_id)})
        assert (answer.status_code, answer.json()["state"], answer.json()["code"]) == (201, "issued", None)
        assert answer.json()["voucher"]["value"] == "5.00"

    def test_points_as_money(self, till: Till, rich: Member) -> None:
        RedemptionTerms.objects.create(valid_from=NOON - DAY, point_value=Decimal("0.01"), least_points=100)
        answer = till.post("redemptions", {**AINO, "points": 450})
        assert (answer.status_code, answer.json()["money"], answer.json()["reward"]) == (201, "4.50", None)
        assert answer.json()["balance"]["available"] == 50

        short = till.post("redemptions", {**AINO, "points": 100})
        assert (short.status_code, short.json()["code"]) == (409, "insufficient-points")
        assert short.json()["obstacles"][0]["points_missing"] == 50

        cancelled = till.post(f"redemptions/{answer.json()['id']}/cancel", {"note": "Sale voided"})
        assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
        assert till.get(f"members/{rich.public_id}/balance").json()["available"] == 500

    @pytest.mark.parametrize(
        ("facts", "code"),
        [
            ({"points": 501}, "insufficient-points"),
            ({"stock": 0}, "out-of-stock"),
            ({"is_active": False}, "not-in-catalogue"),
            ({"opens_at": NOON + DAY}, "not-open"),
            ({"closes_at": NOON}, "reward-ended"),
            ({"conditions": {"field": "language", "op": "eq", "value": "sv"}}, "not-in-audience"),
            ({"limit_in_all": 0}, "limit-reached"),
            ({"limit_per_member": 0}, "member-limit-reached"),
        ],
    )
    def test_each_refusal_has_its_own_problem(
        self, till: Till, rich: Member, facts: dict[str, object], code: str
    ) -> None:
        wanted = reward(**facts)  # type: ignore[arg-type]
        answer = till.post("redemptions", {**AINO, "reward": str(wanted.public_id)})
        assert (answer.status_code, answer.json()["code"]) == (409, code)
        assert answer.json()["title"]
        assert not Redemption.objects.exists()
        assert not Transfer.objects.filter(kind="redeem").exists()

    @pytest.mark.parametrize("body", [{}, {"reward": str(NOON), "points": 5}, {"points": 0}, {"points": "x"}])
    def test_bad_input_names_the_field(self, till: Till, rich: Member, body: dict[str, object]) -> None:
        answer = till.post("redemptions", {**AINO, **body})
        assert answer.status_code == 422
        assert {error["field"] for error in answer.json()["errors"]} <= {"reward", "points"}

    def test_an_unknown_member_and_an_unknown_reward(self, till: Till, rich: Member) -> None:
        nobody = till.post("redemptions", {"member": {"external_id": "x"}, "points": 100})
        nothing = till.post("redemptions", {**AINO, "reward": str(rich.public_id)})
        assert (nobody.json()["code"], nothing.json()["code"]) == ("unknown-member", "unknown-reward")


class TestWhatItCosts:
    """Every statement counts: this is what tills and web shops call while somebody waits."""

    def test_a_reward_takes_eight_statements(
        self, till: Till, rich: Member, django_assert_num_queries: Any
    ) -> None:
        mug = reward(points=10, stock=50, limit_per_member=9)
        till.post("redemptions", {**AINO, "reward": str(mug.public_id)})
        with django_assert_num_queries(EACH_TIME + OF_THE_TEST):
            answer = till.post("redemptions", {**AINO, "reward": str(mug.public_id), "external_id": "s-2"})
        assert answer.status_code == 201
        assert RewardStock.objects.get().taken == 2
        assert verify(at=NOON) == []

    def test_a_reward_that_changed_is_read_again(self, till: Till, rich: Member) -> None:
        mug = reward(points=10)
        till.post("redemptions", {**AINO, "reward": str(mug.public_id)})
        mug.points = 30
        mug.save()
        answer = till.post("redemptions", {**AINO, "reward": str(mug.public_id)})
        assert (answer.json()["points"], answer.json()["balance"]["available"]) == (30, 460)
        mug.is_active = False
        mug.save()
        refused = till.post("redemptions", {**AINO, "reward": str(mug.public_id)})
        assert (refused.status_code, refused.json()["code"]) == (409, "not-in-catalogue")
        Redemption.objects.update(reward=None)
        mug.delete()
        gone = till.post("redemptions", {**AINO, "reward": str(mug.public_id)})
        assert (gone.status_code, gone.json()["code"]) == (404, "unknown-reward")


class TestReadingAndChanging:
    def test_a_partner_sees_its_own_and_finds_others_by_code(
        self, till: Till, other: Till, rich: Member
    ) -> None:
        made = till.post("redemptions", {**AINO, "reward": str(reward().public_id)}).json()
        in_portal = redeemed(rich, reward()).redemption

        assert [row["id"] for row in till.get("redemptions").json()["results"]] == [made["id"]]
        assert other.get("redemptions").json()["results"] == []
        assert other.get(f"redemptions/{made['id']}").status_code == 404
        shown = (in_portal.code or "").lower()
        found = other.get("redemptions", code=f" {shown[:5]} {shown[5:]}").json()["results"]
        assert [row["id"] for row in found] == [str(in_portal.public_id)]

    def test_a_till_hands_over_what_the_member_shows(self, other: Till, rich: Member) -> None:
        row = redeemed(rich, reward()).redemption
        for _time in range(2):
            answer = other.post(f"redemptions/{row.public_id}/fulfil", {})
            assert (answer.status_code, answer.json()["state"]) == (200, "fulfilled")
        assert row.steps.count() == 2

    def test_nobody_cancels_or_hands_over_what_is_anothers(
        self, till: Till, other: Till, rich: Member
    ) -> None:
        made = till.post("redemptions", {**AINO, "reward": str(voucher_reward().public_id)}).json()
        for step in ("cancel", "fulfil"):
            assert other.post(f"redemptions/{made['id']}/{step}", {}).status_code == 404
        assert Redemption.objects.get().state == "issued"

    def test_what_cannot_be_done_any_more(self, till: Till, rich: Member) -> None:
        made = till.post("redemptions", {**AINO, "reward": str(reward().public_id)}).json()
        till.post(f"redemptions/{made['id']}/cancel", {})
        answer = till.post(f"redemptions/{made['id']}/fulfil", {})
        assert (answer.status_code, answer.json()["code"]) == (409, "wrong-state")

    def test_scopes(self, shop: object, rich: Member) -> None:
        reader = Till(shop, scopes=("redemptions:read",))  # type: ignore[arg-type]
        assert reader.get("redemptions").status_code == 200
        assert reader.post("redemptions", {**AINO, "points": 100}).status_code == 403


def together(send: object, count: int) -> list[int]:
    def one(number: int) -> int:
        try:
            return int(send(number))  # type: ignore[operator]
        finally:
            connection.close()

    with ThreadPoolExecutor(16) as pool:
        return sorted(pool.map(one, range(count)))


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_of_a_hundred_at_once_a_balance_for_one_redeems_one(till: Till, aino: Member) -> None:
    points_for(aino, 100)
    mug = reward(points=100, stock=1000)
    body = {**AINO, "reward": str(mug.public_id)}

    statuses = together(lambda number: till.post("redemptions", body, key=f"k{number}").status_code, 100)

    assert statuses == [201] + [409] * 99
    assert (Redemption.objects.count(), RewardStock.objects.get().taken) == (1, 1)
    assert verify(at=NOON) == []


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_the_last_piece_goes_to_one_of_fifty_members(till: Till, shop: object) -> None:
    for number in range(50):
        each = member(partner=shop, external_id=f"m-{number}", email="")  # type: ignore[arg-type]
        points_for(each, 100)
    last = reward(points=100, stock=1, limit_in_all=10)

    def send(number: int) -> int:
        body = {"member": {"external_id": f"m-{number}"}, "reward": str(last.public_id)}
        return int(till.post("redemptions", body, key=f"k{number}").status_code)

    assert together(send, 50) == [201] + [409] * 49
    assert (Redemption.objects.count(), RewardStock.objects.get().taken) == (1, 1)
    assert verify(at=NOON) == []


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_limit_for_all_holds_without_any_stock(till: Till, shop: object) -> None:
    for number in range(12):
        points_for(member(partner=shop, external_id=f"m-{number}", email=""), 100)  # type: ignore[arg-type]
    few = reward(points=100, limit_in_all=3)

    def send(number: int) -> int:
        body = {"member": {"external_id": f"m-{number}"}, "reward": str(few.public_id)}
        return int(till.post("redemptions", body, key=f"k{number}").status_code)

    assert together(send, 12) == [201] * 3 + [409] * 9
    assert verify(at=NOON) == []


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_redeeming_cancelling_and_handing_over_at_once_never_fails(till: Till, aino: Member) -> None:
    points_for(aino, 400)
    mug = reward(points=100, stock=4)
    made = [
        till.post("redemptions", {**AINO, "reward": str(mug.public_id)}).json()["id"] for _one in range(4)
    ]

    def send(number: int) -> int:
        step = ("cancel", "fulfil", "cancel")[number % 3]
        if number % 5 == 4:
            body = {**AINO, "reward": str(mug.public_id)}
            return int(till.post("redemptions", body, key=f"k{number}").status_code)
        return int(till.post(f"redemptions/{made[number % 4]}/{step}", {}, key=f"k{number}").status_code)

    assert set(together(send, 40)) <= {200, 201, 409}
    assert verify(at=NOON) == []


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_one_key_for_many_members_at_once_is_the_first_ones(till: Till, shop: object) -> None:
    for number in range(12):
        points_for(member(partner=shop, external_id=f"m-{number}", email=""), 100)  # type: ignore[arg-type]
    mug = reward(points=100)

    def send(number: int) -> int:
        body = {
            "member": {"external_id": f"m-{number}"},
            "reward": str(mug.public_id),
            "external_id": "s-1",
        }
        return int(till.post("redemptions", body, key=f"k{number}").status_code)

    assert together(send, 12) == [201] + [409] * 11
    assert Redemption.objects.count() == 1
    assert verify(at=NOON) == []
