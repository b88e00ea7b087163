"""The vouchers of a member, for their own copy of their data; those that still count are lost by leaving."""

import datetime as dt
from typing import Any

from django.utils.translation import ngettext

from members.models import Member
from members.personal_data import Holder
from rewards.models import Voucher, VoucherUse
from rewards.vouchers import issuing, queries
from rewards.vouchers.issuing import VoucherUsed

NOTE = "The member has left."


def _copy(member: Member) -> list[dict[str, Any]]:
    rows = queries.of_member(member.pk).prefetch_related("used__partner").order_by("pk")
    return [
        {
            "kind": row.family.name or row.family.code,
            "code": queries.shown_code(row),
            "state": row.state,
            "value": row.value,
            "left": row.remaining,
            "issued_at": row.issued_at,
            "expires_at": row.expires_at,
            "uses": [
                {"at": use.at, "partner": use.partner.name, "amount": use.amount}
                for use in row.used.all()
                if use.state == VoucherUse.State.REDEEMED
            ],
        }
        for row in rows
    ]


def _lost(member: Member, at: dt.datetime) -> str:
    count = queries.in_state(queries.of_member(member.pk), Voucher.State.ACTIVE, at=at).count()
    return ngettext("%(count)s voucher", "%(count)s vouchers", count) % {"count": count} if count else ""


def give_up(*, member_id: int, at: dt.datetime) -> int:
    """Cancel the vouchers of a member who has left, but those in use at a till; how many. Idempotent."""
    own = Voucher.objects.filter(member=member_id, state=Voucher.State.ACTIVE)
    cancelled = 0
    for voucher_id in own.order_by("pk").values_list("pk", flat=True):
        try:
            cancelled += issuing.withdraw(voucher_id=voucher_id, at=at, note=NOTE)
        except VoucherUsed:
            continue  # money is on it that a checkout may still give back
    return cancelled


HOLDER = Holder(key="vouchers", loss=_lost, copy=_copy)
