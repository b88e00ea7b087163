"""What a member redeemed, for their own copy of their data; what they have not fetched is cancelled when they leave."""

import datetime as dt
from typing import Any

from django.utils.translation import ngettext

from members.models import Member
from members.personal_data import Holder
from rewards.models import Redemption
from rewards.redemption import ending
from rewards.redemption.refusals import NotCancellable, WrongState

State = Redemption.State
NOTE = "The member has left."


def _copy(member: Member) -> list[dict[str, Any]]:
    rows = Redemption.objects.filter(member=member).select_related("reward").order_by("pk")
    return [
        {
            "redeemed_at": row.redeemed_at,
            "reward": (row.reward.name or row.reward.code) if row.reward is not None else None,
            "points": row.points,
            "money": row.money,
            "state": row.state,
            "ended_at": row.ended_at,
        }
        for row in rows
    ]


def _lost(member: Member, at: dt.datetime) -> str:
    count = Redemption.objects.filter(member=member, state=State.RESERVED).count()
    text = ngettext("%(count)s reward not collected yet", "%(count)s rewards not collected yet", count)
    return text % {"count": count} if count else ""


def give_up(*, member_id: int, at: dt.datetime) -> int:
    """Cancel what a member who has left has neither fetched nor used, so that its pieces are free; how many."""
    open_ = Redemption.objects.filter(member=member_id, state__in=(State.RESERVED, State.ISSUED))
    cancelled = 0
    for redemption_id in open_.order_by("pk").values_list("pk", flat=True):
        try:
            ending.cancel(redemption_id=redemption_id, via="", at=at, note=NOTE)
        except (NotCancellable, WrongState):
            continue  # its voucher is in use, or it ended meanwhile
        cancelled += 1
    return cancelled


HOLDER = Holder(key="redemptions", loss=_lost, copy=_copy)
