"""Vouchers given to members, and taken back before they were used: for redemptions, challenges, staff and the API.

A code of our own is drawn afresh, a code of a pool is the oldest one that nobody else is just taking, and a shared code
is the same for all. Each issue may name its occasion; the same occasion never brings a second voucher.
"""

import datetime as dt
from collections.abc import Callable
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from loyalty import clock, programme
from loyalty.events import bus
from rewards.models import Voucher, VoucherFamily, VoucherStep, VoucherUse
from rewards.vouchers import codes

State, Source, Step = Voucher.State, VoucherFamily.Source, VoucherStep.Kind
TRIALS = 5


class FamilyClosed(Exception):
    """Vouchers of this kind are not issued (any more). The text may be shown."""


class PoolEmpty(FamilyClosed):
    """No code is left in the pool (or the last ones are being taken this moment)."""


class VoucherUsed(Exception):
    """The voucher was used, in whole or in part, or lies in a checkout: it cannot be taken back."""


def issue(
    *,
    family_id: int,
    member_id: int | None,
    at: dt.datetime,
    occasion: str | None = None,
    source: str = "",
    source_id: int | None = None,
    redemption_id: int | None = None,
) -> Voucher:
    """Give the member a voucher of the family, once for each ``occasion`` (default: the redemption, when there is one).

    Writes the voucher, its first step and ``voucher.issued``; a voucher issued before for the occasion is given back
    as it is. Raises PoolEmpty, or FamilyClosed (withdrawn, past its end, or a shared code for a redemption).
    """
    if occasion is None and redemption_id is not None:
        occasion = f"redemption:{redemption_id}"
    with transaction.atomic():
        if occasion is not None and (earlier := Voucher.objects.filter(occasion=occasion).first()):
            return earlier
        family = VoucherFamily.objects.get(pk=family_id)
        refuse_closed(family, at=at)
        if family.source == Source.SHARED:
            return _shared(family, redemption_id)
        new = Voucher(
            family=family,
            member_id=member_id,
            redemption_id=redemption_id,
            source=source,
            source_id=source_id,
            occasion=occasion,
            **terms_of(family, at=at),
        )
        voucher, is_new = (_from_pool if family.source == Source.POOL else _generated)(new, at=at)
        if is_new:
            _tell(voucher, family, at=at)
    return voucher


def withdraw(*, voucher_id: int, at: dt.datetime, note: str, staff_id: int | None = None) -> bool:
    """Cancel a voucher with the reason; False when that was done before. Raises VoucherUsed, and writes nothing then.

    Decided under the voucher's row lock, so that a till redeeming at this moment is either first or refused. Of a
    shared code, which many may have used, only later uses are stopped.
    """
    with transaction.atomic():
        voucher = Voucher.objects.select_for_update(of=("self",)).select_related("family").get(pk=voucher_id)
        if voucher.state == State.CANCELLED:
            return False
        if voucher.family.source != Source.SHARED and is_touched(voucher, at=at):
            raise VoucherUsed
        voucher.state = State.CANCELLED
        voucher.save(update_fields=["state"])
        VoucherStep.objects.create(
            voucher=voucher, kind=Step.CANCELLED, at=at, staff_id=staff_id, note=note.strip()[:300]
        )
    return True


def is_touched(voucher: Voucher, *, at: dt.datetime) -> bool:
    """Whether a till used the voucher, in part at least, or holds it for a checkout."""
    used = Q(state=VoucherUse.State.REDEEMED)
    held = Q(state=VoucherUse.State.LOCKED, locked_until__gt=at)
    return voucher.used.filter(used | held).exists()


def terms_of(family: VoucherFamily, *, at: dt.datetime) -> dict[str, Any]:
    """What a voucher issued at ``at`` keeps, whatever becomes of its family: the columns and their values."""
    return {
        "state": State.ACTIVE.value,
        "value": family.value,
        "remaining": family.value,
        "uses": family.uses,
        "uses_left": family.uses,
        "issued_at": at,
        "valid_from": family.valid_from,
        "expires_at": expiry_of(family, at=at),
    }


