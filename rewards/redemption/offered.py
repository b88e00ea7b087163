"""The reward that a till names, read with no work most of the time: a process remembers it.

What is remembered is good for asking only. The redemption compares its version, under its locks, with the row as it
stands (``standing``), and raises RewardChanged where they differ: then it is read again. A row's version is told by
where it lies and which transaction wrote it, so nobody has to say that something changed.

Only rewards that stand for themselves are remembered; a tier, draw or voucher behind one may change without it.
"""

import uuid
from dataclasses import dataclass

from loyalty.prepared import fetch_prepared
from rewards.models import Reward

_VERSION = "SELECT ctid::text || ' ' || xmin::text FROM rewards_reward WHERE public_id = %s"
_POINTS_AT = ("minimum_tier_id", "early_tier_id", "voucher_family_id", "cause_id", "draw_id")
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Offered:
    """A reward, and the version of its row where it was remembered; None: it has just been read."""

    reward: Reward
    version: str | None


_known: dict[uuid.UUID, Offered] = {}


def reward_named(public_id: uuid.UUID) -> Offered | None:
    """The reward as this process last saw it; None when there is none."""
    return _known.get(public_id) or _read(public_id)


def forget_reward(public_id: uuid.UUID) -> None:
    """Read it afresh the next time."""
    _known.pop(public_id, None)


def _read(public_id: uuid.UUID) -> Offered | None:
    versions = fetch_prepared(
        _VERSION, [public_id]
    )  # before the row: if it changes meanwhile, the version is too old
    reward = Reward.objects.filter(public_id=public_id).first()
    if reward is None:
        return None
    if versions and not any(getattr(reward, name) for name in _POINTS_AT):
        if len(_known) >= _MOST:
            _known.clear()
        _known[public_id] = Offered(reward, versions[0][0])
    return Offered(reward, None)
