"""Kinds of vouchers, and vouchers issued the way the product does."""

import datetime as dt
import itertools
from typing import Any

from members.models import Member
from rewards.models import Voucher, VoucherFamily
from rewards.vouchers import issuing
from tests.factories.members import NOON

_numbers = itertools.count(1)


def voucher_family(**facts: Any) -> VoucherFamily:
    """A kind of voucher, five euros off unless said otherwise; ``facts`` are its columns."""
    number = next(_numbers)
    given = {
        "code": f"family-{number}",
        "names": {"en": f"Family {number}"},
        "kind": "amount",
        "value": "5.00",
    }
    return VoucherFamily.objects.create(**given | facts)


def pooled(family: VoucherFamily, *texts: str, **facts: Any) -> list[Voucher]:
    """Codes in the family's pool."""
    return [
        Voucher.objects.create(
            family=family,
            code=text,
            state=Voucher.State.STORED,
            value=family.value,
            remaining=family.value,
            uses=family.uses,
            uses_left=family.uses,
            **facts,
        )
        for text in texts
    ]


def voucher(
    family: VoucherFamily | None = None, *, member: Member | None = None, at: dt.datetime = NOON, **facts: Any
) -> Voucher:
    """An issued voucher of the family (default: a new one)."""
    family = family or voucher_family()
    member_id = member.pk if member else None
    issued = issuing.issue(family_id=family.pk, member_id=member_id, at=at, **facts)
    issued.refresh_from_db()
    return issued
