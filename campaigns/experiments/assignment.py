"""On which side of an experiment a member stands: by a hash of the experiment and the member, so for good.

A larger hold-out keeps everybody who was in it and adds some; a smaller one only lets some go.
"""

import bisect
import datetime as dt
import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from campaigns.models import Campaign, Message, SendingPolicy, Variant


def share_of(key: str, member_id: int) -> float:
    """Where the member stands in the experiment ``key``: evenly spread over [0, 1), the same every time."""
    digest = hashlib.sha256(f"{key}:{member_id}".encode(), usedforsecurity=False).digest()
    return (int.from_bytes(digest[:8]) >> 11) * 2.0**-53


@dataclass(frozen=True, slots=True)
class Assignment:
    """How a campaign divides its members; ``variants`` are (id, weight) in the order of their ids."""

    global_key: str
    global_hold_out: float
    hold_out_key: str
    hold_out: float
    variant_key: str
    variant_ids: tuple[int, ...]
    edges: tuple[int, ...]
    test_key: str
    test: float

    def arm_of(self, member_id: int) -> str:
        """Global hold-out first, then the campaign's own: a Message.Arm."""
        if self.global_hold_out and share_of(self.global_key, member_id) < self.global_hold_out:
            return Message.Arm.GLOBAL
        if self.hold_out and share_of(self.hold_out_key, member_id) < self.hold_out:
            return Message.Arm.HELD_OUT
        return Message.Arm.TREATED

    def variant_of(self, member_id: int) -> int | None:
        """The id of the variant by weights; None when there is none to give."""
        if len(self.variant_ids) < 2:
            return self.variant_ids[0] if self.variant_ids else None
        return self.variant_ids[
            bisect.bisect_right(self.edges, share_of(self.variant_key, member_id) * self.edges[-1])
        ]

    def is_in_test(self, member_id: int) -> bool:
        """Whether the variants are tried on this member; the others wait for the winner."""
        return self.test >= 1 or share_of(self.test_key, member_id) < self.test


def assignment_of(campaign: Campaign, policy: SendingPolicy, variants: Sequence[Variant]) -> Assignment:
    """How ``campaign`` divides its members as it stands now. A winner chosen goes to everybody from then on.

    What is about the member's own account is kept from nobody.
    """
    drawn = sorted((each for each in variants if each.weight), key=lambda each: each.pk)
    if campaign.winner_id is not None:
        drawn = [each for each in drawn if each.pk == campaign.winner_id]
    is_service = campaign.purpose == Campaign.Purpose.SERVICE
    return Assignment(
        global_key=f"global:{policy.global_hold_out_key}",
        global_hold_out=0.0 if is_service else _share(policy.global_hold_out_percent),
        hold_out_key=f"{campaign.public_id}:hold-out",
        hold_out=_share(hold_out_percent_of(campaign)),
        variant_key=f"{campaign.public_id}:variant",
        variant_ids=tuple(each.pk for each in drawn),
        edges=tuple(itertools.accumulate(each.weight for each in drawn)),
        test_key=f"{campaign.public_id}:test",
        test=campaign.test_percent / 100 if has_test(campaign) else 1.0,
    )


def hold_out_percent_of(campaign: Campaign) -> Decimal:
    """How many percent the campaign itself leaves out: 0 of service messages, which members cannot do without."""
    return Decimal(0) if campaign.purpose == Campaign.Purpose.SERVICE else campaign.hold_out_percent


def has_test(campaign: Campaign) -> bool:
    """Whether the variants are tried on some first, and the others still wait for the winner."""
    return (
        campaign.kind == Campaign.Kind.ONE_OFF
        and campaign.test_percent < 100
        and bool(campaign.winner_by)
        and campaign.winner_id is None
    )


def chosen_at(campaign: Campaign, *, at: dt.datetime) -> dt.datetime:
    """When the winner is chosen: so many hours after the start; ``at`` stands in where it has not started."""
    return (campaign.started_at or campaign.send_at or at) + dt.timedelta(
        hours=campaign.winner_after_hours or 0
    )


def _share(percent: Decimal | float) -> float:
    return float(percent) / 100
