"""A reward as a member would see it, saved or not: a real member, or a made-up one of some tier with some points."""

import datetime as dt
from dataclasses import replace

from loyalty import programme
from members.models import Member, Tier
from rewards.catalogue.asking import gather, pieces_left
from rewards.catalogue.availability import Asker, judge
from rewards.catalogue.listing import Shown
from rewards.models import Reward

MADE_UP_POINTS = 1000


def preview(
    reward: Reward,
    *,
    at: dt.datetime,
    member: Member | None = None,
    tier: Tier | None = None,
    points: int | None = None,
) -> Shown:
    """The reward as it would be judged for the member, or for anybody of the tier with so many points.

    A draft is judged as if it were in the catalogue already. ``points`` is read for a made-up member only.
    """
    asker = _real(member, reward, at=at) if member is not None else _made_up(reward, tier, points)
    was_active, reward.is_active = reward.is_active, True
    obstacles = judge(reward=reward, asker=asker, at=at)
    reward.is_active = was_active
    return Shown(reward, obstacles, asker.points, asker.pieces_left)


def _real(member: Member, reward: Reward, *, at: dt.datetime) -> Asker:
    rewards = [reward] if reward.pk else []
    known = gather(member_ids=[member.pk], rewards=rewards, at=at)
    return known.asker(member.pk, reward)


def _made_up(reward: Reward, tier: Tier | None, points: int | None) -> Asker:
    tier = tier or Tier.objects.order_by("rank").first()
    left = pieces_left([reward]).get(reward.pk) if reward.pk else None
    asker = Asker(
        tier_rank=tier.rank if tier else 0,
        points=MADE_UP_POINTS if points is None else points,
        pieces_left=left,
        time_zone=programme.current().time_zone,
    )
    if tier is None:
        return asker
    reached = Tier.objects.filter(rank__lte=tier.rank).order_by("rank").values_list("code", flat=True)
    return replace(asker, facts={"tier": tier.code, "tier_reached": tuple(reached)})
