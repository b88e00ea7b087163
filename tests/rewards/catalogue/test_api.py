"""The catalogue in the API: what a till or an app reads of it, in pages and in a language."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalty.partners.models import Scope
from members.models import Member, Tier
from rewards.catalogue.favourites import mark
from rewards.catalogue.pictures import take_in
from rewards.models import RewardCategory
from tests.api.test_schema import check
from tests.api.till import Till
from tests.factories.catalogue import points, reward
from tests.factories.members import NOON, member
from tests.factories.partners import PartnerFactory
from tests.rewards.catalogue.test_pictures import picture

pytestmark = pytest.mark.django_db


@pytest.fixture
def till() -> Till:
    return Till(PartnerFactory(slug="shop"))


@pytest.fixture
def aino(till: Till) -> Member:
    who = member(partner=till.partner)
    points(who, 500)
    return who


def codes(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.json()
    return [each["code"] for each in answer.json()["results"]]


def test_the_catalogue_is_read_in_pages_cheapest_first(till: Till) -> None:
    for number in (300, 100, 200):
        reward(f"r-{number}", points=number)
    reward("draft", is_active=False)
    first = till.get("rewards", limit="2")
    assert codes(first) == ["r-100", "r-200"]
    following = till.client.get(first.json()["next"])
    assert codes(following) == ["r-300"]
    assert following.json()["next"] is None
    assert till.get("rewards", cursor="nonsense").status_code == 422


def test_filters_and_language(till: Till) -> None:
    shelf = RewardCategory.objects.create(code="cafe", names={"en": "Café", "fi": "Kahvila"})
    reward("coffee", names={"en": "Coffee", "fi": "Kahvi"}, category=shelf, tags=["hot"])
    reward("bag")
    assert codes(till.get("rewards", category="cafe")) == codes(till.get("rewards", tag="hot")) == ["coffee"]
    [finnish] = till.get("rewards", category="cafe", language="fi").json()["results"]
    assert (finnish["name"], finnish["category"]) == ("Kahvi", {"code": "cafe", "name": "Kahvila"})
    for wrong in ({"language": "de"}, {"category": "x" * 51}, {"tag": "\x00"}):
        assert till.get("rewards", **wrong).status_code == 422


def test_a_member_is_told_what_is_in_the_way(till: Till, aino: Member) -> None:
    free = reward("free", points=500)
    reward("dear", points=820)
    reward("gold", points=900, minimum_tier=Tier.objects.get(code="gold"))
    reward("others", conditions={"field": "language", "op": "eq", "value": "sv"})
    mark(member_id=aino.pk, reward=free, at=NOON)
    answer = till.get(f"members/{aino.public_id}/rewards")
    assert codes(answer) == ["free", "dear", "gold"]
    told = {each["code"]: each for each in answer.json()["results"]}
    assert (told["free"]["available"], told["free"]["favourite"], told["free"]["obstacles"]) == (
        True,
        True,
        [],
    )
    assert told["dear"]["obstacles"] == [
        {"kind": "points", "text": "320 points missing.", "points_missing": 320, "until": None}
    ]
    assert [each["kind"] for each in told["gold"]["obstacles"]] == ["tier", "points"]
    paged = till.get(f"members/{aino.public_id}/rewards", limit="1")
    assert codes(till.client.get(paged.json()["next"])) == ["dear"]


def test_one_reward_and_one_for_a_member(till: Till, aino: Member) -> None:
    given, hidden = reward("bag"), reward("draft", is_active=False)
    assert till.get(f"rewards/{given.public_id}").json()["code"] == "bag"
    assert till.get(f"members/{aino.public_id}/rewards/{given.public_id}").json()["available"]
    for path in (f"rewards/{hidden.public_id}", f"members/{aino.public_id}/rewards/{hidden.public_id}"):
        refused = till.get(path)
        assert (refused.status_code, refused.json()["code"]) == (404, "unknown-reward")


def test_other_partners_members_are_not_told_of(till: Till) -> None:
    stranger = member(partner=PartnerFactory())
    for path in ("rewards", f"rewards/{reward().public_id}"):
        assert till.get(f"members/{stranger.public_id}/{path}").json()["code"] == "unknown-member"


def test_a_key_without_the_scope_reads_nothing(till: Till, aino: Member) -> None:
    others = tuple(scope for scope in Scope.values if scope != Scope.REWARDS_READ)
    narrow = Till(till.partner, scopes=others)
    given = reward()
    for path in ("rewards", f"rewards/{given.public_id}", f"members/{aino.public_id}/rewards"):
        assert narrow.get(path).status_code == 403


def test_answers_fit_the_schema(till: Till, aino: Member) -> None:
    from drf_spectacular.generators import SchemaGenerator

    schema = SchemaGenerator().get_schema(request=None, public=True)
    shelf = RewardCategory.objects.create(code="cafe", names={"en": "Café"})
    gold = Tier.objects.get(code="gold")
    given = reward(
        category=shelf, picture=take_in(picture(), at=NOON), minimum_tier=gold, limit_per_member=1, limit_in_all=2,
        opens_at="2026-06-20T00:00Z", early_opens_at="2026-06-01T00:00Z", early_tier=gold, partner=till.partner,
        money="4.50",
    )  # fmt: skip
    check(schema, "rewards", "get", till.get("rewards"))
    check(schema, "rewards/{public_id}", "get", till.get(f"rewards/{given.public_id}"))
    own = f"members/{aino.public_id}/rewards"
    check(schema, "members/{public_id}/rewards", "get", till.get(own))
    one = till.get(f"{own}/{given.public_id}")
    check(schema, "members/{public_id}/rewards/{reward_id}", "get", one)
    assert one.json()["picture"]["url"].endswith(".webp")


def test_lists_cost_the_same_for_one_reward_and_for_thirty(till: Till, aino: Member) -> None:
    def cost(path: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert till.get(path).status_code == 200
        return len(queries)

    paths = ("rewards", f"members/{aino.public_id}/rewards")
    reward(limit_per_member=1)
    for path in paths:
        cost(path)
    few = [cost(path) for path in paths]
    for _number in range(29):
        reward(limit_per_member=1)
    assert [cost(path) for path in paths] == few


def test_a_till_marks_and_unmarks_favourites(till: Till, aino: Member) -> None:
    given, hidden = reward("bag"), reward("draft", is_active=False)
    far = reward("far", opens_at="2027-06-20T00:00Z")
    address = f"/api/v1/members/{aino.public_id}/favourites/"
    for _again in range(2):
        assert till.client.put(f"{address}{given.public_id}").status_code == 204
    assert [each.reward for each in aino.favourites.all()] == [given]
    for unseen in (hidden, far):
        assert till.client.put(f"{address}{unseen.public_id}").json()["code"] == "unknown-reward"
    for _again in range(2):
        assert till.client.delete(f"{address}{given.public_id}").status_code == 204
    assert not aino.favourites.exists()
    others = tuple(scope for scope in Scope.values if scope != Scope.REDEMPTIONS_WRITE)
    assert Till(till.partner, scopes=others).client.put(f"{address}{given.public_id}").status_code == 403
    stranger = member(partner=PartnerFactory())
    refused = till.client.put(f"/api/v1/members/{stranger.public_id}/favourites/{given.public_id}")
    assert refused.json()["code"] == "unknown-member"


def test_what_opens_in_the_far_future_is_not_told_of(till: Till) -> None:
    far = reward("far", opens_at="2027-06-20T00:00Z")
    assert codes(till.get("rewards")) == []
    assert till.get(f"rewards/{far.public_id}").json()["code"] == "unknown-reward"
