"""``/segments`` and ``/members/{id}/segments``."""

import pytest

from members.models import Member, Segment, SegmentChange
from tests.api.till import Till
from tests.factories.members import NOON
from tests.factories.segments import members_of, segment

pytestmark = pytest.mark.django_db


@pytest.fixture
def vips() -> Segment:
    Segment.objects.update(is_active=False)
    return Segment.objects.create(
        code="vips", names={"en": "VIPs"}, kind="list", created_at=NOON, refreshed_at=NOON
    )


def test_segments_in_use_are_listed(till: Till, vips: Segment, aino: Member) -> None:
    segment("all", at=NOON)
    answer = till.get("segments")
    assert answer.status_code == 200
    assert answer.json() == {
        "results": [
            {
                "code": "all",
                "name": "All",
                "kind": "conditions",
                "members": 1,
                "refreshed_at": "2026-06-15T09:00:00Z",
            },
            {
                "code": "vips",
                "name": "VIPs",
                "kind": "list",
                "members": 0,
                "refreshed_at": "2026-06-15T09:00:00Z",
            },
        ]
    }


def test_a_members_segments_are_shown_to_partners_that_may_see_the_member(
    till: Till, other: Till, vips: Segment, aino: Member
) -> None:
    till.post("segments/vips/members", {"members": [{"external_id": "c-1"}]})
    found = till.get(f"members/{aino.public_id}/segments").json()["results"]
    assert [(row["code"], row["name"]) for row in found] == [("vips", "VIPs")]
    assert other.get(f"members/{aino.public_id}/segments").status_code == 404


def test_members_are_put_on_a_list_and_taken_off(till: Till, vips: Segment, aino: Member) -> None:
    body = {"members": [{"external_id": "c-1"}, {"card_number": aino.card_number}]}
    answer = till.post("segments/vips/members", body)
    assert (answer.status_code, answer.json()) == (200, {"joined": 1, "left": 0, "members": 1})
    assert members_of(vips) == {aino}
    off = till.post("segments/vips/members", {"mode": "remove", "members": [{"external_id": "c-1"}]})
    assert off.json() == {"joined": 0, "left": 1, "members": 0}


def test_one_unknown_member_and_nothing_is_written(till: Till, vips: Segment, aino: Member) -> None:
    body = {"members": [{"external_id": "c-1"}, {"external_id": "nobody"}]}
    answer = till.post("segments/vips/members", body)
    assert answer.status_code == 422
    assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [
        ("members[1].external_id", "unknown")
    ]
    assert not SegmentChange.objects.exists()


@pytest.mark.parametrize(
    ("code", "status", "problem"), [("none", 404, "unknown-segment"), ("all", 409, "not-a-list")]
)
def test_only_lists_in_use_take_members(
    till: Till, vips: Segment, aino: Member, code: str, status: int, problem: str
) -> None:
    segment("all", {"field": "language", "op": "eq", "value": "sv"})
    answer = till.post(f"segments/{code}/members", {"members": [{"external_id": "c-1"}]})
    assert (answer.status_code, answer.json()["code"]) == (status, problem)
    assert not SegmentChange.objects.exists()


@pytest.mark.parametrize("body", [{}, {"members": []}, {"members": [{}]}, {"mode": "x", "members": []}])
def test_bodies_that_say_nothing_are_refused(till: Till, vips: Segment, body: object) -> None:
    assert till.post("segments/vips/members", body).status_code == 422


def test_scopes_are_asked_for(till: Till, vips: Segment, aino: Member) -> None:
    bare = Till(till.partner, scopes=("members:read",))
    assert bare.get("segments").status_code == 403
    assert bare.get(f"members/{aino.public_id}/segments").status_code == 403
    written = bare.post("segments/vips/members", {"members": [{"external_id": "c-1"}]})
    assert written.status_code == 403
    assert members_of(vips) == set()
