"""What a member sees of the friends they brought: how far they are, what waits and why, nothing of who it is."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from members.models import Member
from referrals import qualification, queries, states
from referrals.models import Referral
from tests.factories.members import NOON, member
from tests.factories.referrals import DAY, brought, buys, programme, returns, settle

pytestmark = pytest.mark.django_db


@pytest.fixture
def aino() -> Member:
    return member()


@pytest.fixture(autouse=True)
def _in_english(settings: Any) -> Any:
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


def test_progress_counts_friends_points_and_what_is_missing_to_the_next_milestone(aino: Member) -> None:
    terms = programme(
        cap=5,
        milestones=[
            {"friends": 2, "points": 500, "voucher": None},
            {"friends": 10, "points": 1, "voucher": None},
        ],
    )
    friends = [brought(aino) for _number in range(4)]
    bought = [buys(referral) for referral in friends[:3]]
    for referral in friends[:3]:
        settle(referral)
    returns(bought[0])
    found = queries.progress_of(aino, NOON)
    assert found.terms == terms
    assert found.by_state == {"rewarded": 2, "reversed": 1, "joined": 1}
    assert (found.joined, found.rewarded, found.waiting, found.points, found.left) == (4, 2, 1, 700, 3)
    assert [(each.milestone.friends, bool(each.reached_at), each.missing) for each in found.milestones] == [
        (2, True, 0),
        (10, False, 8),
    ]


def test_without_a_programme_progress_is_empty(aino: Member) -> None:
    brought(aino)
    found = queries.progress_of(aino, NOON)
    assert (found.terms, found.joined, found.left, found.milestones) == (None, 1, None, ())


def test_what_waits_says_what_for(aino: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    programme(minimum_purchase=20, within_days=10, waiting_days=5, budget_points=150)
    joined, waiting, parked, held, done = (brought(aino) for _number in range(5))
    buys(done)
    settle(done, at=NOON + 5 * DAY)
    buys(parked)
    settle(parked, at=NOON + 5 * DAY)
    buys(waiting)
    monkeypatch.setattr(qualification, "assess", lambda ids, _at: dict.fromkeys(ids, 100))
    buys(held)
    found = queries.waiting_of(aino)
    assert [(each.public_id, each.state) for each in found] == [
        (joined.public_id, "joined"),
        (waiting.public_id, "waiting"),
        (parked.public_id, "qualified"),
        (held.public_id, "held"),
    ]
    assert "at least 20.00" in found[0].why
    assert found[2].why == "The programme's budget is used up."
    assert "checking" in found[3].why
    assert all(each.why for each in found)


def test_a_rejected_friend_can_be_appealed_once_and_no_signal_is_told(aino: Member) -> None:
    programme()
    referral = brought(aino)
    (locked,) = states.lock([referral.pk])
    states.move(locked, "rejected", at=NOON, reason="fraud", note="same device")
    (shown,) = queries.brought_by(aino)
    assert shown.may_appeal
    assert "device" not in shown.why
    Referral.objects.update(appealed_at=NOON)
    assert not queries.brought_by(aino)[0].may_appeal


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, "a first purchase"),
        ({"minimum_purchase": 20}, "a first purchase of at least 20.00"),
        ({"trigger": "nth_purchase", "purchases": 3}, "3 purchases"),
        ({"trigger": "nth_purchase", "purchases": 3, "minimum_purchase": 5}, "3 purchases of at least 5.00"),
        ({"trigger": "spend", "spend": 100}, "purchases of 100.00"),
        ({"trigger": "activity", "activity_kind": "purchase"}, "urchase"),
    ],
)
def test_what_it_takes_is_said_in_words(aino: Member, said: dict[str, Any], words: str) -> None:
    programme(**said)
    brought(aino)
    assert words in queries.waiting_of(aino)[0].why.replace("\xa0", " ")


def test_reading_costs_the_same_however_many_friends(aino: Member) -> None:
    programme()

    def cost() -> int:
        buys(brought(aino))
        with CaptureQueriesContext(connection) as captured:
            queries.progress_of(aino, NOON)
            queries.brought_by(aino)
            queries.waiting_of(aino)
        return len(captured)

    assert len({cost() for _number in range(4)}) == 1


def test_their_own_copy_names_nobody(aino: Member) -> None:
    programme()
    referral = brought(aino)
    buys(referral)
    settle(referral)
    copy = queries.copy_of(aino)
    assert (copy["friends_joined"], copy["friends"][0]["points"], copy["invited"]) == (1, 100, None)
    assert queries.copy_of(referral.friend)["invited"] == {"joined_at": NOON, "state": "rewarded"}
    assert str(referral.friend.public_id) not in str(copy)
