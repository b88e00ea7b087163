"""What a campaign is for: each goal counts what it names, within the window, and nothing else."""

import datetime as dt

import pytest

from campaigns.experiments import results
from campaigns.models import Campaign, Message
from rewards.redemption import ending
from tests.campaigns.experiments.test_results import LATER, campaign, exposed
from tests.factories.members import NOON
from tests.factories.redemptions import points_for, redeemed, reward
from tests.factories.rewards import purchase

__all__ = ["campaign"]
pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


@pytest.mark.parametrize(("after", "counts"), [(-DAY, 0), (DAY, 1), (8 * DAY, 0)])
def test_a_redemption_counts_within_the_window(campaign: Campaign, after: dt.timedelta, counts: int) -> None:
    Campaign.objects.filter(pk=campaign.pk).update(goal="redemption")
    campaign.refresh_from_db()
    someone = exposed(campaign, "treated", variant="A")
    points_for(someone, 200, at=NOON - 2 * DAY)
    redeemed(someone, reward(), at=NOON + after)
    purchase(someone, total="10.00", at=NOON + DAY)
    found = results.compute(campaign, at=LATER)
    assert (found.treated.members, found.treated.conversions) == (1, counts)


def test_a_cancelled_redemption_does_not_count(campaign: Campaign) -> None:
    Campaign.objects.filter(pk=campaign.pk).update(goal="redemption")
    campaign.refresh_from_db()
    someone = exposed(campaign, "treated", variant="A")
    points_for(someone, 200, at=NOON - 2 * DAY)
    placed = redeemed(someone, reward(), at=NOON + DAY)
    ending.cancel(redemption_id=placed.redemption.pk, via="admin", at=NOON + DAY)
    assert results.compute(campaign, at=LATER).treated.conversions == 0


@pytest.mark.parametrize("goal", Campaign.Goal.values)
def test_every_goal_can_be_counted(campaign: Campaign, goal: str) -> None:
    Campaign.objects.filter(pk=campaign.pk).update(goal=goal)
    campaign.refresh_from_db()
    someone = exposed(campaign, "treated", variant="A")
    purchase(someone, total="10.00", at=NOON + DAY)
    Message.objects.update(clicked_at=NOON + DAY)
    expected = {"purchase": 1, "spend": 1, "click": 1, "redemption": 0, "visit": 0}
    assert results.compute(campaign, at=LATER).treated.conversions == expected[goal]
