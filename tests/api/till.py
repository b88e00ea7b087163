"""A client that speaks like a till, and a purchase as a till sends it."""

import itertools
from typing import Any

from rest_framework.response import Response
from rest_framework.test import APIClient

from loyalty.partners.models import Partner, Scope
from tests.factories.partners import key_for

_numbers = itertools.count(1)


class Till:
    """Calls the API with one key. Each write has an idempotency key of its own unless told."""

    def __init__(self, partner: Partner, scopes: tuple[str, ...] = tuple(Scope.values)) -> None:
        self.partner = partner
        self.api_key, self.text = key_for(partner, scopes=scopes)
        self.client = APIClient(headers={"authorization": f"Bearer {self.text}", "accept-language": "en"})

    def get(self, path: str, **query: str) -> Response:
        return self.client.get(f"/api/v1/{path}", query)

    def delete(self, path: str, *, key: str | None = None) -> Response:
        return self.client.delete(
            f"/api/v1/{path}", headers={"idempotency-key": key or f"k-{next(_numbers)}"}
        )

    def post(self, path: str, body: Any, *, key: str | None = None, **headers: str) -> Response:
        headers["idempotency-key"] = key or f"k-{next(_numbers)}"
        if isinstance(body, str | bytes):
            return self.client.post(f"/api/v1/{path}", body, content_type="application/json", headers=headers)
        return self.client.post(f"/api/v1/{path}", body, format="json", headers=headers)


def purchase(**facts: Any) -> dict[str, Any]:
    """A good purchase of member c-1; ``facts`` replace fields, and a field of ``...`` is left out."""
    body = {
        "external_id": f"r-{next(_numbers)}",
        "member": {"external_id": "c-1"},
        "kind": "purchase",
        "occurred_at": "2026-06-15T11:58:00+03:00",
        "total": "42.50",
        "currency": "EUR",
        "store": "Kamppi",
        "channel": "store",
        "lines": [
            {
                "sku": "coffee",
                "category": "Hot drinks",
                "department": "Café",
                "quantity": "2",
                "total": "30.00",
            },
            {"sku": "bun", "category": "Bakery", "department": "Café", "quantity": "0.5", "total": "12.50"},
        ],
    } | facts
    return {name: value for name, value in body.items() if value is not ...}
