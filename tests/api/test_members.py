"""Members through the API: enrolled once, found by what a till knows, shown to those who may see them."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from loyalty.events.models import Event
from members.cards import grouped, is_valid_card_number
from members.models import Consent, ConsentChange, Member
from tests.api.till import Till, purchase
from tests.factories.members import member

pytestmark = pytest.mark.django_db

EINO = {
    "external_id": "c-9",
    "email": "Eino@Example.com",
    "phone": "040 123 4567",
    "first_name": "Eino",
    "last_name": "Leino",
    "birth_date": "1978-07-06",
    "language": "sv",
    "consents": [{"purpose": "marketing", "channel": "email"}],
}


def test_an_enrolment_answers_with_the_card_the_tier_and_the_balance(till: Till) -> None:
    answer = till.post("members", EINO)

    assert answer.status_code == 201
    eino = Member.objects.get()
    assert answer.json() == {
        "id": str(eino.public_id),
        "external_id": "c-9",
        "card_number": eino.card_number,
        "tier": {"code": "bronze", "name": "Bronze"},
        "balance": {"available": 0, "pending": 0, "debt": 0},
        "first_name": "Eino",
        "last_name": "Leino",
        "email": "eino@example.com",
        "phone": "+358401234567",
        "birth_date": "1978-07-06",
        "language": "sv",
        "time_zone": "Europe/Helsinki",
        "joined_at": "2026-06-15T09:00:00Z",
        "consents": [
            {
                "purpose": "marketing",
                "channel": "email",
                "granted": True,
                "changed_at": "2026-06-15T09:00:00Z",
            }
        ],
    }
    assert is_valid_card_number(eino.card_number)
    assert (eino.enrolled_by, eino.source) == (till.partner, "partner")
    assert ConsentChange.objects.get().partner == till.partner


def test_little_is_enough(till: Till) -> None:
    nothing = dict.fromkeys([*EINO.keys() - {"consents"}, "time_zone", "acquisition_channel"])
    assert till.post("members", {"external_id": "c-1"}).status_code == 201
    answer = till.post("members", nothing | {"phone": "+358401234567"})
    assert (answer.status_code, answer.json()["language"], answer.json()["external_id"]) == (201, "fi", None)


def test_the_same_enrolment_again_is_the_same_member(till: Till) -> None:
    first = till.post("members", EINO)
    second = till.post("members", EINO | {"email": "eino@example.com"})
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json() == first.json()
    assert (Member.objects.count(), Consent.objects.count()) == (1, 1)


def test_other_content_under_a_known_external_id_is_refused(till: Till) -> None:
    till.post("members", EINO)
    answer = till.post("members", {"external_id": "c-9", "email": "other@example.com"})
    assert (answer.status_code, answer.json()["code"]) == (409, "member-exists")
    assert [error["field"] for error in answer.json()["errors"]] == ["external_id"]
    assert Member.objects.count() == 1


def test_a_taken_address_is_refused_without_a_word_about_who_has_it(
    till: Till, other: Till, aino: Member
) -> None:
    answer = other.post("members", {"external_id": "x", "email": "AINO@example.com"})

    assert answer.status_code == 409
    problem = answer.json()
    assert [error["field"] for error in problem["errors"]] == ["email"]
    assert "name them by email or card_number" in problem["detail"]
    for secret in (aino.card_number, str(aino.public_id), "Aino", "Virtanen", "c-1"):
        assert secret not in answer.content.decode()
    assert Member.objects.count() == 1


def test_what_a_member_is_worth_cannot_be_said(till: Till) -> None:
    answer = till.post(
        "members", EINO | {"tier": "gold", "balance": {"available": 5}, "card_number": "9" * 16, "id": "x"}
    )
    assert answer.status_code == 201
    assert answer.json()["tier"]["code"] == "bronze"
    assert answer.json()["balance"]["available"] == 0
    assert answer.json()["card_number"] != "9" * 16


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_one_address_enrolled_by_two_partners_at_once_is_one_member(till: Till, other: Till) -> None:
    def send(number: int) -> int:
        try:
            return int((till, other)[number % 2].post("members", {"email": "eino@example.com"}).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(pool.map(send, range(12)))
    assert statuses == [201] + [409] * 11
    assert Member.objects.count() == 1


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_the_same_enrolment_sent_at_once_is_one_member(till: Till) -> None:
    def send(number: int) -> tuple[int, str]:
        try:
            answer = till.post("members", EINO, key=f"key-{number}")
            return int(answer.status_code), answer.json()["id"]
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(send, range(12)))
    assert sorted(status for status, _id in answers) == [200] * 11 + [201]
    assert {id_ for _status, id_ in answers} == {str(Member.objects.get().public_id)}


class TestFind:
    @pytest.mark.parametrize("key", ["external_id", "card_number", "email", "printed card"])
    def test_by_each_key(self, till: Till, aino: Member, key: str) -> None:
        values = {
            "external_id": ("external_id", "c-1"),
            "card_number": ("card_number", aino.card_number),
            "printed card": ("card_number", grouped(aino.card_number)),
            "email": ("email", "AINO@example.com"),
        }
        name, value = values[key]
        [found] = till.get("members", **{name: value}).json()["results"]
        assert found == till.get(f"members/{aino.public_id}").json()
        assert (found["id"], found["first_name"]) == (str(aino.public_id), "Aino")

    def test_nobody(self, till: Till) -> None:
        assert till.get("members", email="nobody@example.com").json() == {"results": []}

    def test_of_a_stranger_by_card_only_id_tier_and_balance(
        self, till: Till, other: Till, aino: Member
    ) -> None:
        till.post("activities", purchase())
        assert other.get("members", card_number=aino.card_number).json() == {
            "results": [
                {
                    "id": str(aino.public_id),
                    "tier": {"code": "bronze", "name": "Bronze"},
                    "balance": {"available": 42, "pending": 0, "debt": 0},
                }
            ]
        }

    def test_a_stranger_is_not_found_by_address_or_anothers_id(self, other: Till, aino: Member) -> None:
        assert other.get("members", email="aino@example.com").json() == {"results": []}
        assert other.get("members", external_id="c-1").json() == {"results": []}

    @pytest.mark.parametrize("status", [Member.Status.CLOSED, Member.Status.ERASED])
    def test_those_who_left_are_not_found(self, till: Till, aino: Member, status: str) -> None:
        Member.objects.update(status=status)
        assert till.get("members", external_id="c-1").json() == {"results": []}
        assert till.get(f"members/{aino.public_id}").status_code == 404
        assert till.post("activities", purchase()).status_code == 404

    def test_external_ids_are_each_partners_own(self, till: Till, other: Till, aino: Member) -> None:
        member(partner=other.partner, external_id="c-1", first_name="Eino")
        [found] = other.get("members", external_id="c-1").json()["results"]
        assert found["first_name"] == "Eino"


def test_statements_do_not_grow_with_consents(till: Till, django_assert_max_num_queries: Any) -> None:
    purposes = [("marketing", "email"), ("marketing", "sms"), ("surveys", "email"), ("profiling", "any")]
    consents = [{"purpose": purpose, "channel": channel} for purpose, channel in purposes]
    id_ = till.post("members", EINO | {"consents": consents}).json()["id"]
    with django_assert_max_num_queries(6):
        assert len(till.get(f"members/{id_}").json()["consents"]) == 4


class TestErasing:
    def test_a_member_who_leaves_is_gone_for_everybody(self, till: Till, aino: Member) -> None:
        path = f"members/{aino.public_id}"
        answer = till.delete(path, key="leave-1")
        assert (answer.status_code, answer.content) == (204, b"")
        assert till.delete(path, key="leave-1").status_code == 204  # the first answer again
        assert till.delete(path).status_code == 404
        assert till.get(path).status_code == 404
        assert till.get("members", external_id="c-1").json() == {"results": []}
        aino.refresh_from_db()
        assert (aino.status, aino.email, aino.first_name) == ("erased", "", "")
        assert Event.objects.filter(name="member.erased").count() == 1

    def test_a_partner_that_only_served_the_member_may_not(self, other: Till, aino: Member) -> None:
        other.post("activities", purchase(member={"card_number": aino.card_number}))
        answer = other.delete(f"members/{aino.public_id}")
        assert (answer.status_code, answer.json()["code"]) == (403, "not-your-member")
        aino.refresh_from_db()
        assert aino.status == Member.Status.ACTIVE

    def test_it_needs_a_key_of_its_own(self, till: Till, aino: Member) -> None:
        answer = till.client.delete(f"/api/v1/members/{aino.public_id}")
        assert (answer.status_code, answer.json()["code"]) == (400, "idempotency-key")
        aino.refresh_from_db()
        assert aino.status == Member.Status.ACTIVE
