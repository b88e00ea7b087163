"""A member who leaves, seen from the points floor: what they lose, what is in their copy, and what is forgotten.

Registered with ``members.personal_data`` at start-up. The ledger is left alone: nothing in it says who somebody was.
"""

from datetime import datetime
from typing import Any

from django.utils.translation import ngettext

from members.models import Member
from members.personal_data import Holder
from rewards.catalogue import personal as catalogue
from rewards.challenges import personal as challenges
from rewards.gifts import preference_of
from rewards.models import BulkAdjustmentRow
from rewards.queries import balance_of
from rewards.redemption import personal as redemption
from rewards.vouchers import personal as vouchers
from rewards.wording import number


def _points_lost(member: Member, at: datetime) -> str:
    balance = balance_of(member, at)
    points = balance.available + balance.pending
    return (
        ngettext("%(points)s point", "%(points)s points", points) % {"points": number(points)}
        if points
        else ""
    )


def _gift_preference(member: Member) -> dict[str, Any]:
    """By what others may give the member points."""
    preference = preference_of(member.pk)
    return {"by_card": preference.by_card, "by_email": preference.by_email}


def _forget(member_id: int) -> None:
    """Files of adjustments keep how they named the member."""
    BulkAdjustmentRow.objects.filter(member_id=member_id).update(reference="")


POINTS = Holder(key="points", loss=_points_lost, erase=_forget)
GIFTS = Holder(key="gifts", copy=_gift_preference)

HOLDERS = (
    POINTS,
    GIFTS,
    redemption.HOLDER,
    vouchers.HOLDER,
    catalogue.FAVOURITES,
    catalogue.NEVER_WANTS,
    challenges.CHALLENGES,
    challenges.BADGES,
)


def give_up(*, member_id: int, at: datetime) -> None:
    """After a member has been erased: what they had not used is free for others, and nothing begins for them any more.

    Not in the erasing itself, which holds the member's row: redemptions lock accounts and vouchers first. Idempotent.
    """
    redemption.give_up(member_id=member_id, at=at)
    vouchers.give_up(member_id=member_id, at=at)
    challenges.give_up(member_id=member_id, at=at)
