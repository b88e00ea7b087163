"""What the programme holds about a member's gifts, for the member's own copy of their data."""

from typing import Any

from members.models import Member
from members.personal_data import Holder
from rewards.models import Donation


def _copy(member: Member) -> list[dict[str, Any]]:
    rows = Donation.objects.filter(member=member).select_related("cause").order_by("pk")
    return [
        {
            "given_at": row.given_at,
            "cause": row.cause.name or row.cause.code,
            "points": row.points,
            "amount": row.amount,
            "cancelled_at": row.cancelled_at,
        }
        for row in rows
    ]


HOLDER = Holder(key="donations", copy=_copy)
