"""Who may call the API of rewards: each route needs its scope and no other, and tells nothing of others' members."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import pytest
from rest_framework.response import Response

from loyalty.partners.models import Scope
from members.models import Member
from rewards.models import Transfer
from tests.api.till import Till
from tests.factories.members import member
from tests.factories.partners import PartnerFactory

pytestmark = pytest.mark.django_db

NOBODY = "0190f5c6-7c1e-7cc0-8000-000000000000"
ROUTES: dict[tuple[str, str], tuple[Scope, int]] = {
    ("GET", "rewards"): (Scope.REWARDS_READ, 200),
    ("GET", "rewards/{id}"): (Scope.REWARDS_READ, 404),
    ("GET", "members/{member}/rewards"): (Scope.REWARDS_READ, 200),
    ("GET", "members/{member}/rewards/{id}"): (Scope.REWARDS_READ, 404),
    ("PUT", "members/{member}/favourites/{id}"): (Scope.REDEMPTIONS_WRITE, 404),
    ("DELETE", "members/{member}/favourites/{id}"): (Scope.REDEMPTIONS_WRITE, 204),
    ("GET", "challenges"): (Scope.REWARDS_READ, 200),
    ("GET", "members/{member}/challenges"): (Scope.REWARDS_READ, 200),
    ("POST", "members/{member}/challenges/{id}/join"): (Scope.CHALLENGES_WRITE, 404),
    ("POST", "members/{member}/challenges/{id}/leave"): (Scope.CHALLENGES_WRITE, 404),
    ("GET", "members/{member}/badges"): (Scope.REWARDS_READ, 200),
    ("GET", "redemptions"): (Scope.REDEMPTIONS_READ, 200),
    ("POST", "redemptions"): (Scope.REDEMPTIONS_WRITE, 422),
    ("GET", "redemptions/{id}"): (Scope.REDEMPTIONS_READ, 404),
    ("POST", "redemptions/{id}/cancel"): (Scope.REDEMPTIONS_WRITE, 404),
    ("POST", "redemptions/{id}/fulfil"): (Scope.REDEMPTIONS_WRITE, 404),
    ("GET", "members/{member}/vouchers"): (Scope.VOUCHERS_READ, 200),
    ("POST", "vouchers"): (Scope.VOUCHERS_ISSUE, 422),
    ("POST", "vouchers/{code}/validate"): (Scope.VOUCHERS_READ, 200),
    ("POST", "vouchers/{code}/lock"): (Scope.VOUCHERS_USE, 422),
    ("POST", "vouchers/{code}/redeem"): (Scope.VOUCHERS_USE, 422),
    ("POST", "vouchers/{code}/rollback"): (Scope.VOUCHERS_USE, 422),
    ("GET", "causes"): (Scope.REWARDS_READ, 200),
    ("GET", "causes/{id}"): (Scope.REWARDS_READ, 404),
    ("POST", "causes/{id}/donations"): (Scope.REDEMPTIONS_WRITE, 422),
    ("GET", "members/{member}/donations"): (Scope.REDEMPTIONS_READ, 200),
    ("GET", "draws"): (Scope.REWARDS_READ, 200),
    ("GET", "draws/{id}"): (Scope.REWARDS_READ, 404),
    ("GET", "draws/{id}/entries"): (Scope.REWARDS_READ, 404),
    ("GET", "leaderboards"): (Scope.REWARDS_READ, 200),
    ("GET", "leaderboards/{id}"): (Scope.REWARDS_READ, 404),
    ("GET", "members/{member}/leaderboard-profile"): (Scope.REWARDS_READ, 200),
    ("PUT", "members/{member}/leaderboard-profile"): (Scope.CHALLENGES_WRITE, 422),
    ("DELETE", "members/{member}/leaderboard-profile"): (Scope.CHALLENGES_WRITE, 200),
}
"""The scope of each route, and the answer to an empty request about nothing once the scope is there."""

_keys = itertools.count(1)


@pytest.fixture
def till() -> Till:
    return Till(PartnerFactory())


@pytest.fixture
def aino(till: Till) -> Member:
    return member(partner=till.partner)


def call(till: Till, method: str, path: str, who: Member) -> Response:
    address = path.format(member=who.public_id, id=NOBODY, code="KAHVI-7K3D-9XMP-4RWC")
    body: Any = {} if method != "GET" else None
    headers = {"idempotency-key": f"scope-{next(_keys)}"}
    send = getattr(till.client, method.lower())
    return send(f"/api/v1/{address}", body, format="json", headers=headers)  # type: ignore[no-any-return]


@pytest.mark.parametrize("scope", sorted({scope for scope, _status in ROUTES.values()}))
def test_every_route_needs_its_scope_and_no_other(till: Till, aino: Member, scope: Scope) -> None:
    without = Till(till.partner, scopes=tuple(other for other in Scope.values if other != scope))
    narrow = Till(till.partner, scopes=(scope,))
    mine = {route: status for route, (needed, status) in ROUTES.items() if needed == scope}
    assert {route: call(without, *route, aino).status_code for route in mine} == dict.fromkeys(mine, 403)
    assert {route: call(narrow, *route, aino).status_code for route in mine} == mine
    assert not Transfer.objects.exists()


def test_other_partners_members_are_unknown(aino: Member) -> None:
    other = Till(PartnerFactory())
    of_members = [route for route in ROUTES if "{member}" in route[1]]
    answers = {route: call(other, *route, aino) for route in of_members}
    told = {route: (answer.status_code, answer.json()["code"]) for route, answer in answers.items()}
    assert told == dict.fromkeys(of_members, (404, "unknown-member"))


def patterns_of(module: str, prefix: str = "") -> Iterator[str]:
    """Every route of an app's API with what it includes; arguments are {}."""

    def walk(patterns: list[Any], before: str) -> Iterator[str]:
        for pattern in patterns:
            route = before + re.sub(r"<[^>]+>", "{}", str(pattern.pattern))
            if hasattr(pattern, "url_patterns"):
                yield from walk(pattern.url_patterns, route)
            else:
                yield route

    yield from walk(__import__(module, fromlist=["urlpatterns"]).urlpatterns, prefix)
