"""What the programme holds about a member in draws. Published lists have numbers only: nothing of them is removed."""

from typing import Any

from members.models import Member
from members.personal_data import Holder
from rewards.models import DrawEntry, DrawWinner


def _copy(member: Member) -> list[dict[str, Any]]:
    rows = DrawEntry.objects.filter(member=member).select_related("draw").prefetch_related("wins__prize")
    return [
        {
            "entered_at": row.entered_at,
            "draw": row.draw.name or row.draw.code,
            "number": row.number,
            "chances": row.weight,
            "cancelled_at": row.cancelled_at,
            "won": [str(win.prize) for win in row.wins.all()],
        }
        for row in rows.order_by("pk")
    ]


def _forget(member_id: int) -> None:
    """What staff noted when they handed a prize over."""
    DrawWinner.objects.filter(entry__member=member_id).update(note="")


HOLDER = Holder(key="draws", copy=_copy, erase=_forget)
