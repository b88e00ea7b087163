"""Whoever waited for the winner is written to within the caps of that day; one unreadable goal holds up nobody else."""

import pytest

from campaigns.experiments import winner
from campaigns.models import Campaign, Message
from tests.campaigns.dispatching import DAY, plain, send_due, state  # noqa: F401  (a fixture)
from tests.factories.campaigns import MessageFactory, celebrant, recorder
from tests.factories.deciding import mailing, no_caps
from tests.factories.members import NOON

pytestmark = pytest.mark.django_db
UNREADABLE = {"field": "gone", "op": "eq", "value": 1}


def tried(**facts: object) -> Campaign:
    """A campaign whose time of trying is over six hours after noon."""
    rule = {"winner_by": "goal", "winner_after_hours": 6, "test_percent": 50}
    return mailing(status="sending", variants=(1, 1), started_at=NOON, **rule, **facts)


@pytest.mark.usefixtures("plain")
def test_those_who_waited_are_not_sent_more_than_the_day_they_get_it_allows() -> None:
    no_caps(per_day=1)
    campaign, other = tried(), mailing(status="sending")
    busy, free = celebrant(time_zone="UTC"), celebrant(time_zone="UTC")
    waiting = [
        MessageFactory(member=who, campaign=campaign, arm="treated", due_at=NOON, occasion="once")
        for who in (busy, free)
    ]
    MessageFactory(member=busy, campaign=other, status="sent", due_at=NOON + DAY, occasion="once")
    winner.choose_due(at=NOON + DAY, run=recorder())
    send_due(NOON + DAY)
    assert [state(each)[:2] for each in waiting] == [("skipped", "capped"), ("sent", "")]
    assert Message.objects.get(pk=waiting[1].pk).due_at == NOON + DAY


def test_a_goal_that_cannot_be_read_keeps_no_other_campaign_from_its_winner_or_result() -> None:
    unreadable, good = tried(goal_conditions=UNREADABLE), tried()
    run = recorder()
    winner.choose_due(at=NOON + DAY, run=run)
    winner.measure_due(at=NOON + DAY, run=run)
    assert (run.row.done, run.row.failed) == (2, 2)
    chosen = Campaign.objects.filter(winner__isnull=False)
    assert [*chosen] == [good]
    assert (unreadable.results.count(), good.results.count()) == (0, 1)
