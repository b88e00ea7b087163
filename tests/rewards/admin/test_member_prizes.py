"""A member's timeline in the admin tells of what they redeemed, their vouchers and their challenges."""

import datetime as dt

import pytest
from django.utils import translation

from members.timeline import timeline
from rewards.challenges import progress
from tests.factories.challenges import badge, challenge
from tests.factories.members import NOON, member
from tests.factories.redemptions import points_for, redeemed, voucher_reward
from tests.factories.rewards import purchase

pytestmark = pytest.mark.django_db
PERMISSIONS = {"rewards.view_redemption", "rewards.view_voucher", "rewards.view_challenge"}


def test_redemptions_vouchers_and_challenges_stand_on_the_timeline() -> None:
    aino = member()
    points_for(aino, 500)
    redeemed(aino, voucher_reward(points=120))
    june = challenge(steps=[{"target": 1, "badge": badge(levels=1), "points": 20}])
    purchase(aino, at=NOON - dt.timedelta(days=1))
    progress.recount(challenge_ids=[june.pk], member_ids=[aino.pk], at=NOON)
    with translation.override("en"):
        told = {
            str(entry.title): str(entry.detail)
            for entry in timeline(aino, may_see=PERMISSIONS.__contains__).entries
        }
        nothing = timeline(aino, may_see=lambda _permission: False).entries
    assert told == {
        "Coffee mug: issued": "120 points",
        "Voucher “Five euros off”: issued": "",
        "Takes part in “June”": "",
        "Step 1 of “June” reached": "20 points · badge “Explorer”",
    }
    assert nothing == []
