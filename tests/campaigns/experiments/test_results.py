"""What a campaign was worth: sides, windows, refunds, costs, and what may be said of it."""

import datetime as dt
from decimal import Decimal

import pytest
from django.utils import translation

from campaigns.experiments import results, winner
from campaigns.experiments.assignment import share_of
from campaigns.experiments.figures import Verdict, read
from campaigns.experiments.wording import show
from campaigns.models import Campaign, CampaignResult, Message, SendingPolicy, Variant
from loyalty.events.models import Event
from members.models import Activity, Member
from rewards.refunds import Order, refund
from tests.factories.campaigns import recorder
from tests.factories.members import NOON, member
from tests.factories.rewards import purchase

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
LATER = NOON + 30 * DAY


@pytest.fixture
def campaign() -> Campaign:
    """A one-off sent at noon; a purchase within seven days is its goal."""
    made = Campaign.objects.create(
        code="spring",
        names={"en": "Spring"},
        status=Campaign.Status.SENT,
        started_at=NOON,
        goal_days=7,
        hold_out_percent=50,
    )
    for code in "AB":
        Variant.objects.create(campaign=made, code=code)
    return made


def exposed(campaign: Campaign, arm: str, *, variant: str = "", **facts: object) -> Member:
    """A new member on one side of the campaign's experiment."""
    someone = member(at=NOON - 400 * DAY)
    facts.setdefault("status", "sent" if arm == "treated" else "held_out")
    facts.setdefault("due_at", NOON)
    Message.objects.create(
        member=someone,
        campaign=campaign,
        occasion=str(facts.pop("occasion", "once")),
        arm=arm,
        variant=campaign.variants.get(code=variant) if variant else None,
        channel="email",
        language="en",
        created_at=NOON,
        **facts,
    )
    return someone


def test_members_count_on_the_side_they_were_assigned_to_whether_it_went_out_or_not(
    campaign: Campaign,
) -> None:
    exposed(campaign, "treated", variant="A", opened_at=LATER, clicked_at=LATER)
    exposed(campaign, "treated", variant="B", status="failed")
    exposed(campaign, "held_out")
    exposed(campaign, "global", status="held_out")
    exposed(campaign, "", status="skipped")
    found = results.compute(campaign, at=LATER)
    assert (found.treated.members, found.treated.reached, found.held_out.members) == (2, 1, 1)
    assert (found.treated.opened, found.treated.clicked) == (1, 1)
    assert [(side.code, side.members) for side in found.variants] == [("A", 1), ("B", 1)]
    assert found.not_in_experiment == 1


@pytest.mark.parametrize(
    ("after", "counts"),
    [
        (dt.timedelta(seconds=-1), 0),
        (dt.timedelta(0), 1),
        (7 * DAY - dt.timedelta(seconds=1), 1),
        (7 * DAY, 0),
    ],
)
def test_a_purchase_counts_within_the_window_of_the_message(
    campaign: Campaign, after: dt.timedelta, counts: int
) -> None:
    purchase(exposed(campaign, "held_out"), total="40.00", at=NOON + after)
    found = results.compute(campaign, at=LATER)
    assert (found.held_out.conversions, found.held_out.revenue) == (counts, 40 * counts)


def test_a_purchase_within_the_windows_of_two_messages_counts_once(campaign: Campaign) -> None:
    someone = exposed(campaign, "treated", variant="A")
    Message.objects.create(
        member=someone,
        campaign=campaign,
        occasion="twice",
        arm="treated",
        variant=campaign.variants.get(code="B"),
        channel="email",
        language="en",
        status="sent",
        created_at=NOON,
        due_at=NOON + DAY,
    )
    purchase(someone, total="25.00", at=NOON + 2 * DAY)
    found = results.compute(campaign, at=LATER)
    assert (found.treated.members, found.treated.conversions, found.treated.revenue) == (1, 1, 25)
    assert [side.members for side in found.variants] == [1, 0]


def test_revenue_is_less_what_was_refunded(campaign: Campaign) -> None:
    someone = exposed(campaign, "treated", variant="A")
    bought = purchase(someone, total="100.00", at=NOON + DAY)
    refund(
        activity_id=Activity.objects.get(public_id=bought.activity_id).pk,
        external_id="r1",
        order=Order(amount=Decimal("30.00")),
        at=NOON + 2 * DAY,
    )
    assert results.compute(campaign, at=LATER).treated.revenue == 70


