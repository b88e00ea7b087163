"""A member who leaves, seen from the points floor: what they lose, what is in their copy, and what is forgotten.

Registered with ``members.personal_data`` at start-up. The ledger is left alone: nothing in it says who somebody was.
"""

from datetime import datetime
from typing import Any

from django.utils.translation import ngettext

from members.models import Member
from members.personal_data import Holder
from rewards.gifts import preference_of
from rewards.models import BulkAdjustmentRow
from rewards.queries import balance_of
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
