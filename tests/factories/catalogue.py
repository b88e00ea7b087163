"""Rewards for tests, without the forms that staff make them in."""

import datetime as dt
import itertools
from typing import Any

from members.models import Member
from rewards.grants import grant_once
from rewards.models import Reward, VoucherFamily
from tests.factories.members import NOON

_numbers = itertools.count(1)


def reward(code: str = "", **facts: Any) -> Reward:
    """A reward in the catalogue, handed over by staff, for 100 points unless ``facts`` say otherwise."""
    code = code or f"reward-{next(_numbers)}"
    columns: dict[str, Any] = {
        "code": code,
        "kind": Reward.Kind.PRODUCT,
        "names": {"en": code.replace("-", " ").capitalize()},
        "points": 100,
        "fulfilment": Reward.Fulfilment.COLLECT,
        "is_active": True,
    }
    return Reward.objects.create(**(columns | facts))


def family(code: str = "", **facts: Any) -> VoucherFamily:
    """A kind of voucher: five euros off."""
    code = code or f"family-{next(_numbers)}"
    columns: dict[str, Any] = {"code": code, "names": {"en": code}, "kind": "amount", "value": 5}
    return VoucherFamily.objects.create(**(columns | facts))


def points(member: Member, number: int, *, at: dt.datetime = NOON) -> None:
    """Give a member points, as a campaign does."""
    occasion = f"test-{next(_numbers)}"
    grant_once(member_id=member.pk, points=number, occasion=occasion, source="tests", at=at)
