"""Recording activities: the answers that tills rely on, and what stays the same when they ask twice."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalty.events.models import Event
from members.models import Activity, ActivityLine, Member, Product, Store
from rewards.models import Transfer
from tests.api.till import Till, purchase
from tests.factories.members import NOON, member

pytestmark = pytest.mark.django_db


def test_a_purchase_answers_with_points_reasons_balance_and_tier(till: Till, aino: Member) -> None:
    answer = till.post("activities", purchase(external_id="r-1"))

    assert answer.status_code == 201
    activity = Activity.objects.get()
    assert answer.json() == {
        "id": str(activity.public_id),
        "external_id": "r-1",
        "points": {"available": 42, "pending": 0},
        "reasons": [{"rule": "base", "points": 42, "pending": False, "text": "Base points"}],
        "balance": {"available": 42, "pending": 0, "debt": 0},
        "tier": {"code": "bronze", "name": "Bronze"},
    }
    assert (activity.member, activity.partner, activity.total) == (aino, till.partner, Decimal("42.50"))
    assert activity.occurred_at == dt.datetime(2026, 6, 15, 8, 58, tzinfo=dt.UTC)
    assert activity.recorded_at == NOON
    lines = ActivityLine.objects.order_by("position").values_list(
        "product__sku", "category__name", "category__department", "quantity", "total"
    )
    assert list(lines) == [
        ("coffee", "Hot drinks", "Café", Decimal("2.000"), Decimal("30.00")),
        ("bun", "Bakery", "Café", Decimal("0.500"), Decimal("12.50")),
    ]
    assert Store.objects.get().code == "Kamppi"
    assert Event.objects.filter(name="activity.recorded", member_id=aino.pk).count() == 1


@pytest.mark.parametrize("key", ["id", "external_id", "card_number", "email"])
def test_the_member_is_named_by_any_of_four(till: Till, aino: Member, key: str) -> None:
    values = {
        "id": str(aino.public_id),
        "external_id": "c-1",
        "card_number": aino.card_number,
        "email": "AINO@example.com",
    }
    assert till.post("activities", purchase(member={key: values[key]})).status_code == 201


def test_another_partner_serves_a_member_by_card(till: Till, other: Till, aino: Member) -> None:
    assert other.get(f"members/{aino.public_id}").status_code == 404
    assert other.post("activities", purchase(member={"card_number": aino.card_number})).status_code == 201
    assert other.get(f"members/{aino.public_id}").json()["email"] == "aino@example.com"


def test_reasons_come_in_the_language_asked_for(till: Till, aino: Member) -> None:
    finnish = till.post("activities?language=fi", purchase())
    swedish = till.post("activities", purchase(), **{"accept-language": "sv"})
    assert finnish.json()["reasons"][0]["text"] == "Peruspisteet"
    assert finnish.json()["tier"]["name"] == "Pronssi"
    assert swedish.json()["reasons"][0]["text"] == "Baspoäng"
    assert till.post("activities?language=de", purchase()).status_code == 422


def test_crossing_a_threshold_shows_the_tier_at_once(till: Till, aino: Member) -> None:
    first = till.post("activities", purchase(total="1000", lines=[])).json()
    assert first["tier"]["code"] == "silver"
    second = till.post("activities", purchase(total="100", lines=[])).json()
    assert [(reason["rule"], reason["points"]) for reason in second["reasons"]] == [
        ("base", 100),
        ("tier bonus", 25),
    ]
    assert second["balance"]["available"] == 1125


@pytest.mark.parametrize(
    "facts",
    [
        {"total": "0.00", "lines": []},
        {"total": "0", "lines": [{"sku": "bag", "quantity": "0", "total": "0"}]},
        {"total": 12.5, "lines": [{"total": 12.49}]},
        {"lines": ...},
        {"lines": ..., "store": ..., "channel": ...},
        {"store": None, "channel": None, "lines": [{"sku": None, "total": "42.50"}]},
        {"kind": "visit", "total": ..., "currency": ..., "lines": ...},
        {"occurred_at": "2026-06-15T09:04:00Z"},
        {"occurred_at": "1970-01-01T00:00:00Z"},
        {"lines": [{"total": "0.02"}] * 2000, "total": "40.00"},
    ],
)
def test_legal_oddities(till: Till, aino: Member, facts: dict[str, Any]) -> None:
    assert till.post("activities", purchase(**facts)).status_code == 201, facts


def test_fields_that_are_not_the_tills_to_say_have_no_effect(till: Till, other: Till, aino: Member) -> None:
    body = purchase(points=9999, tier="gold", partner="other", reasons=[], balance={"available": 5}, id="x")
    answer = till.post("activities", body)
    assert answer.status_code == 201
    assert (answer.json()["points"]["available"], answer.json()["tier"]["code"]) == (42, "bronze")
    assert Activity.objects.get().partner == till.partner


class TestTwice:
    def test_the_same_external_id_and_content_gives_the_first_answer(self, till: Till, aino: Member) -> None:
        first = till.post("activities", body := purchase())
        second = till.post("activities", body)
        assert (first.status_code, second.status_code) == (201, 200)
        assert second.json() == first.json()
        assert (Activity.objects.count(), Transfer.objects.count()) == (1, 1)

    def test_the_same_key_gives_the_same_bytes(self, till: Till, aino: Member) -> None:
        first = till.post("activities", body := purchase(), key="till-7-0001")
        second = till.post("activities", body, key='"till-7-0001"')
        assert (second.status_code, second.content) == (201, first.content)
        assert second.headers["Idempotency-Replayed"] == "true"
        assert Activity.objects.count() == 1

    def test_the_same_key_with_another_body_is_refused(self, till: Till, aino: Member) -> None:
        till.post("activities", purchase(), key="one")
        answer = till.post("activities", purchase(), key="one")
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-key-reused")
        assert Activity.objects.count() == 1

    @pytest.mark.parametrize(
        "change",
        [
            {"total": "42.51"},
            {"occurred_at": "2026-06-15T11:57:00+03:00"},
            {"store": "Pasila"},
            {"lines": []},
            {"kind": "review"},
        ],
    )
    def test_other_content_under_an_external_id_is_refused(
        self, till: Till, aino: Member, change: dict[str, Any]
    ) -> None:
        till.post("activities", purchase(external_id="r-1"))
        answer = till.post("activities", purchase(external_id="r-1", **change))
        assert (answer.status_code, answer.json()["code"]) == (409, "activity-exists")
        assert [error["field"] for error in answer.json()["errors"]] == ["external_id"]
        assert (Activity.objects.count(), Transfer.objects.count()) == (1, 1)

    def test_partners_do_not_meet(self, till: Till, other: Till, aino: Member) -> None:
        body = purchase(external_id="r-1", member={"card_number": aino.card_number})
        assert till.post("activities", body, key="k").status_code == 201
        assert other.post("activities", body, key="k").status_code == 201
        assert Activity.objects.count() == 2

    def test_a_missing_key_is_refused(self, till: Till, aino: Member) -> None:
        answer = till.client.post("/api/v1/activities", purchase(), format="json")
        assert answer.status_code == 400
        assert Activity.objects.count() == 0


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
@pytest.mark.parametrize("keys", ["one key", "a key each"])
def test_the_same_purchase_sent_fifty_times_at_once_counts_once(till: Till, aino: Member, keys: str) -> None:
    body = purchase(external_id="r-1")

    def send(number: int) -> int:
        try:
            key = "same" if keys == "one key" else f"key-{number}"
            return int(till.post("activities", body, key=key).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(send, range(50)))

    assert set(statuses) <= ({201, 409} if keys == "one key" else {200, 201})
    if keys == "a key each":
        assert statuses.count(201) == 1
    assert (Activity.objects.count(), Transfer.objects.count()) == (1, 1)
    assert till.get(f"members/{aino.public_id}/balance").json()["available"] == 42


def test_the_number_of_lines_costs_no_statements(till: Till, aino: Member) -> None:
    counts = []
    for number in (1, 30):
        lines = [{"sku": f"s-{number}", "category": f"c-{number}", "total": "1"} for number in range(number)]
        for _warm in range(2):
            body = purchase(lines=lines, total=str(number))
            with CaptureQueriesContext(connection) as queries:
                assert till.post("activities", body).status_code == 201
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert counts[0] == 16, [query["sql"] for query in queries]


class TestRead:
    def test_gives_back_what_was_sent_and_what_it_gave(self, till: Till, aino: Member) -> None:
        sent = purchase(external_id="r-1")
        answer = till.post("activities", sent).json()
        read = till.get(f"activities/{answer['id']}").json()
        assert read["member"] == {"id": str(aino.public_id)}
        assert {
            name: read[name] for name in ("external_id", "kind", "total", "currency", "store", "channel")
        } == {name: sent[name] for name in ("external_id", "kind", "total", "currency", "store", "channel")}
        assert read["lines"][1] == {
            "sku": "bun", "category": "Bakery", "department": "Café", "brand": "", "quantity": "0.500",
            "total": "12.50",
        }  # fmt: skip
        assert (read["points"], read["reasons"]) == (answer["points"], answer["reasons"])

    def test_costs_the_same_for_one_and_thirty_lines(self, till: Till, aino: Member) -> None:
        counts = []
        for number in (1, 30):
            lines = [{"sku": f"s-{place}", "category": f"c-{place}", "total": "1"} for place in range(number)]
            id_ = till.post("activities", purchase(lines=lines, total=str(number))).json()["id"]
            with CaptureQueriesContext(connection) as queries:
                till.get(f"activities/{id_}")
            counts.append(len(queries))
        assert counts[0] == counts[1] <= 8

    def test_other_partners_see_nothing(self, till: Till, other: Till, aino: Member) -> None:
        id_ = till.post("activities", purchase()).json()["id"]
        assert other.get(f"activities/{id_}").status_code == 404


class TestBatch:
    def test_each_item_has_its_own_answer(self, till: Till, aino: Member) -> None:
        till.post("activities", known := purchase(external_id="known"))
        results = till.post(
            "activities/batch",
            {
                "activities": [
                    purchase(external_id="new"),
                    known,
                    known | {"total": "42.51"},
                    purchase(external_id="bad", total="-1"),
                    purchase(external_id="lost", member={"external_id": "nobody"}),
                    "not an object",
                    purchase(external_id="new-too", total="1000", lines=[]),
                ]
            },
        ).json()["results"]

        assert [result["status"] for result in results] == [201, 200, 409, 422, 404, 422, 201]
        assert results[0]["points"] == {"available": 42, "pending": 0}
        assert results[6]["balance"]["available"] == 42 + 42 + 1000
        assert results[6]["tier"]["code"] == "silver"
        assert [error["field"] for error in results[3]["problem"]["errors"]] == ["total"]
        assert [error["field"] for error in results[4]["problem"]["errors"]] == ["member.external_id"]
        assert (results[4]["external_id"], results[4]["problem"]["code"]) == ("lost", "unknown-member")
        assert Activity.objects.count() == 3

    def test_the_same_batch_again_is_all_replays(self, till: Till, aino: Member) -> None:
        batch = {"activities": [purchase() for _ in range(5)]}
        first = till.post("activities/batch", batch).json()["results"]
        second = till.post("activities/batch", batch).json()["results"]
        assert {result["status"] for result in second} == {200}
        assert [result["points"] for result in second] == [result["points"] for result in first]
        assert Transfer.objects.count() == 5

    def test_a_repeat_within_the_batch_is_a_replay(self, till: Till, aino: Member) -> None:
        body = purchase()
        results = till.post("activities/batch", {"activities": [body, body]}).json()["results"]
        assert [result["status"] for result in results] == [201, 200]

    def test_an_empty_batch_is_fine(self, till: Till) -> None:
        assert till.post("activities/batch", {"activities": []}).json() == {"results": []}

    @pytest.mark.parametrize(
        "body", [{}, [], {"activities": {}}, {"activities": "x"}, {"activities": [{}] * 1001}]
    )
    def test_what_is_no_batch_is_refused(self, till: Till, body: Any) -> None:
        answer = till.post("activities/batch", body)
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == ["activities"]

    def test_two_and_two_hundred_cost_the_same(self, till: Till, shop: Any) -> None:
        for number in range(20):
            member(partner=shop, external_id=f"m-{number}")
        counts = []
        for size in (2, 2, 200):  # the first one warms up
            news = [
                purchase(
                    member={"external_id": f"m-{number % 20}"},
                    lines=[{"sku": f"s-{number}", "total": "42.50"}],
                )
                for number in range(size)
            ]
            with CaptureQueriesContext(connection) as queries:
                results = till.post("activities/batch", {"activities": news}).json()["results"]
            assert {result["status"] for result in results} == {201}
            counts.append(len(queries))
        assert counts[2] <= counts[1] + 8, counts  # products seen for the first time
        assert Product.objects.count() == 200
