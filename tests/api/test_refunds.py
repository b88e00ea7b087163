"""Refunds, pending points and personal offers in the API: the answers tills rely on, bad input, and twice at once."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalty.events.models import Event
from loyalty.partners.models import Partner
from members.models import Activity, Member
from rewards.models import EarningRule, OfferActivation, Refund, RefundPolicy, RuleRevision, Transfer, Wallet
from rewards.terms import revised
from rewards.verification import verify
from tests.api.till import Till, purchase
from tests.factories.members import NOON

pytestmark = pytest.mark.django_db

BREAD = {
    "total": "42.50",
    "lines": [
        {"sku": "bread", "category": "Bakery", "brand": "Oma", "quantity": "3", "total": "30.00"},
        {"sku": "milk", "total": "12.50"},
    ],
}


def rule(code: str, **terms: Any) -> None:
    made = EarningRule.objects.create(code=code, names={"en": code.capitalize(), "fi": f"{code} (fi)"})
    facts = {
        "number": 1,
        "priority": 20,
        "valid_from": NOON.replace(year=2025),
        "effect": "fixed",
        "points": 50,
    }
    RuleRevision.objects.create(rule=made, wallet=Wallet.objects.get(is_default=True), **facts | terms)
    revised()


def bought(till: Till, **facts: Any) -> str:
    answer = till.post("activities", purchase(**BREAD | facts))
    assert answer.status_code == 201
    return str(answer.json()["id"])


def written() -> tuple[int, int, int]:
    return (
        Refund.objects.count(),
        Transfer.objects.count(),
        Event.objects.filter(name="activity.refunded").count(),
    )


def fields(answer: Any) -> list[str]:
    return [error["field"] for error in answer.json()["errors"]]


class TestRefund:
    def test_all_of_a_purchase(self, till: Till, aino: Member) -> None:
        id_ = bought(till)
        answer = till.post(f"activities/{id_}/refunds", {"external_id": "f-1", "all": True})

        assert answer.status_code == 201
        assert answer.json() == {
            "id": str(Refund.objects.get().public_id),
            "external_id": "f-1",
            "activity": id_,
            "status": "posted",
            "amount": "42.50",
            "points": {"taken": 42, "forgiven": 0},
            "reasons": [{"rule": "base", "points": 42, "text": "Base points"}],
            "balance": {"available": 0, "pending": 0, "debt": 0},
            "tier": {"code": "bronze", "name": "Bronze"},
        }

    def test_lines_and_an_amount(self, till: Till, aino: Member) -> None:
        id_ = bought(till)
        first = till.post(
            f"activities/{id_}/refunds",
            {"external_id": "f-1", "lines": [{"sku": "bread", "quantity": "1"}, {"sku": "milk"}]},
        )
        second = till.post(f"activities/{id_}/refunds", {"external_id": "f-2", "amount": "5.00"})

        assert (first.json()["amount"], first.json()["points"]["taken"]) == ("22.50", 22)
        assert (second.json()["amount"], second.json()["points"]["taken"]) == ("5.00", 5)
        assert second.json()["balance"]["available"] == 15

    def test_the_list_tells_what_came_back(self, till: Till, aino: Member) -> None:
        id_ = bought(till)
        till.post(f"activities/{id_}/refunds", {"external_id": "f-1", "lines": [{"sku": "milk"}]})
        till.post(f"activities/{id_}/refunds", {"external_id": "f-2", "all": True})
        first, second = till.get(f"activities/{id_}/refunds").json()["results"]

        assert (first["external_id"], first["amount"], first["lines"]) == (
            "f-1", "12.50", [{"sku": "milk", "quantity": "1.000", "total": "12.50"}],
        )  # fmt: skip
        assert first["reasons"] == [{"rule": "base", "points": 12, "text": "Base points"}]
        assert [line["sku"] for line in second["lines"]] == ["bread"]
        assert first["points"]["taken"] + second["points"]["taken"] == 42

    def test_the_list_costs_the_same_for_one_and_ten(self, till: Till, aino: Member) -> None:
        id_, counts = bought(till), []
        for number in range(10):
            till.post(f"activities/{id_}/refunds", {"external_id": f"f-{number}", "amount": "1.00"})
            with CaptureQueriesContext(connection) as queries:
                assert len(till.get(f"activities/{id_}/refunds").json()["results"]) == number + 1
            counts.append(len(queries))
        assert counts[0] == counts[-1]

    def test_the_same_again_gives_the_first_answer(self, till: Till, aino: Member) -> None:
        path, body = f"activities/{bought(till)}/refunds", {"external_id": "f-1", "amount": "5.00"}
        first, again = till.post(path, body), till.post(path, body)

        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json() == first.json()
        assert Refund.objects.count() == 1

    def test_other_content_under_a_known_id_is_a_conflict(self, till: Till, aino: Member) -> None:
        path = f"activities/{bought(till)}/refunds"
        till.post(path, {"external_id": "f-1", "amount": "5.00"})
        before = written()
        answers = [
            till.post(path, {"external_id": "f-1", "amount": "6.00"}),
            till.post(
                f"activities/{bought(till, total='1', lines=[])}/refunds", {"external_id": "f-1", "all": True}
            ),
        ]
        assert [answer.status_code for answer in answers] == [409, 409]
        assert [answer.json()["code"] for answer in answers] == ["refund-exists"] * 2
        assert fields(answers[0]) == ["external_id"]
        assert written()[0] == before[0]

    def test_partial_refunds_beyond_the_total_are_refused(self, till: Till, aino: Member) -> None:
        path = f"activities/{bought(till)}/refunds"
        assert till.post(path, {"external_id": "f-1", "amount": "40.00"}).status_code == 201
        before = written()
        answers = [
            till.post(path, {"external_id": "f-2", "amount": "2.51"}),
            till.post(path, {"external_id": "f-2", "lines": [{"sku": "bread"}]}),
        ]
        assert [(answer.status_code, fields(answer)) for answer in answers] == [
            (422, ["amount"]),
            (422, ["lines"]),
        ]
        assert written() == before
        assert till.post(path, {"external_id": "f-2", "all": True}).json()["amount"] == "2.50"
        assert till.post(path, {"external_id": "f-3", "all": True}).status_code == 422

    def test_spent_points_wait_for_staff_where_the_policy_says_so(self, till: Till, aino: Member) -> None:
        from rewards.grants import adjust
        from tests.factories.staff import staff

        RefundPolicy.objects.create(valid_from=NOON.replace(year=2025), spent="hold")
        id_ = bought(till)
        adjust(member_id=aino.pk, points=-40, staff_id=staff().pk, note="spent", at=NOON)
        answer = till.post(f"activities/{id_}/refunds", {"external_id": "f-1", "all": True}).json()

        assert (answer["status"], answer["points"], answer["reasons"]) == (
            "held",
            {"taken": 0, "forgiven": 0},
            [],
        )

    @pytest.mark.parametrize(
        ("body", "wrong"),
        [
            ({"all": True}, ["external_id"]),
            ({"external_id": "", "all": True}, ["external_id"]),
            ({"external_id": "x" * 101, "all": True}, ["external_id"]),
            ({"external_id": "f"}, ["all", "amount", "lines"]),
            ({"external_id": "f", "all": True, "amount": "1"}, ["all", "amount"]),
            ({"external_id": "f", "amount": "1", "lines": [{"sku": "milk"}]}, ["amount", "lines"]),
            ({"external_id": "f", "all": False}, ["all"]),
            ({"external_id": "f", "all": "perhaps"}, ["all"]),
            ({"external_id": "f", "all": None}, ["all"]),
            ({"external_id": "f", "amount": "0"}, ["amount"]),
            ({"external_id": "f", "amount": "-1"}, ["amount"]),
            ({"external_id": "f", "amount": "NaN"}, ["amount"]),
            ({"external_id": "f", "amount": "1e400"}, ["amount"]),
            ({"external_id": "f", "amount": "0.001"}, ["amount"]),
            ({"external_id": "f", "amount": 2**63}, ["amount"]),
            ({"external_id": "f", "amount": "43"}, ["amount"]),
            ({"external_id": "f", "lines": []}, ["lines"]),
            ({"external_id": "f", "lines": "milk"}, ["lines"]),
            ({"external_id": "f", "lines": ["milk"]}, ["lines[0]"]),
            ({"external_id": "f", "lines": [{"quantity": 1}]}, ["lines[0].sku"]),
            ({"external_id": "f", "lines": [{"sku": "cheese"}]}, ["lines[0].sku"]),
            ({"external_id": "f", "lines": [{"sku": "bread", "quantity": 0}]}, ["lines[0].quantity"]),
            ({"external_id": "f", "lines": [{"sku": "bread", "quantity": "3.001"}]}, ["lines[0].quantity"]),
            ({"external_id": "f", "lines": [{"sku": "milk"}, {"sku": "milk"}]}, ["lines"]),
            ({"external_id": "f", "all": True, "occurred_at": "yesterday"}, ["occurred_at"]),
            ({"external_id": "f", "all": True, "occurred_at": "2026-06-15T12:00:00"}, ["occurred_at"]),
            ({"external_id": "f", "all": True, "occurred_at": "2026-06-16T12:00:00Z"}, ["occurred_at"]),
            ({"external_id": "f", "all": True, "occurred_at": "2026-06-15T08:57:00Z"}, ["occurred_at"]),
        ],
    )
    def test_bad_input_names_the_field_and_writes_nothing(
        self, till: Till, aino: Member, body: dict[str, Any], wrong: list[str]
    ) -> None:
        id_ = bought(till)
        before = written()
        answer = till.post(f"activities/{id_}/refunds", body)

        assert (answer.status_code, fields(answer)) == (422, wrong)
        assert written() == before

    def test_only_ones_own_activities(self, till: Till, other: Till, aino: Member) -> None:
        id_ = bought(till)
        before = written()
        for path in (f"activities/{id_}/refunds", f"activities/{uuid.uuid4()}/refunds"):
            assert other.post(path, {"external_id": "f-1", "all": True}).status_code == 404
            assert other.get(path).status_code == 404
        for path in (f"activities/{id_}/confirm", f"activities/{id_}/cancel"):
            assert other.post(path, {}).status_code == 404
        assert written() == before

    def test_a_narrow_key_may_not(self, shop: Partner, till: Till, aino: Member) -> None:
        id_, narrow = bought(till), Till(shop, scopes=("activities:read",))
        before = written()
        for place in ("refunds", "confirm", "cancel"):
            body = {"external_id": "f-1", "all": True}
            assert narrow.post(f"activities/{id_}/{place}", body).status_code == 403
        assert written() == before
        assert narrow.get(f"activities/{id_}/refunds").status_code == 200

    def test_a_missing_key_is_refused(self, till: Till, aino: Member) -> None:
        id_ = bought(till)
        body = {"external_id": "f-1", "all": True}
        answer = till.client.post(f"/api/v1/activities/{id_}/refunds", body, format="json")
        assert (answer.status_code, Refund.objects.count()) == (400, 0)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
@pytest.mark.parametrize("keys", ["one key", "a key each"])
def test_the_same_refund_twice_in_parallel_happens_once(till: Till, aino: Member, keys: str) -> None:
    path = f"activities/{bought(till)}/refunds"

    def send(number: int) -> int:
        try:
            key = "same" if keys == "one key" else f"key-{number}"
            return int(till.post(path, {"external_id": "f-1", "amount": "5.00"}, key=key).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(send, range(12)))

    assert set(statuses) <= ({201, 409} if keys == "one key" else {200, 201})
    if keys == "a key each":
        assert statuses.count(201) == 1
    assert Refund.objects.count() == 1
    assert till.get(f"members/{aino.public_id}/balance").json()["available"] == 37


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_parallel_partial_refunds_never_exceed_the_purchase(till: Till, aino: Member) -> None:
    path = f"activities/{bought(till)}/refunds"

    def send(number: int) -> int:
        try:
            return int(till.post(path, {"external_id": f"f-{number}", "amount": "20.00"}).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(pool.map(send, range(4)))

    assert statuses == [201, 201, 422, 422]
    assert sum(refund.amount for refund in Refund.objects.all()) == Decimal("40.00")
    assert verify(at=NOON) == []


class TestPending:
    def test_confirming_makes_them_available(self, till: Till, aino: Member) -> None:
        rule("booking", pending_confirmation=True)
        id_ = bought(till)
        answer = till.post(f"activities/{id_}/confirm", {})

        assert (answer.status_code, answer.json()) == (
            200,
            {
                "activity": id_,
                "points": 50,
                "balance": {"available": 92, "pending": 0, "debt": 0},
                "tier": {"code": "bronze", "name": "Bronze"},
            },
        )
        again = till.post(f"activities/{id_}/confirm", {})
        assert (again.status_code, again.json()["code"]) == (409, "nothing-pending")

    def test_cancelling_takes_them_back(self, till: Till, aino: Member) -> None:
        rule("booking", pending_confirmation=True)
        id_ = bought(till)
        answer = till.post(f"activities/{id_}/cancel", {}, key="one")
        repeated = till.post(f"activities/{id_}/cancel", {}, key="one")

        assert answer.json()["balance"] == {"available": 42, "pending": 0, "debt": 0}
        assert repeated.content == answer.content
        assert till.post(f"activities/{id_}/confirm", {}).status_code == 409

    @pytest.mark.parametrize("what", ["confirm", "cancel"])
    def test_nothing_pending_is_a_conflict(self, till: Till, aino: Member, what: str) -> None:
        id_ = bought(till)
        before = written()
        assert till.post(f"activities/{id_}/{what}", {}).status_code == 409
        assert written() == before


class TestExplanation:
    def test_reading_an_activity_says_why_in_the_language_asked_for(self, till: Till, aino: Member) -> None:
        rule("weekend", conditions={"field": "weekday", "op": "in", "value": ["6", "7"]})
        id_ = bought(till)
        read = till.get(f"activities/{id_}").json()
        base, weekend = (each for each in read["explanation"] if each["rule"] in {"base", "weekend"})

        assert (base["points"], base["revision"], base["outcome"], base["pending"]) == (42, 1, "given", False)
        assert weekend == {
            "rule": "weekend",
            "name": "Weekend",
            "revision": 1,
            "points": 0,
            "pending": False,
            "outcome": "condition",
            "text": "No points, because weekday in the store is not Saturday or Sunday.",
        }
        finnish = till.get(f"activities/{id_}", language="fi").json()["explanation"]
        assert {"weekend (fi)", "Peruspisteet"} <= {each["name"] for each in finnish}

    def test_the_brand_of_a_line_is_kept(self, till: Till, aino: Member) -> None:
        rule("own", lines={"field": "brand", "op": "eq", "value": "Oma"})
        id_ = bought(till)
        read = till.get(f"activities/{id_}").json()

        assert [line["brand"] for line in read["lines"]] == ["Oma", ""]
        assert {each["rule"]: each["points"] for each in read["reasons"]} == {"base": 42, "own": 50}


class TestOffers:
    def test_an_offer_is_read_and_activated(self, till: Till, aino: Member) -> None:
        rule("autumn", needs_activation=True, cap_per_member=100)
        path = f"members/{aino.public_id}/offers"
        (shown,) = till.get(path).json()["results"]
        answer = till.post(f"{path}/activate", {"offer": "autumn"})
        again = till.post(f"{path}/activate", {"offer": "autumn"})

        assert shown == {
            "offer": "autumn",
            "name": "Autumn",
            "gives": "50 points",
            "when": "",
            "valid_until": None,
            "activated_at": None,
            "caps": {"per_activity": None, "per_member": 100, "period": "month", "left": 100},
        }
        assert answer.status_code == again.status_code == 200
        assert answer.json() == again.json() == shown | {"activated_at": answer.json()["activated_at"]}
        assert OfferActivation.objects.count() == 1

    @pytest.mark.parametrize(
        ("body", "status", "wrong"),
        [
            ({"offer": "base"}, 404, ["offer"]),
            ({"offer": "no such"}, 404, ["offer"]),
            ({}, 422, ["offer"]),
            ({"offer": None}, 422, ["offer"]),
            ({"offer": ["autumn"]}, 422, ["offer"]),
        ],
    )
    def test_what_cannot_be_activated(
        self, till: Till, aino: Member, body: dict[str, Any], status: int, wrong: list[str]
    ) -> None:
        answer = till.post(f"members/{aino.public_id}/offers/activate", body)
        assert (answer.status_code, fields(answer)) == (status, wrong)
        assert not OfferActivation.objects.exists()

    def test_strangers_and_narrow_keys_may_not(
        self, shop: Partner, till: Till, other: Till, aino: Member
    ) -> None:
        rule("autumn", needs_activation=True)
        path = f"members/{aino.public_id}/offers"
        narrow = Till(shop, scopes=("points:read", "activities:write"))

        assert other.get(path).status_code == 404
        assert other.post(f"{path}/activate", {"offer": "autumn"}).status_code == 404
        assert narrow.post(f"{path}/activate", {"offer": "autumn"}).status_code == 403
        assert not OfferActivation.objects.exists()


def test_activities_refer_to_no_refund_of_others(till: Till, other: Till, aino: Member) -> None:
    """The same external id of a refund belongs to each partner on its own."""
    mine = bought(till)
    theirs = other.post("activities", purchase(member={"card_number": aino.card_number})).json()["id"]
    assert till.post(f"activities/{mine}/refunds", {"external_id": "f", "all": True}).status_code == 201
    assert other.post(f"activities/{theirs}/refunds", {"external_id": "f", "all": True}).status_code == 201
    assert Activity.objects.count() == 2
