"""Every refusal is a problem+json that names the field; nothing malformed gets as far as the database."""

import base64
import json
from urllib.parse import urlencode

import pytest

from loyalty.partners.models import Partner
from tests.factories.loyalty import PartnerClient, partner_client

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.loyalty.api_views")]


@pytest.fixture
def client() -> PartnerClient:
    return partner_client()


def send(client: PartnerClient, body: bytes | str, content_type: str = "application/json"):
    return client.generic(
        "POST", "/api/v1/baskets", body, content_type=content_type, headers={"Idempotency-Key": "k"}
    )


def test_field_errors_have_paths(client: PartnerClient) -> None:
    lines = [
        {"sku": "a", "quantity": "1"},
        {"sku": "b" * 11, "quantity": "1"},
        {"sku": "c", "quantity": "many"},
    ]
    answer = client.write("/api/v1/baskets", {"lines": lines})

    assert answer.status_code == 422
    assert answer["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert [(error["field"], error["code"]) for error in problem["errors"]] == [
        ("name", "required"),
        ("lines[1].sku", "max_length"),
        ("lines[2].quantity", "invalid"),
    ]
    assert problem["type"] == "http://localhost:8000/api/v1/problems/invalid"
    assert (problem["status"], problem["code"]) == (422, "invalid")
    assert problem["instance"].startswith("urn:uuid:")
    assert not Partner.objects.filter(name="made").exists()


def test_a_problem_of_the_domain_keeps_its_members(client: PartnerClient) -> None:
    problem = client.write("/api/v1/baskets", {"name": "conflict"}).json()
    assert problem["status"] == 409
    assert problem["detail"] == "It is there."
    assert problem["errors"] == [{"field": "name", "code": "taken", "message": "Taken."}]
    assert problem["id"] == 7
    assert not Partner.objects.filter(slug="conflict").exists()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 422, "invalid"),
        (b"{", 400, "malformed"),
        (b'{"name": "a"} trailing', 400, "malformed"),
        (b'{"name": NaN}', 400, "malformed"),
        (b'{"name": -Infinity}', 400, "malformed"),
        (b'{"name": "a", "name": "b"}', 400, "malformed"),
        (b'{"name": "a\\u0000b"}', 400, "malformed"),
        (b'{"name": "a\\ud800b"}', 400, "malformed"),
        (b'{"na\\u0000me": "a"}', 400, "malformed"),
        (b'{"name": "a\0b"}', 400, "malformed"),
        (b'{"name": "\xff"}', 400, "malformed"),
        (b"[" * 100_000, 400, "malformed"),
        (b"9" * 10_000, 400, "malformed"),
        (b'{"name": "a", "points": 5}', 400, "unknown-field"),
        (b'{"name": "a", "lines": [{"sku": "a", "quantity": 1, "price": 2}]}', 400, "unknown-field"),
        (b"[]", 422, "invalid"),
        (b"1", 422, "invalid"),
        (b'{"name": null}', 422, "invalid"),
        (b'{"name": {}}', 422, "invalid"),
        (b'{"name": "a", "lines": {}}', 422, "invalid"),
        (b'{"name": "a", "lines": [{"sku": "a", "quantity": 1e400}]}', 422, "invalid"),
        (b'{"name": "a", "lines": [{"sku": "a", "quantity": 1e999999999}]}', 422, "invalid"),
        (b'{"name": "a", "lines": [{"sku": "a", "quantity": "NaN"}]}', 422, "invalid"),
    ],
)
def test_bad_bodies(client: PartnerClient, body: bytes, status: int, code: str) -> None:
    answer = send(client, body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer["Content-Type"] == "application/problem+json"
    assert not Partner.objects.filter(name="made").exists()


def test_an_escaped_backslash_before_u0000_is_no_null(client: PartnerClient) -> None:
    assert send(client, json.dumps({"name": "a\\u0000"})).status_code == 201


def test_decimals_stay_exact(client: PartnerClient) -> None:
    assert send(client, b'{"name": "a", "lines": [{"sku": "a", "quantity": 0.1}]}').status_code == 201


def test_a_body_over_the_limit(client: PartnerClient, settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    answer = send(client, json.dumps({"name": "a" * 100}))
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "multipart/form-data; boundary=x"])
def test_other_media_types(client: PartnerClient, content_type: str) -> None:
    answer = send(client, b"name=a", content_type)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-media-type")


