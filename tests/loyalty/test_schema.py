"""The API describes itself without a warning, and its page works offline under the strict policy."""

import re

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from openapi_spec_validator import validate

from loyalty.api import problems

pytestmark = pytest.mark.django_db


def generate(urlconf: str | None = None) -> dict:
    GENERATOR_STATS.reset()
    return SchemaGenerator(urlconf=urlconf).get_schema(request=None, public=True)


def test_the_whole_schema_has_no_warning(capsys: pytest.CaptureFixture[str]) -> None:
    schema = generate()
    assert not GENERATOR_STATS, capsys.readouterr().err
    assert schema["openapi"].startswith("3.1")
    validate(schema)


def test_conventions_are_described_for_every_operation() -> None:
    schema = generate("tests.loyalty.api_views")
    operation = schema["paths"]["/api/v1/baskets"]["post"]
    assert [p["name"] for p in operation["parameters"] if p["in"] == "header"] == ["Idempotency-Key"]
    assert operation["security"] == [{"apiKey": []}]
    assert "`activities:write`" in operation["description"]
    for status in ("400", "401", "403", "409", "413", "415", "422", "429", "503"):
        content = operation["responses"][status]["content"]
        assert content == {problems.CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    reading = schema["paths"]["/api/v1/baskets"]["get"]
    assert not [p for p in reading["parameters"] if p["in"] == "header"]
    assert {p["name"] for p in reading["parameters"]} == {"cursor", "limit"}
    assert schema["components"]["securitySchemes"]["apiKey"]["scheme"] == "bearer"


def test_every_operation_of_the_house_needs_a_key_and_names_its_scope() -> None:
    for path, operations in generate()["paths"].items():
        for method, operation in operations.items():
            assert operation["security"] == [{"apiKey": []}], (method, path)
            assert "Scope: " in operation["description"], (method, path)


def test_the_schema_is_served() -> None:
    answer = Client().get("/api/v1/schema", headers={"Accept": "application/json"})
    assert answer.status_code == 200
    assert answer.json()["info"]["title"] == "Kantis API"


def test_the_page_has_nothing_inline_and_nothing_from_elsewhere() -> None:
    page = Client().get("/api/v1/docs")
    assert page.status_code == 200
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|style=", page.text)
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert addresses
    for address in addresses:
        assert address.startswith("/"), address
        if address.startswith("/static/"):
            assert finders.find(address.removeprefix("/static/")), address
    script = Client().get(
        next(address for address in addresses if "script=" in address).replace("&amp;", "&")
    )
    assert script["Content-Type"].startswith("application/javascript")
    assert '"/api/v1/schema"' in script.text
    assert "unsafe" not in page["Content-Security-Policy"]