def test_costs_are_points_at_their_price_and_sending(campaign: Campaign) -> None:
    SendingPolicy.objects.filter(pk=1).update(value_of_a_point="0.02", margin_percent=50)
    for _each in range(2):
        purchase(
            exposed(campaign, "treated", variant="A", points=100, cost="0.05"), total="30.00", at=NOON + DAY
        )
    for _each in range(2):
        purchase(exposed(campaign, "held_out"), total="10.00", at=NOON + DAY)
    found = results.compute(campaign, at=LATER)
    assert found.treated.cost == pytest.approx(4.1)
    assert found.lift.revenue == pytest.approx(40)
    assert found.lift.margin == pytest.approx(20)
    assert found.lift.profit == pytest.approx(15.9)
    assert found.lift.roi == pytest.approx(15.9 / 4.1)


def test_only_purchases_that_the_goal_asks_for_convert(campaign: Campaign) -> None:
    campaign.goal_conditions = {"field": "total", "op": "ge", "value": "50.00"}
    campaign.save()
    small, large = exposed(campaign, "treated", variant="A"), exposed(campaign, "treated", variant="A")
    purchase(small, total="49.99", at=NOON + DAY)
    purchase(large, total="50.00", at=NOON + DAY)
    found = results.compute(campaign, at=LATER)
    assert (found.treated.conversions, found.treated.revenue) == (1, pytest.approx(99.99))


def test_a_click_is_a_goal_too(campaign: Campaign) -> None:
    campaign.goal = Campaign.Goal.CLICK
    campaign.save()
    exposed(campaign, "treated", variant="A", clicked_at=NOON + DAY)
    exposed(campaign, "treated", variant="A")
    assert results.compute(campaign, at=LATER).treated.conversions == 1


def test_few_members_are_plainly_not_enough_and_the_size_is_named(campaign: Campaign) -> None:
    for arm in ("treated", "held_out"):
        for bought in (True, False):
            someone = exposed(campaign, arm, variant="A" if arm == "treated" else "")
            if bought:
                purchase(someone, total="10.00", at=NOON + DAY)
    found = results.compute(campaign, at=LATER)
    assert found.verdict is Verdict.NOT_ENOUGH
    assert found.lift.needed is not None
    assert found.lift.needed > 300


def test_without_a_hold_out_nothing_is_claimed(campaign: Campaign) -> None:
    campaign.hold_out_percent = 0
    campaign.save()
    exposed(campaign, "treated", variant="A")
    found = results.compute(campaign, at=LATER)
    assert found.verdict is Verdict.NO_HOLD_OUT
    assert (found.lift.rate, found.lift.revenue, found.lift.roi) == (None, None, None)


def test_nobody_yet(campaign: Campaign) -> None:
    found = results.compute(campaign, at=LATER)
    assert found.verdict is Verdict.NOBODY
    assert found.treated.rate is None


def test_sides_that_do_not_fit_the_hold_out_are_not_to_be_trusted(campaign: Campaign) -> None:
    campaign.hold_out_percent = 5
    campaign.save()
    for _each in range(12):
        exposed(campaign, "held_out")
    exposed(campaign, "treated", variant="A")
    assert results.compute(campaign, at=LATER).verdict is Verdict.MISTRUST


def test_what_is_kept_is_read_back_as_it_was(campaign: Campaign) -> None:
    someone = exposed(campaign, "treated", variant="A")
    purchase(someone, total="10.00", at=NOON + DAY)
    exposed(campaign, "held_out")
    exposed(campaign, "held_out")
    kept = results.keep(campaign, at=LATER)
    kept.refresh_from_db()
    assert read(kept.figures) == results.compute(campaign, at=LATER)
    assert kept.is_final


def test_a_result_is_final_once_every_window_is_over(campaign: Campaign) -> None:
    exposed(campaign, "treated", variant="A")
    assert not results.compute(campaign, at=NOON + 6 * DAY).is_final
    assert results.compute(campaign, at=NOON + 7 * DAY).is_final


def test_results_cost_the_same_for_one_member_and_for_thirty(
    campaign: Campaign, django_assert_num_queries: object
) -> None:
    exposed(campaign, "treated", variant="A")
    with django_assert_num_queries(4):  # type: ignore[operator]
        results.compute(campaign, at=LATER)
    for _each in range(30):
        exposed(campaign, "treated", variant="B")
    with django_assert_num_queries(4):  # type: ignore[operator]
        results.compute(campaign, at=LATER)


