"""A member who leaves, seen from rewards: what is lost, what the copy holds, and what becomes free for others."""

import datetime as dt

import pytest

from loyalty import clock
from loyalty.events import dispatch
from loyalty.events.models import EventFailure
from members.models import Member
from members.personal_data import copies_of, losses_of
from members.privacy import erase
from rewards import verification
from rewards.challenges import progress
from rewards.models import (
    Aversion,
    AversionKind,
    Favourite,
    MemberAversion,
    Participation,
    Redemption,
    RewardStock,
    Voucher,
)
from rewards.vouchers import issuing
from tests.factories.challenges import badge, challenge
from tests.factories.members import NOON, member
from tests.factories.redemptions import points_for, redeemed, reward, voucher_reward
from tests.factories.rewards import purchase

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


@pytest.fixture
def aino(monkeypatch: pytest.MonkeyPatch) -> Member:
    """A mug to fetch, a voucher had for points and one given, a challenge with a badge, a mark, a choice of milk."""
    monkeypatch.setattr(clock, "now", lambda: NOON)
    aino = member()
    points_for(aino, 500)
    mug = reward(points=100, stock=1)
    redeemed(aino, mug)
    lunch = voucher_reward(points=120)
    redeemed(aino, lunch)
    issuing.issue(family_id=lunch.voucher_family_id or 0, member_id=aino.pk, at=NOON)
    Favourite.objects.create(member=aino, reward=mug, marked_at=NOON)
    milk = Aversion.objects.create(code="milk", names={"en": "Milk"})
    oat = AversionKind.objects.create(aversion=milk, code="oat", names={"en": "Oat drink"})
    MemberAversion.objects.create(member=aino, kind=oat, said_at=NOON)
    visits = challenge(steps=[{"target": 1, "badge": badge(levels=1), "points": 20}])
    purchase(aino, at=NOON - DAY)
    progress.recount(challenge_ids=[visits.pk], member_ids=[aino.pk], at=NOON)
    return aino


def test_what_is_lost_and_what_the_copy_holds(aino: Member, settings: object) -> None:
    from django.utils import translation

    with translation.override("en"):
        lost, copy = losses_of(aino, at=NOON), copies_of(aino)
    assert {"2 vouchers", "1 reward not collected yet"} <= set(lost)
    assert [(row["reward"], row["state"]) for row in copy["redemptions"]] == [
        ("Coffee mug", "reserved"),
        ("Coffee mug", "issued"),
    ]
    assert [row["state"] for row in copy["vouchers"]] == ["active", "active"]
    assert [len(row["rounds"]) for row in copy["challenges"]] == [1]
    assert [row["badge"] for row in copy["badges"]] == ["Explorer"]
    assert len(copy["favourites"]) == len(copy["never_wants"]) == 1


def test_leaving_frees_what_was_not_used_and_forgets_what_was_said(aino: Member) -> None:
    erase(member_id=aino.pk, source="portal", at=NOON)
    assert not Favourite.objects.exists()
    assert not MemberAversion.objects.exists()
    for _again in range(2):
        while dispatch.dispatch_batch(at=NOON):
            pass
    assert [failure.error for failure in EventFailure.objects.all()] == []
    assert set(Redemption.objects.values_list("state", flat=True)) == {"cancelled"}
    assert set(Voucher.objects.values_list("state", flat=True)) == {"cancelled"}
    assert RewardStock.objects.get().taken == 0
    assert Participation.objects.get().left_at == NOON
    assert verification.verify(at=NOON) == []
