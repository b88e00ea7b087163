"""``POST /activities/simulate``."""

import pytest
from django.apps import apps

from members.models import Member
from tests.api.till import Till, purchase

pytestmark = pytest.mark.django_db


def rows() -> dict[str, int]:
    return {model._meta.label: model._default_manager.count() for model in apps.get_models()}


def test_the_answer_of_recording_without_an_id(till: Till, aino: Member) -> None:
    before, body = rows(), purchase()
    answer = till.client.post("/api/v1/activities/simulate", body, format="json")
    assert answer.status_code == 200
    assert rows() == before
    recorded = till.post("activities", body).json()
    assert answer.json() == {name: value for name, value in recorded.items() if name != "id"}


def test_two_years_ahead_and_no_further(till: Till, aino: Member) -> None:
    ahead = purchase(occurred_at="2028-06-14T12:00:00+03:00", external_id=...)
    assert till.post("activities/simulate", ahead).json()["points"] == {"available": 42, "pending": 0}
    refused = till.post("activities/simulate", ahead | {"occurred_at": "2028-06-17T12:00:00+03:00"})
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "future")


def test_without_a_member_for_somebody_new(till: Till) -> None:
    answer = till.post("activities/simulate", purchase(member=...)).json()
    assert (answer["points"]["available"], answer["tier"]["code"]) == (42, "bronze")


def test_refusals_write_nothing(till: Till, aino: Member) -> None:
    before = rows()
    unknown = till.post("activities/simulate", purchase(member={"external_id": "nobody"}))
    assert (unknown.status_code, till.post("activities/simulate", purchase(total="-1")).status_code) == (
        404,
        422,
    )
    assert rows() == before


def test_other_content_under_a_recorded_id_conflicts(till: Till, aino: Member) -> None:
    body = purchase()
    till.post("activities", body)
    assert till.post("activities/simulate", body | {"store": "Pasila"}).status_code == 409
