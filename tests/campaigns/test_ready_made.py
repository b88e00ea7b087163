"""Ready-made campaigns: each is fit to be sent as it stands, in every language."""

import pytest

from campaigns import audience, lifecycle, readiness, ready_made, triggers
from campaigns.models import Campaign, Trigger
from loyalty.events.models import Event
from tests.factories.campaigns import celebrant
from tests.factories.members import NOON

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "code", [each.code for each in ready_made.BLUEPRINTS if each.code != "replenishment"]
)
def test_a_ready_made_campaign_runs_as_it_stands(code: str) -> None:
    made = ready_made.create(code, staff_id=None, at=NOON)
    assert (made.status, sorted(made.variants.get().texts.values_list("language", flat=True))) == (
        "draft",
        ["en", "fi", "sv"],
    )
    assert [(each.field, each.message) for each in readiness.objections(made, at=NOON)] == []
    begun = lifecycle.submit(campaign_id=made.pk, staff_id=None, at=NOON)
    assert begun.status == ("scheduled" if made.kind == "one_off" else "running")


def test_the_win_back_goes_once_to_those_who_are_slipping_away() -> None:
    made = ready_made.create("win-back-now", staff_id=None, at=NOON)
    assert (made.kind, made.occasion, made.send_at) == ("one_off", "", None)
    assert "Loittonevat" in str(audience.condition_of(made).sentence())


def test_of_what_is_bought_again_the_product_has_to_be_named() -> None:
    made = ready_made.create("replenishment", staff_id=None, at=NOON)
    assert [each.field for each in readiness.objections(made, at=NOON)] == ["event_conditions"]
    made.event_conditions = {"field": "sku", "op": "eq", "value": "COFFEE-500"}
    assert readiness.objections(made, at=NOON) == []


def test_the_same_blueprint_twice_makes_two_campaigns() -> None:
    codes = [ready_made.create("welcome", staff_id=None, at=NOON).code for _ in range(2)]
    assert codes == ["welcome", "welcome-2"]


def test_an_unknown_blueprint_makes_nothing() -> None:
    before = Campaign.objects.count()
    with pytest.raises(KeyError):
        ready_made.create("nonesuch", staff_id=None, at=NOON)
    assert Campaign.objects.count() == before


def test_members_who_are_moved_in_from_another_system_are_not_welcomed() -> None:
    made = ready_made.create("welcome", staff_id=None, at=NOON)
    lifecycle.submit(campaign_id=made.pk, staff_id=None, at=NOON)
    moved, joined = celebrant(), celebrant()
    events = [
        Event.objects.create(
            name="member.enrolled", member_id=who.pk, occurred_at=NOON, facts={"source": source}
        )
        for who, source in ((moved, "import"), (joined, "portal"))
    ]
    assert triggers.notice(events) == 1
    assert Trigger.objects.get().member == joined