@pytest.mark.parametrize(
    ("what", "status", "code"),
    [("404", 404, "not-found"), ("403", 403, "forbidden"), ("data", 422, "invalid")],
)
def test_exceptions_of_django(client: PartnerClient, what: str, status: int, code: str) -> None:
    answer = client.get(f"/api/v1/raises/{what}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_database_that_is_away_is_a_clean_503(client: PartnerClient) -> None:
    answer = client.get("/api/v1/raises/database")
    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (503, "unavailable", "5")
    assert "server is gone" not in answer.text


def test_a_bug_is_a_problem_too_and_tells_nothing(client: PartnerClient) -> None:
    client.raise_request_exception = False
    answer = client.get("/api/v1/raises/bug")
    assert (answer.status_code, answer.json()["code"]) == (500, "failed")
    assert answer["Content-Type"] == "application/problem+json"
    assert "a bug" not in answer.text


def test_an_unknown_address(client: PartnerClient) -> None:
    answer = client.get("/api/v1/nowhere")
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


def test_a_null_in_the_query_is_refused(client: PartnerClient) -> None:
    assert client.get("/api/v1/baskets?limit=%00").status_code == 422


@pytest.mark.parametrize("position", ["\0", "x", "9" * 30, "-1.5", "1e9", ""])
def test_a_forged_cursor_is_harmless(client: PartnerClient, position: str) -> None:
    cursor = base64.b64encode(urlencode({"p": position}).encode()).decode()
    assert client.get("/api/v1/baskets", {"cursor": cursor}).status_code in (200, 422)
    assert client.get("/api/v1/baskets", {"cursor": "é" + cursor[1:]}).status_code == 422


def test_the_type_can_be_looked_up(client: PartnerClient) -> None:
    assert client.get("/api/v1/problems/throttled").text.startswith("throttled (429)")
    assert client.get("/api/v1/problems/nonsense").status_code == 404


def test_pages_follow_each_other(client: PartnerClient) -> None:
    for number in range(5):
        Partner.objects.create(slug=f"p{number}", name="p")
    seen, address = [], "/api/v1/baskets?limit=2"
    while address:
        page = client.get(address).json()
        assert set(page) == {"results", "next", "previous"}
        seen += [row["slug"] for row in page["results"]]
        address = page["next"]
    assert seen[:5] == ["p4", "p3", "p2", "p1", "p0"]
    assert len(seen) == 6


@pytest.mark.parametrize("limit", ["0", "201", "-1", "x", "", "1.5", "²"])
def test_a_bad_page_size_is_refused(client: PartnerClient, limit: str) -> None:
    answer = client.get("/api/v1/baskets", {"limit": limit})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "limit")


@pytest.mark.parametrize(
    ("header", "title"),
    [
        (None, "The body is not the JSON that was expected."),
        ("de, *;q=0.5", "The body is not the JSON that was expected."),
        ("fi-FI,fi;q=0.9,en;q=0.8", "Pyynnön sisältö ei ole odotettua JSONia."),
        ("de, sv;q=0.5", "Begärans innehåll är inte den JSON som väntades."),
    ],
)
def test_a_refusal_is_english_unless_another_language_is_asked_for(
    client: PartnerClient, header: str | None, title: str
) -> None:
    client.cookies["django_language"] = "fi"
    headers = {"Idempotency-Key": "k"} | ({"Accept-Language": header} if header else {})
    path = "/api/v1/baskets"
    answer = client.generic("POST", path, b"{", content_type="application/json", headers=headers)
    assert answer.json()["title"] == title
