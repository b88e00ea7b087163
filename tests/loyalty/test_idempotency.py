"""A write with an Idempotency-Key is done once, and its first answer is given again, byte for byte."""

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connection

from loyalty import clock
from loyalty.api import idempotency
from loyalty.api.models import IdempotencyKey
from loyalty.partners.models import Partner
from tests.factories.loyalty import PartnerClient, partner_client
from tests.loyalty import api_views

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.loyalty.api_views")]


@pytest.fixture
def client() -> PartnerClient:
    return partner_client()


def made() -> list[str]:
    return list(Partner.objects.filter(name="made").values_list("slug", flat=True))


def test_the_first_answer_is_given_again_byte_for_byte(client: PartnerClient) -> None:
    first = client.write("/api/v1/baskets", {"name": "tuohi"}, idempotency_key="a-1")
    again = client.write("/api/v1/baskets", {"name": "tuohi"}, idempotency_key='"a-1"')

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert first["Content-Type"] == again["Content-Type"] == "application/json"
    assert "Idempotency-Replayed" not in first
    assert again["Idempotency-Replayed"] == "true"
    assert made() == ["tuohi"]


def test_the_same_key_with_another_body_is_refused(client: PartnerClient) -> None:
    client.write("/api/v1/baskets", {"name": "a"}, idempotency_key="k")
    answer = client.write("/api/v1/baskets", {"name": "b"}, idempotency_key="k")
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-key-reused")
    assert made() == ["a"]


def test_the_same_key_at_another_address_is_refused(client: PartnerClient) -> None:
    client.write("/api/v1/baskets", {"name": "a"}, idempotency_key="k")
    answer = client.write("/api/v1/baskets?x=1", {"name": "a"}, idempotency_key="k")
    assert answer.status_code == 422


def test_keys_of_two_partners_are_strangers(client: PartnerClient) -> None:
    client.write("/api/v1/baskets", {"name": "a"}, idempotency_key="k")
    answer = partner_client().write("/api/v1/baskets", {"name": "b"}, idempotency_key="k")
    assert answer.status_code == 201
    assert made() == ["a", "b"]


def test_two_keys_of_one_partner_share_their_writes(client: PartnerClient) -> None:
    first = client.write("/api/v1/baskets", {"name": "a"}, idempotency_key="k")
    other = partner_client(client.partner).write("/api/v1/baskets", {"name": "a"}, idempotency_key="k")
    assert other.content == first.content


