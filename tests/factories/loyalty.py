"""Callers of the API, ready to use: a client that carries a partner's key."""

from typing import Any

from rest_framework.test import APIClient

from loyalty.partners.models import ApiKey, Partner, Scope
from tests.factories.partners import PartnerFactory, key_for


class PartnerClient(APIClient):
    """Sends a partner's key with each request, and a fresh Idempotency-Key with each write that has none."""

    key: ApiKey
    partner: Partner
    writes = 0

    def write(self, path: str, data: Any, *, idempotency_key: str | None = None, **options: Any) -> Any:
        self.writes += 1
        key = idempotency_key or f"{self.key.prefix}-{self.writes}"
        return self.post(path, data, headers={"Idempotency-Key": key}, **options)


def partner_client(
    partner: Partner | None = None, *, scopes: tuple[str, ...] = tuple(Scope.values), **options: Any
) -> PartnerClient:
    """A client of the partner (a new one by default) whose key has those scopes."""
    client = PartnerClient()
    client.partner = partner or PartnerFactory.create()
    client.key, text = key_for(client.partner, scopes=scopes, **options)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    return client
