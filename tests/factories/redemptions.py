"""Rewards to redeem, and members with points to redeem them for."""

import datetime as dt
import itertools
from typing import Any

from members.models import Member
from rewards import terms
from rewards.ledger import Grant, Why, post_grants
from rewards.models import Reward, RewardStock, VoucherFamily
from rewards.redemption.placing import Placed, place
from tests.factories.members import NOON

_numbers = itertools.count(1)


def reward(*, points: int = 100, stock: int | None = None, **facts: Any) -> Reward:
    """A reward in the catalogue, handed over by staff unless told otherwise; ``stock`` pieces of it."""
    code = facts.pop("code", None) or f"reward-{next(_numbers)}"
    defaults: dict[str, Any] = {
        "kind": Reward.Kind.PRODUCT,
        "names": {"en": "Coffee mug", "fi": "Kahvimuki"},
        "fulfilment": Reward.Fulfilment.COLLECT,
        "is_active": True,
    }
    made = Reward.objects.create(code=code, points=points, **(defaults | facts))
    if stock is not None:
        RewardStock.objects.create(reward=made, total=stock)
    return made


def voucher_reward(*, points: int = 100, stock: int | None = None, **facts: Any) -> Reward:
    """A reward given as a voucher worth five euros."""
    family = VoucherFamily.objects.create(
        code=f"family-{next(_numbers)}", names={"en": "Five euros off"}, kind="amount", value=5
    )
    facts = {"kind": Reward.Kind.DISCOUNT, "fulfilment": Reward.Fulfilment.VOUCHER} | facts
    return reward(points=points, stock=stock, voucher_family=family, **facts)


def points_for(
    member: Member, points: int, *, at: dt.datetime = NOON, expires_at: dt.datetime | None = None
) -> int:
    """Points of the default wallet in one lot; gives the transfer's id."""
    grant = Grant(
        member_id=member.pk,
        wallet_id=terms.current().default_wallet_id,
        points=points,
        occurred_at=at,
        expires_at=expires_at,
        why=Why(source="test"),
    )
    return post_grants([grant], at=at)[-1]


def redeemed(member: Member, what: Reward, *, at: dt.datetime = NOON, **facts: Any) -> Placed:
    """The reward redeemed by the member in the portal."""
    return place(member_id=member.pk, reward_id=what.pk, via=facts.pop("via", "portal"), at=at, **facts)