@pytest.mark.parametrize(
    "key",
    ["", " ", '""', "a" * 129, '"' + "a" * 129 + '"', "two words", 'half"', '"half', "ä", "a\tb", '"a"b"'],
)
def test_a_missing_or_malformed_key(client: PartnerClient, key: str) -> None:
    answer = client.post("/api/v1/baskets", {"name": "a"}, headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency-key")
    assert made() == []


@pytest.mark.parametrize(
    "key", ["a", "a" * 128, '"' + "a" * 128 + '"', '"two words"', "8e03978e-40d5-43e8-bc93"]
)
def test_good_keys(client: PartnerClient, key: str) -> None:
    assert client.write("/api/v1/baskets", {"name": "a"}, idempotency_key=key).status_code == 201


@pytest.mark.parametrize("name", ["refused", "conflict"])
def test_a_refusal_writes_nothing_and_leaves_the_key_free(client: PartnerClient, name: str) -> None:
    assert client.write("/api/v1/baskets", {"name": name}, idempotency_key="k").status_code in (409, 422)
    assert made() == []
    assert not IdempotencyKey.objects.exists()
    assert client.write("/api/v1/baskets", {"name": "good"}, idempotency_key="k").status_code == 201


def test_a_malformed_body_claims_nothing(client: PartnerClient, django_assert_num_queries) -> None:
    with django_assert_num_queries(2):  # the key, and the note of its first use
        answer = client.generic(
            "POST",
            "/api/v1/baskets",
            "{",
            content_type="application/json",
            headers={"Idempotency-Key": "k"},
        )
    assert answer.status_code == 400


def test_it_costs_two_statements_and_a_transaction(client: PartnerClient, django_assert_num_queries) -> None:
    client.get("/api/v1/baskets")
    with django_assert_num_queries(
        1 + 2 + 2 + 2
    ):  # key, transaction, claim and answer, the partner and its history
        client.write("/api/v1/baskets", {"name": "a"})
    with django_assert_num_queries(1 + 2 + 1):
        client.write("/api/v1/baskets", {"name": "a"}, idempotency_key=f"{client.key.prefix}-1")


def test_old_answers_are_forgotten(client: PartnerClient) -> None:
    client.write("/api/v1/baskets", {"name": "a"})
    assert idempotency.prune(before=clock.now() - dt.timedelta(days=7)) == 0
    assert idempotency.prune(before=clock.now() + dt.timedelta(seconds=1)) == 1


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_fifty_at_once_have_one_effect() -> None:
    client = partner_client()
    start = threading.Barrier(50)
    text = client._credentials["HTTP_AUTHORIZATION"]

    def send() -> tuple[int, bytes]:
        start.wait(30)
        one = PartnerClient()
        one.credentials(HTTP_AUTHORIZATION=text)
        try:
            answer = one.write("/api/v1/baskets", {"name": "a"}, idempotency_key="k")
            return answer.status_code, answer.content
        finally:
            connection.close()

    with ThreadPoolExecutor(50) as pool:
        answers = [future.result() for future in [pool.submit(send) for _request in range(50)]]

    assert {status for status, _body in answers} <= {201, 409}
    assert len({body for status, body in answers if status == 201}) == 1
    assert made() == ["a"]
    assert IdempotencyKey.objects.count() == 1


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_while_the_first_one_runs_the_second_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    client = partner_client()
    client.get("/api/v1/baskets")
    answers = []

    def impatient(*_args, **_kwargs) -> None:
        if not answers:
            answers.append(None)
            with ThreadPoolExecutor(1) as pool:
                answers.append(pool.submit(send_and_close).result())

    def send_and_close():
        try:
            return client.write("/api/v1/baskets", {"name": "a"}, idempotency_key="k")
        finally:
            connection.close()

    monkeypatch.setattr(api_views.Basket, "validate", lambda _self, data: impatient() or data, raising=False)
    first = client.write("/api/v1/baskets", {"name": "a"}, idempotency_key="k")

    assert first.status_code == 201
    assert (answers[1].status_code, answers[1].json()["code"]) == (409, "idempotency-key-in-use")
    assert answers[1]["Retry-After"] == "1"
    assert made() == ["a"]


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_an_answer_kept_between_look_and_insert_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first request commits between the second's snapshot and its lock: only the unique key notices."""
    client = partner_client()
    first = client.write("/api/v1/baskets", {"name": "a"}, idempotency_key="k")
    Partner.objects.filter(slug="a").update(slug="b")
    look, looks = idempotency._kept_answer, []

    def blind_at_first(claim):
        looks.append(1)
        return None if len(looks) == 1 else look(claim)

    monkeypatch.setattr(idempotency, "_kept_answer", blind_at_first)
    again = client.write("/api/v1/baskets", {"name": "a"}, idempotency_key="k")
    assert again.content == first.content
    assert made() == ["b"]


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_deadlock_never_reaches_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = []

    def quarrels_twice(_self, data):
        trials.append(1)
        if len(trials) < 3:
            with connection.cursor() as cursor:
                cursor.execute("DO $$ BEGIN RAISE EXCEPTION 'deadlock' USING ERRCODE = '40P01'; END $$")
        return data

    monkeypatch.setattr(api_views.Basket, "validate", quarrels_twice, raising=False)
    client = partner_client()
    assert client.write("/api/v1/baskets", {"name": "a"}).status_code == 201
    assert made() == ["a"]


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_other_troubles_of_the_database_are_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = []

    def fails(_self, data):
        trials.append(1)
        raise OperationalError("no space left on device")

    monkeypatch.setattr(api_views.Basket, "validate", fails, raising=False)
    assert partner_client().write("/api/v1/baskets", {"name": "a"}).status_code == 503
    assert trials == [1]