def expiry_of(family: VoucherFamily, *, at: dt.datetime) -> dt.datetime | None:
    """When a voucher issued at ``at`` ends: with its family, or earlier at the local midnight after its last day."""
    ends = [family.valid_to] if family.valid_to else []
    if family.valid_days:
        zone = programme.current().time_zone
        start = max(at, family.valid_from) if family.valid_from else at
        last_day = clock.local_date(start, zone) + dt.timedelta(days=family.valid_days)
        ends.append(clock.start_of_day(last_day + dt.timedelta(days=1), zone))
    return min(ends, default=None)


def refuse_closed(family: VoucherFamily, *, at: dt.datetime) -> None:
    """Raises FamilyClosed when nothing of this kind may be issued at ``at``."""
    if not family.is_active:
        raise FamilyClosed(_("Vouchers of this kind are not issued any more."))
    if family.valid_to is not None and family.valid_to <= at:
        raise FamilyClosed(_("Vouchers of this kind have ended."))


def pool_left(family_id: int, *, at: dt.datetime) -> int:
    """How many codes of the pool can still be issued."""
    return _stored(family_id, at=at).count()


def _generated(new: Voucher, *, at: dt.datetime) -> tuple[Voucher, bool]:
    """Insert the voucher under a fresh code; (the earlier one, False) when another did so for the occasion."""

    def insert() -> Voucher:
        new.pk, new.code = None, codes.new_code(new.family.prefix)
        new.save(force_insert=True)
        return new

    return _once(new.occasion, insert)


def _from_pool(new: Voucher, *, at: dt.datetime) -> tuple[Voucher, bool]:
    """Turn the oldest free code of the pool into the voucher; the code's own end counts if it is earlier."""

    def take() -> Voucher:
        stored = (
            _stored(new.family_id, at=at)
            .select_for_update(skip_locked=True, of=("self",))
            .order_by("pk")
            .first()
        )
        if stored is None:
            raise PoolEmpty(_("No code of this kind is left."))
        own_end = stored.expires_at
        for name in (*_TAKEN_OVER, "member_id", "redemption_id", "source", "source_id", "occasion"):
            setattr(stored, name, getattr(new, name))
        if own_end is not None:
            stored.expires_at = min(own_end, new.expires_at) if new.expires_at else own_end
        stored.save()
        return stored

    return _once(new.occasion, take)


_TAKEN_OVER = ("state", "value", "remaining", "uses", "uses_left", "issued_at", "valid_from", "expires_at")


def _stored(family_id: int, *, at: dt.datetime) -> QuerySet[Voucher]:
    alive = Q(expires_at__isnull=True) | Q(expires_at__gt=at)
    return Voucher.objects.filter(alive, family_id=family_id, state=State.STORED)


def _once(occasion: str | None, write: Callable[[], Voucher]) -> tuple[Voucher, bool]:
    """Write, unless the occasion turns out to be taken meanwhile; a code met by chance is drawn again."""
    for trial in range(TRIALS):
        try:
            with transaction.atomic():
                return write(), True
        except IntegrityError:
            if occasion is not None and (earlier := Voucher.objects.filter(occasion=occasion).first()):
                return earlier, False
            if trial == TRIALS - 1:
                raise
    raise AssertionError("unreachable")


def _shared(family: VoucherFamily, redemption_id: int | None) -> Voucher:
    """The family's one code. It belongs to nobody, so it cannot be what a redemption gave."""
    shared = Voucher.objects.filter(family=family, state=State.ACTIVE).first()
    if shared is None:
        raise FamilyClosed(_("This kind of voucher has no code yet."))
    if redemption_id is not None:
        raise FamilyClosed(_("A code for everybody cannot be had for points."))
    return shared


def _tell(voucher: Voucher, family: VoucherFamily, *, at: dt.datetime) -> None:
    VoucherStep.objects.create(voucher=voucher, kind=Step.ISSUED, amount=voucher.value, at=at)
    bus.announce(
        "voucher.issued",
        at=at,
        member_id=voucher.member_id,
        voucher=str(voucher.public_id),
        family=family.code,
        expires_at=voucher.expires_at,
        source=voucher.source,
    )
