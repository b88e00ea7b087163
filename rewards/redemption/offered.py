"""The reward that a till names, read with little work: a process remembers it for as long as its row is the same.

A row's version is told by where it lies and which transaction wrote it, so nobody has to say that something changed.
Only rewards that stand for themselves are remembered; a tier, draw or voucher behind one may change without it.
"""

import uuid

from loyalty.prepared import fetch_prepared
from rewards.models import Reward

_VERSION = "SELECT ctid::text, xmin::text FROM rewards_reward WHERE public_id = %s"
_POINTS_AT = ("minimum_tier_id", "early_tier_id", "voucher_family_id", "cause_id", "draw_id")
_MOST = 1000
_known: dict[uuid.UUID, tuple[tuple[str, str], Reward]] = {}


def reward_named(public_id: uuid.UUID) -> Reward | None:
    """The reward as it stands; None when there is none."""
    versions = fetch_prepared(_VERSION, [public_id])
    if not versions:
        return None
    known = _known.get(public_id)
    if known is not None and known[0] == versions[0]:
        return known[1]
    reward = Reward.objects.filter(public_id=public_id).first()
    if reward is not None and not any(getattr(reward, name) for name in _POINTS_AT):
        if len(_known) >= _MOST:
            _known.clear()
        _known[public_id] = (versions[0], reward)
    return reward
