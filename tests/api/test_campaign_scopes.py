"""Who may call the API of campaigns: each route needs its scope and no other."""

from __future__ import annotations

from typing import Any

import pytest

from campaigns.models import Campaign, Message, PartnerEvent
from loyalty.partners.models import Scope
from members.models import Member
from tests.api.test_reward_scopes import call
from tests.api.till import Till
from tests.factories.deciding import mailing

pytestmark = pytest.mark.django_db

ROUTES: dict[tuple[str, str], tuple[Scope, int]] = {
    ("POST", "events"): (Scope.EVENTS_WRITE, 422),
    ("GET", "campaigns"): (Scope.CAMPAIGNS_READ, 200),
    ("GET", "campaigns/{code}"): (Scope.CAMPAIGNS_READ, 404),
    ("POST", "campaigns/{code}/trigger"): (Scope.CAMPAIGNS_TRIGGER, 422),
    ("GET", "messages"): (Scope.MESSAGES_READ, 422),
    ("GET", "messages/{id}"): (Scope.MESSAGES_READ, 404),
}
"""The scope of each route, and the answer to an empty request about nothing once the scope is there."""


@pytest.mark.parametrize("scope", sorted({scope for scope, _status in ROUTES.values()}))
def test_every_route_needs_its_scope_and_no_other(till: Till, aino: Member, scope: Scope) -> None:
    without = Till(till.partner, scopes=tuple(other for other in Scope.values if other != scope))
    narrow = Till(till.partner, scopes=(scope,))
    mine = {route: status for route, (needed, status) in ROUTES.items() if needed == scope}
    assert {route: call(without, *route, aino).status_code for route in mine} == dict.fromkeys(mine, 403)
    assert {route: call(narrow, *route, aino).status_code for route in mine} == mine
    assert not PartnerEvent.objects.exists()
    assert not Message.objects.exists()


GOOD: dict[str, dict[str, Any]] = {
    "events": {
        "name": "booked",
        "external_id": "b-1",
        "occurred_at": "2026-06-15T11:00:00+03:00",
        "member": {"external_id": "c-1"},
    },
    "campaigns/asked/trigger": {"external_id": "b-1", "member": {"external_id": "c-1"}},
}


def asked() -> Campaign:
    """A running campaign that staff opened to partners."""
    return mailing(code="asked", kind="triggered", occasion="event", event="api", status="running")


@pytest.mark.parametrize("path", GOOD)
def test_a_key_without_the_scope_writes_nothing_even_when_all_else_is_good(
    till: Till, aino: Member, path: str
) -> None:
    campaign = asked()
    needed = Scope.EVENTS_WRITE if path == "events" else Scope.CAMPAIGNS_TRIGGER
    narrow = Till(till.partner, scopes=tuple(other for other in Scope.values if other != needed))
    assert narrow.post(path, GOOD[path]).status_code == 403
    assert not PartnerEvent.objects.exists()
    assert not Message.objects.filter(campaign=campaign).exists()
    assert Till(till.partner, scopes=(needed,)).post(path, GOOD[path]).status_code == 201


@pytest.mark.parametrize("path", GOOD)
def test_writes_ask_for_an_idempotency_key_and_are_done_once(till: Till, aino: Member, path: str) -> None:
    asked()
    bare = till.client.post(f"/api/v1/{path}", GOOD[path], format="json")
    assert (bare.status_code, bare.json()["code"]) == (400, "idempotency-key")
    first, second = (till.post(path, GOOD[path], key="one") for _time in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.content == first.content
    assert PartnerEvent.objects.count() + Message.objects.count() == 1
