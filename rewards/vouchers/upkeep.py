"""The regular work on vouchers: locks whose time is over are let go, vouchers past their end become expired.

Neither changes what counts: both are judged by the moment when a till asks. It is for lists, history and events.
"""

import datetime as dt

from django.db import transaction
from django.db.models import Exists, OuterRef

from loyalty.events import bus
from rewards.models import Voucher, VoucherStep, VoucherUse
from rewards.vouchers import using

BATCH = 1000


def expire_due(*, at: dt.datetime, limit: int = BATCH) -> int:
    """Mark vouchers expired whose end has come, at most so many; how many. Announces ``voucher.expired`` for each.

    One that lies locked in a checkout is left until the lock ends; a row that a till is just using, until next time.
    """
    held = VoucherUse.objects.filter(
        voucher=OuterRef("pk"), state=VoucherUse.State.LOCKED, locked_until__gt=at
    )
    with transaction.atomic():
        due = (
            Voucher.objects.filter(~Exists(held), state=Voucher.State.ACTIVE, expires_at__lte=at)
            .select_for_update(of=("self",), skip_locked=True)
            .select_related("family")
            .order_by("expires_at", "pk")
        )
        rows = list(due[:limit])
        # Judged again under the row locks: a till may have locked one between the look and the lock.
        locked = set(
            VoucherUse.objects.filter(
                voucher__in=rows, state=VoucherUse.State.LOCKED, locked_until__gt=at
            ).values_list("voucher_id", flat=True)
        )
        rows = [row for row in rows if row.pk not in locked]
        Voucher.objects.filter(pk__in=[row.pk for row in rows]).update(state=Voucher.State.EXPIRED)
        VoucherStep.objects.bulk_create(
            VoucherStep(voucher=row, kind=VoucherStep.Kind.EXPIRED, at=at) for row in rows
        )
        bus.announce_many(
            bus.Announcement(
                name="voucher.expired",
                at=at,
                member_id=row.member_id,
                facts={
                    "voucher": str(row.public_id),
                    "family": row.family.code,
                    "redemption": row.redemption_id,
                    "expired_at": row.expires_at,
                },
            )
            for row in rows
        )
    return len(rows)


def release_locks(*, at: dt.datetime, limit: int = BATCH) -> int:
    """Let go of locks whose time is over; how many."""
    return using.release_overdue(at=at, limit=limit)


def has_work(*, at: dt.datetime) -> bool:
    """Whether anything is due, so that a quiet minute costs two looks at an index."""
    return (
        VoucherUse.objects.filter(state=VoucherUse.State.LOCKED, locked_until__lte=at).exists()
        or Voucher.objects.filter(state=Voucher.State.ACTIVE, expires_at__lte=at).exists()
    )