class TestWinner:
    @pytest.fixture(autouse=True)
    def tried(self, campaign: Campaign) -> None:
        Campaign.objects.filter(pk=campaign.pk).update(
            status=Campaign.Status.SENDING, winner_by="click", winner_after_hours=24, test_percent=40
        )

    def test_the_variant_with_the_larger_share_takes_over(self, campaign: Campaign) -> None:
        exposed(campaign, "treated", variant="A", clicked_at=NOON)
        exposed(campaign, "treated", variant="A")
        exposed(campaign, "treated", variant="B", clicked_at=NOON)
        waiting = exposed(campaign, "treated", status="due", due_at=NOON)
        winner.choose_due(at=NOON + DAY, run=recorder())
        campaign.refresh_from_db()
        assert (campaign.winner, campaign.winner_chosen_at) == (campaign.variants.get(code="B"), NOON + DAY)
        row = Message.objects.get(member=waiting)
        assert (row.variant, row.due_at) == (campaign.winner, NOON)
        assert Event.objects.filter(name="campaign.winner_chosen").count() == 1

    def test_it_is_not_chosen_before_its_time_nor_twice(self, campaign: Campaign) -> None:
        exposed(campaign, "treated", variant="B", clicked_at=NOON)
        winner.choose_due(at=NOON + DAY - dt.timedelta(seconds=1), run=recorder())
        campaign.refresh_from_db()
        assert campaign.winner is None
        winner.choose_due(at=NOON + DAY, run=recorder())
        exposed(campaign, "treated", variant="A", clicked_at=NOON)
        exposed(campaign, "treated", variant="B")
        winner.choose_due(at=NOON + 2 * DAY, run=recorder())
        campaign.refresh_from_db()
        assert (campaign.winner, campaign.winner_chosen_at) == (campaign.variants.get(code="B"), NOON + DAY)

    def test_of_equals_the_first_wins(self, campaign: Campaign) -> None:
        for code in "BA":
            exposed(campaign, "treated", variant=code)
        chosen = winner.choose(campaign_id=campaign.pk, at=NOON + DAY)
        assert chosen is not None
        assert chosen.code == "A"


def test_results_grow_old_by_the_hour_at_first_and_by_the_day_later(campaign: Campaign) -> None:
    exposed(campaign, "treated", variant="A")
    campaign.goal_days = 60
    campaign.save()
    for hours in (1, 1.5, 2, 24 * 4, 24 * 4 + 2, 24 * 5):
        winner.measure_due(at=NOON + dt.timedelta(hours=hours), run=recorder())
    kept = CampaignResult.objects.order_by("computed_at").values_list("computed_at", flat=True)
    assert [(at - NOON) / dt.timedelta(hours=1) for at in kept] == [2, 24 * 4, 24 * 5]
    winner.measure_due(at=NOON + 60 * DAY, run=recorder())
    winner.measure_due(at=NOON + 90 * DAY, run=recorder())
    assert CampaignResult.objects.filter(is_final=True).count() == 1


def test_after_the_choice_variants_are_compared_by_those_only_whom_they_were_tried_on(
    campaign: Campaign,
) -> None:
    Campaign.objects.filter(pk=campaign.pk).update(winner_by="goal", winner_after_hours=24, test_percent=50)
    campaign.refresh_from_db()
    sides = {"in": 0, "out": 0}
    while min(sides.values()) < 3 or sides["in"] < 4:
        someone = exposed(campaign, "treated", variant="A" if sides["in"] % 2 else "B")
        is_in = share_of(f"{campaign.public_id}:test", someone.pk) < 0.5
        sides["in" if is_in else "out"] += 1
        if not is_in:
            Message.objects.filter(member=someone).update(variant=campaign.variants.get(code="A"))
            purchase(someone, total="10.00", at=NOON + DAY)
    late = exposed(campaign, "treated", variant="A")
    Message.objects.filter(member=late).update(created_at=NOON + 3 * DAY)
    assert (
        sum(side.members for side in results.compute(campaign, at=LATER).variants)
        == sides["in"] + sides["out"] + 1
    )
    campaign.winner, campaign.winner_chosen_at = campaign.variants.get(code="A"), NOON + DAY
    campaign.save()
    found = results.compute(campaign, at=LATER)
    assert sum(side.members for side in found.variants) == sides["in"]
    assert [side.conversions for side in found.variants] == [0, 0]
    assert found.treated.members == sides["in"] + sides["out"] + 1
    assert found.treated.conversions == sides["out"]
    with translation.override("en"):
        assert any("tried on" in note for note in show(read(found.as_json())).notes)
