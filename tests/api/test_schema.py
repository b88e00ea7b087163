"""The OpenAPI page tells the truth: it is made without a warning, and real answers fit it."""

from typing import Any

import pytest
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema
from openapi_schema_validator import OAS31Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from members.models import Member
from tests.api.till import Till, purchase

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    GENERATOR_STATS.reset()
    made: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return made


def test_the_schema_is_made_without_a_warning(schema: dict[str, Any]) -> None:
    assert not GENERATOR_STATS._warn_cache
    assert not GENERATOR_STATS._error_cache
    validate_schema(schema)
    assert schema["openapi"].startswith("3.1")


def check(schema: dict[str, Any], path: str, method: str, answer: Any) -> None:
    """The answer is what the schema says for its status."""
    responses = schema["paths"][f"/api/v1/{path}"][method]["responses"]
    kind = answer.headers["Content-Type"].split(";")[0]
    content = responses[str(answer.status_code)]["content"][kind]["schema"]
    registry = Registry().with_resource("urn:api", Resource(contents=schema, specification=DRAFT202012))
    text = {"$id": "urn:api-answer", **_absolute(content)}
    validator = OAS31Validator(text, registry=registry, format_checker=OAS31Validator.FORMAT_CHECKER)
    assert [error.message for error in validator.iter_errors(answer.json())] == []


def _absolute(node: Any) -> Any:
    if isinstance(node, dict):
        return {
            name: f"urn:api{inner}" if name == "$ref" else _absolute(inner) for name, inner in node.items()
        }
    return [_absolute(inner) for inner in node] if isinstance(node, list) else node


def test_real_answers_fit_the_schema(schema: dict[str, Any], till: Till, other: Till, aino: Member) -> None:
    recorded = till.post("activities", body := purchase())
    assert recorded.status_code == 201
    check(schema, "activities", "post", recorded)
    check(schema, "activities", "post", till.post("activities", body))
    check(schema, "activities/simulate", "post", till.post("activities/simulate", purchase()))
    check(schema, "activities/simulate", "post", till.post("activities/simulate", purchase(total="-1")))
    check(schema, "activities", "post", till.post("activities", purchase(total="-1")))
    check(schema, "activities", "post", till.post("activities", body | {"total": "42.51"}))
    check(schema, "activities", "post", till.post("activities", purchase(member={"email": "x@example.com"})))
    batch = {"activities": [purchase(), body, {}, purchase(member={"external_id": "nobody"})]}
    check(schema, "activities/batch", "post", till.post("activities/batch", batch))
    id_ = recorded.json()["id"]
    check(schema, "activities/{public_id}", "get", till.get(f"activities/{id_}"))
    check(schema, "activities/{public_id}", "get", other.get(f"activities/{id_}"))
    refunds = f"activities/{id_}/refunds"
    for body in (
        {"external_id": "f-1", "amount": "5.00"},
        {"external_id": "f-1", "all": True},
        {"amount": "x"},
    ):
        check(schema, "activities/{public_id}/refunds", "post", till.post(refunds, body))
    check(schema, "activities/{public_id}/refunds", "get", till.get(refunds))
    for settle in ("confirm", "cancel"):
        check(
            schema, f"activities/{{public_id}}/{settle}", "post", till.post(f"activities/{id_}/{settle}", {})
        )
    offers = f"members/{aino.public_id}/offers"
    check(schema, "members/{public_id}/offers", "get", till.get(offers))
    for body in ({"offer": "none"}, {}):
        check(schema, "members/{public_id}/offers/activate", "post", till.post(f"{offers}/activate", body))
    check(schema, "members", "post", till.post("members", {"external_id": "c-2"}))
    check(
        schema, "members", "post", till.post("members", {"external_id": "c-3", "email": "aino@example.com"})
    )
    check(schema, "members", "get", till.get("members", external_id="c-1"))
    check(schema, "members", "get", other.get("members", card_number=aino.card_number))
    check(schema, "members", "get", other.get("members"))
    for page in ("", "/balance", "/statement"):
        check(schema, f"members/{{public_id}}{page}", "get", till.get(f"members/{aino.public_id}{page}"))
    check(schema, "tiers", "get", till.get("tiers"))
    check(schema, "segments", "get", till.get("segments"))
    check(schema, "members/{public_id}/segments", "get", till.get(f"members/{aino.public_id}/segments"))
    for code in ("new", "none"):
        named = {"members": [{"external_id": "c-1"}]}
        check(schema, "segments/{code}/members", "post", till.post(f"segments/{code}/members", named))


QUESTIONS = ("activities_simulate", "vouchers_validate")
"""Posts that write nothing."""


def test_writes_ask_for_an_idempotency_key(schema: dict[str, Any]) -> None:
    for path, methods in schema["paths"].items():
        if (write := methods.get("post")) and write["operationId"] not in QUESTIONS:
            names = {parameter["name"] for parameter in write["parameters"]}
            assert "Idempotency-Key" in names, path
