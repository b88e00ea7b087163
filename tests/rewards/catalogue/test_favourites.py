"""A marked reward that a member can get is told of once, and again only after they could not."""

import datetime as dt
from unittest import mock

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns import triggers
from campaigns.models import Campaign, Message, Trigger
from loyalty import clock
from loyalty.events import dispatch
from loyalty.events.models import Event
from members.consents import set_consent
from members.models import Member
from rewards.catalogue import favourites
from rewards.catalogue.favourites import TooManyFavourites, mark, review, review_all, unmark
from rewards.ledger import Why, spend
from rewards.models import Favourite, Reward, Wallet
from rewards.models.ledger import AccountKind
from tests.factories.campaigns import recorder
from tests.factories.catalogue import points, reward
from tests.factories.members import NOON, member

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)


@pytest.fixture
def aino() -> Member:
    return member(email="aino@example.com", first_name="Aino")


@pytest.fixture
def bag() -> Reward:
    return reward("tote-bag", points=300)


def told(at: dt.datetime = NOON) -> list[int | None]:
    events = Event.objects.filter(name="reward.affordable").order_by("pk")
    return list(events.values_list("member_id", flat=True))


def spent(who: Member, number: int) -> None:
    spend(
        member_id=who.pk,
        wallet_id=Wallet.objects.get(is_default=True).pk,
        points=number,
        kind="redeem",
        to_kind=AccountKind.REDEEMED,
        why=Why(),
        at=NOON,
    )


def test_told_once_until_the_points_are_spent_again(aino: Member, bag: Reward) -> None:
    assert mark(member_id=aino.pk, reward=bag, at=NOON)
    assert not mark(member_id=aino.pk, reward=bag, at=NOON)
    points(aino, 299)
    assert review(member_ids=[aino.pk], at=NOON) == 0
    points(aino, 1)
    assert review(member_ids=[aino.pk], at=NOON) == 1
    points(aino, 50)
    assert review(member_ids=[aino.pk], at=NOON + DAY) == 0
    spent(aino, 200)
    assert review(member_ids=[aino.pk], at=NOON + DAY) == 0
    points(aino, 200)
    assert review(member_ids=[aino.pk], at=NOON + 2 * DAY) == 1
    assert told() == [aino.pk, aino.pk]
    facts = Event.objects.filter(name="reward.affordable").latest("pk").facts
    assert (facts["reward"], facts["points"]) == (str(bag.public_id), 300)


def test_what_can_be_had_when_it_is_marked_is_no_news(aino: Member, bag: Reward) -> None:
    points(aino, 300)
    mark(member_id=aino.pk, reward=bag, at=NOON)
    assert review(member_ids=[aino.pk], at=NOON) == 0


def test_points_alone_are_not_enough(aino: Member, bag: Reward) -> None:
    bag.opens_at = NOON + DAY
    bag.save()
    mark(member_id=aino.pk, reward=bag, at=NOON)
    points(aino, 400)
    assert review(member_ids=[aino.pk], at=NOON) == 0
    assert review(member_ids=[aino.pk], at=NOON + DAY) == 1


def test_a_mark_taken_away_is_forgotten(aino: Member, bag: Reward) -> None:
    mark(member_id=aino.pk, reward=bag, at=NOON)
    assert unmark(member_id=aino.pk, reward_id=bag.pk)
    assert not unmark(member_id=aino.pk, reward_id=bag.pk)
    points(aino, 400)
    assert review(member_ids=[aino.pk], at=NOON) == 0


def test_marks_have_a_bound(aino: Member, bag: Reward) -> None:
    with mock.patch.object(favourites, "MOST", 1):
        mark(member_id=aino.pk, reward=bag, at=NOON)
        with pytest.raises(TooManyFavourites):
            mark(member_id=aino.pk, reward=reward(), at=NOON)
    assert Favourite.objects.count() == 1


def test_two_looks_at_once_tell_one_time(aino: Member, bag: Reward) -> None:
    mark(member_id=aino.pk, reward=bag, at=NOON)
    points(aino, 300)
    [favourite_id] = Favourite.objects.values_list("pk", flat=True)
    assert favourites._claim([favourite_id], at=NOON) == [(favourite_id, aino.pk, bag.pk)]
    assert favourites._claim([favourite_id], at=NOON) == []


def test_a_falling_price_is_noticed_by_the_tick(aino: Member, bag: Reward) -> None:
    poor = member()
    for who in (aino, poor):
        mark(member_id=who.pk, reward=bag, at=NOON)
    points(aino, 200)
    points(poor, 50)
    run = mock.Mock()
    review_all(at=NOON, run=run)
    assert told() == []
    Reward.objects.update(points=150)
    with mock.patch.object(favourites, "PAGE", 1):
        review_all(at=NOON, run=run)
    assert told() == [aino.pk]


def test_a_review_costs_the_same_for_one_favourite_and_for_thirty() -> None:
    people = [member() for _number in range(30)]
    wanted = [reward(points=10 + number) for number in range(3)]
    for who in people:
        points(who, 500)
        Favourite.objects.bulk_create(Favourite(member=who, reward=each, marked_at=NOON) for each in wanted)

    def cost(member_ids: list[int]) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert review(member_ids=member_ids, at=NOON) == 3 * len(member_ids)
        return len(queries)

    first, second, *others = [who.pk for who in people]
    cost([first])
    assert cost([second]) == cost(others)


# --- From the points to the message -----------------------------------------------------------------------------------


def settle(at: dt.datetime = NOON) -> None:
    """The tick that decides about what campaigns have heard of."""
    triggers.settle_due(now=lambda: at, run=recorder(at), until=at + DAY)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_points_bring_the_message_once_to_the_inbox(bag: Reward) -> None:
    aino = member(email="aino@example.com", first_name="Aino")
    mark(member_id=aino.pk, reward=bag, at=NOON)
    points(aino, 1_300)
    for _round in range(3):
        dispatch.drain(seconds=5)
    settle(clock.now())
    [message] = Message.objects.all()
    assert message.campaign.occasion == Campaign.Occasion.AFFORDABLE
    assert (message.member_id, message.channel, message.status) == (aino.pk, "inbox", "due")
    assert message.facts["reward_id"] == bag.pk
    points(aino, 50)
    for _round in range(2):
        dispatch.drain(seconds=5)
    settle(clock.now())
    assert Message.objects.count() == 1


def announced(who: Member, bag: Reward) -> Event:
    mark(member_id=who.pk, reward=bag, at=NOON)
    points(who, 300)
    review(member_ids=[who.pk], at=NOON)
    return Event.objects.filter(name="reward.affordable").latest("pk")


def tell(event: Event) -> None:
    triggers.notice([event])
    settle()


def test_by_e_mail_to_those_who_agreed_and_handed_twice_once(aino: Member, bag: Reward) -> None:
    set_consent(
        member_id=aino.pk, purpose="marketing", channel="email", granted=True, source="portal", at=NOON
    )
    event = announced(aino, bag)
    tell(event)
    tell(event)
    [message] = Message.objects.all()
    assert (message.channel, message.reason, message.status) == ("email", "", "due")


def test_nothing_withdrawn_is_written_about(aino: Member, bag: Reward) -> None:
    event = announced(aino, bag)
    Reward.objects.update(is_active=False)
    tell(event)
    assert not Message.objects.exists()
    assert not Trigger.objects.exists()


def test_nobody_who_left_is_written_to_and_nothing_by_a_campaign_that_does_not_run(
    aino: Member, bag: Reward
) -> None:
    event = announced(aino, bag)
    Campaign.objects.update(status="paused")
    tell(event)
    assert not Message.objects.exists()
    Campaign.objects.update(status="running")
    Member.objects.update(status=Member.Status.CLOSED)
    settle()
    assert not Message.objects.exclude(status="skipped").exists()
