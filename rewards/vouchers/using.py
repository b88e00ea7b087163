"""Vouchers at the till: asked about, locked for a checkout, redeemed in whole or in part, rolled back.

Whether a voucher counts is decided by :func:`obstacles` alone. Writes decide under the voucher's row lock and are
repeatable: a partner's ``checkout`` has one use of a voucher, whatever is sent twice. Each leaves a step.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal

from django.db import connection, transaction

from loyalty.events import bus
from rewards.models import Voucher, VoucherStep, VoucherUse
from rewards.vouchers import codes, refusals
from rewards.vouchers.refusals import Refusal
from rewards.vouchers.worth import NOTHING, Purchase, taken_off, terms_of

State, Use, Step = Voucher.State, VoucherUse.State, VoucherStep.Kind
LOCK_SECONDS = 300
LONGEST_LOCK_SECONDS = 3600


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a till asks. ``amount``: only so much, of a voucher that can be used in parts."""

    code: str
    partner_id: int
    checkout: str = ""
    member_id: int | None = None
    purchase: Purchase | None = None
    amount: Decimal | None = None


@dataclass(frozen=True)
class Around:
    """What else is going on with the voucher: live locks of other checkouts, and uses by the member who asks."""

    locks: int = 0
    locked_until: dt.datetime | None = None
    by_member: int = 0


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The voucher after it was asked about or used. ``amount`` is money taken off; None when that is not known."""

    voucher: Voucher | None
    amount: Decimal | None = None
    use: VoucherUse | None = None
    replayed: bool = False
    obstacles: tuple[Refusal, ...] = field(default=())


_AROUND = """
SELECT (SELECT count(*) FROM rewards_voucheruse WHERE voucher_id = %(voucher)s AND state = 'locked'
          AND locked_until > %(at)s AND (partner_id, checkout) <> (%(partner)s, %(checkout)s)),
       (SELECT max(locked_until) FROM rewards_voucheruse WHERE voucher_id = %(voucher)s AND state = 'locked'
          AND locked_until > %(at)s AND (partner_id, checkout) <> (%(partner)s, %(checkout)s)),
       (SELECT count(*) FROM rewards_voucheruse WHERE voucher_id = %(voucher)s AND member_id = %(member)s
          AND (state = 'redeemed' OR state = 'locked' AND locked_until > %(at)s)
          AND (partner_id, checkout) <> (%(partner)s, %(checkout)s))
"""


def validate(asked: Asked, *, at: dt.datetime) -> Answer:
    """Whether the voucher counts, what it takes off the purchase (if one is given) and why not. Writes nothing.

    An unknown code takes the same statements as a known one.
    """
    voucher = _find(asked.code)
    around = _around(voucher, asked, at=at)
    if voucher is None:
        return Answer(voucher=None, obstacles=(refusals.UnknownVoucher(),))
    found = tuple(obstacles(voucher, around, asked, at=at))
    if not found and asked.purchase is not None:
        try:
            return Answer(
                voucher=voucher, amount=taken_off(terms_of(voucher), asked.purchase, wanted=asked.amount)
            )
        except Refusal as refusal:
            found = (refusal,)
    is_foreign = any(isinstance(each, refusals.ForeignVoucher) for each in found)
    return Answer(voucher=None if is_foreign else voucher, obstacles=found)


def lock(asked: Asked, *, at: dt.datetime, seconds: int = LOCK_SECONDS) -> Answer:
    """Keep the voucher for the checkout for so long; sent again, it is kept for so long from now. Raises Refusal.

    Until then no other checkout gets it, and its own may redeem it even where it expires meanwhile.
    """
    with transaction.atomic():
        voucher, use = _hold(asked)
        if use is not None and use.state == Use.REDEEMED:
            raise refusals.UsedVoucher
        _release_overdue(voucher, at=at)
        amount = _judged(voucher, use, asked, at=at)
        use = _written(
            voucher, use, asked, Use.LOCKED, amount, at=at, until=at + dt.timedelta(seconds=seconds)
        )
        _note(use, Step.LOCKED, amount, at=at)
    return Answer(voucher=voucher, amount=amount, use=use)


def redeem(asked: Asked, *, at: dt.datetime) -> Answer:
    """Use the voucher on the checkout's purchase: once, whatever is sent again. Raises Refusal and writes nothing then.

    What the till leaves out is taken from its lock. Announces ``voucher.redeemed``.
    """
    with transaction.atomic():
        voucher, use = _hold(asked)
        if use is not None and use.state == Use.REDEEMED:
            if _differs(use, asked):
                raise refusals.OtherContent
            return Answer(voucher=voucher, amount=use.amount, use=use, replayed=True)
        _release_overdue(voucher, at=at, but=use)
        asked = _with_its_member(asked, use)
        amount = _judged(voucher, use, asked, at=at)
        use = _written(voucher, use, asked, Use.REDEEMED, amount, at=at)
        _use_up(voucher, amount)
        _note(use, Step.REDEEMED, amount, at=at)
        _announce("voucher.redeemed", voucher, use, at=at)
    return Answer(voucher=voucher, amount=amount, use=use)


def roll_back(asked: Asked, *, at: dt.datetime) -> Answer:
    """Give the voucher back that the checkout used, with what it was worth, or let go of its lock; once.

    Raises UnknownVoucher and NotUsedHere. Announces ``voucher.rolled_back`` for a use. An expired voucher comes back
    expired, a cancelled one cancelled.
    """
    with transaction.atomic():
        voucher, use = _hold(asked, may_be_closed=True)
        if use is None:
            raise refusals.NotUsedHere
        if use.state in (Use.ROLLED_BACK, Use.RELEASED):
            return Answer(voucher=voucher, amount=use.amount, use=use, replayed=True)
        if use.state == Use.LOCKED:
            _release(use, at=at)
        else:
            use.state, use.at = Use.ROLLED_BACK, at
            use.save(update_fields=["state", "at"])
            _give_back(voucher, use.amount)
            _note(use, Step.ROLLED_BACK, use.amount, at=at)
            _announce("voucher.rolled_back", voucher, use, at=at)
    return Answer(voucher=voucher, amount=use.amount, use=use)


def obstacles(voucher: Voucher, around: Around, asked: Asked, *, at: dt.datetime) -> Iterator[Refusal]:
    """Why the voucher does not count, whatever is bought: the weightiest first. Pure; the family must be loaded."""
    family = voucher.family
    if family.partner_id is not None and family.partner_id != asked.partner_id:
        yield refusals.ForeignVoucher()
        return
    if voucher.state == State.CANCELLED:
        yield refusals.CancelledVoucher()
    if voucher.state == State.USED:
        yield refusals.UsedVoucher()
    if voucher.valid_from is not None and at < voucher.valid_from:
        yield refusals.NotYetValid(voucher.valid_from)
    is_past = voucher.expires_at is not None and voucher.expires_at <= at
    if voucher.state == State.EXPIRED or (voucher.state == State.ACTIVE and is_past):
        yield refusals.ExpiredVoucher(voucher.expires_at)
    if voucher.member_id is not None and asked.member_id not in (None, voucher.member_id):
        yield refusals.OtherMembers()
    if family.uses_per_member is not None:
        if asked.member_id is None:
            yield refusals.MemberNeeded()
        elif around.by_member >= family.uses_per_member:
            yield refusals.UsedByMember()
    left = 1 if family.in_parts else voucher.uses_left
    if voucher.state == State.ACTIVE and left is not None and around.locks >= left:
        yield refusals.LockedVoucher(around.locked_until)


def release_overdue(*, at: dt.datetime, limit: int) -> int:
    """Let go of locks whose time is over, at most so many; how many. One that a till is just using is left to it."""
    with transaction.atomic():
        due = VoucherUse.objects.filter(state=Use.LOCKED, locked_until__lte=at).order_by("locked_until")
        holding = Voucher.objects.filter(pk__in=list(due.values_list("voucher_id", flat=True)[:limit]))
        held = [row.pk for row in holding.select_for_update(skip_locked=True).order_by("pk")]
        overdue = list(due.filter(voucher_id__in=held)[:limit])
        for use in overdue:
            _release(use, at=at)
    return len(overdue)


def _find(code: str) -> Voucher | None:
    """The voucher of that spelling; codes that still lie in a pool are nobody's and count as unknown."""
    issued = Voucher.objects.select_related("family").exclude(state=State.STORED)
    return issued.filter(code=codes.canonical(code)).first()


def _around(voucher: Voucher | None, asked: Asked, *, at: dt.datetime) -> Around:
    facts: dict[str, int | str | dt.datetime] = {
        "voucher": voucher.pk if voucher else 0,
        "partner": asked.partner_id,
        "checkout": asked.checkout,
        "member": asked.member_id or 0,
        "at": at,
    }
    with connection.cursor() as cursor:
        cursor.execute(_AROUND, facts)
        return Around(*cursor.fetchone())


def _hold(asked: Asked, *, may_be_closed: bool = False) -> tuple[Voucher, VoucherUse | None]:
    """Lock the voucher's row; it and the use that the checkout has of it. Raises UnknownVoucher, CheckoutClosed."""
    issued = Voucher.objects.select_related("family").exclude(state=State.STORED)
    voucher = issued.select_for_update(of=("self",)).filter(code=codes.canonical(asked.code)).first()
    if voucher is None:
        raise refusals.UnknownVoucher
    use = voucher.used.filter(partner_id=asked.partner_id, checkout=asked.checkout).first()
    if use is not None and use.state == Use.ROLLED_BACK and not may_be_closed:
        raise refusals.CheckoutClosed
    return voucher, use


def _with_its_member(asked: Asked, use: VoucherUse | None) -> Asked:
    """What is asked, of the member that the checkout named when it locked the voucher."""
    if asked.member_id is None and use is not None and use.state == Use.LOCKED:
        return replace(asked, member_id=use.member_id)
    return asked


def _judged(voucher: Voucher, use: VoucherUse | None, asked: Asked, *, at: dt.datetime) -> Decimal:
    """What the voucher takes off; raises the weightiest refusal. The checkout's own live lock outlasts the expiry."""
    held = (
        use is not None and use.state == Use.LOCKED and use.locked_until is not None and use.locked_until > at
    )
    for refusal in obstacles(voucher, _around(voucher, asked, at=at), asked, at=at):
        if not (held and isinstance(refusal, refusals.ExpiredVoucher) and voucher.state == State.ACTIVE):
            raise refusal
    if held and use is not None and asked.purchase is None and asked.amount is None:
        return use.amount
    return taken_off(terms_of(voucher), asked.purchase, wanted=asked.amount)


def _written(
    voucher: Voucher,
    use: VoucherUse | None,
    asked: Asked,
    state: VoucherUse.State,
    amount: Decimal,
    *,
    at: dt.datetime,
    until: dt.datetime | None = None,
) -> VoucherUse:
    """The checkout's one row, new or moved on; what the till left out stays as its lock had it."""
    row = use or VoucherUse(voucher=voucher, partner_id=asked.partner_id, checkout=asked.checkout)
    row.state, row.amount, row.locked_until, row.at = state, amount, until, at
    row.member_id = asked.member_id or row.member_id or voucher.member_id
    if asked.purchase is not None:
        row.purchase_total = asked.purchase.total
    row.save()
    return row


def _differs(use: VoucherUse, asked: Asked) -> bool:
    """Whether a repeated redemption asks for other than was done; what it leaves out does not differ."""
    other_total = asked.purchase is not None and asked.purchase.total != use.purchase_total
    other_amount = asked.amount is not None and asked.amount != use.amount
    return other_total or other_amount or asked.member_id not in (None, use.member_id)


def _use_up(voucher: Voucher, amount: Decimal) -> None:
    if voucher.family.in_parts:
        voucher.remaining -= amount
        is_over = voucher.remaining == NOTHING
    else:
        is_over = voucher.uses_left == 1
    if voucher.uses_left is not None and (is_over or not voucher.family.in_parts):
        voucher.uses_left -= 1
    if is_over:
        voucher.state = State.USED
    voucher.save(update_fields=["remaining", "uses_left", "state"])


def _give_back(voucher: Voucher, amount: Decimal) -> None:
    if voucher.family.in_parts:
        voucher.uses_left = 1
        voucher.remaining += amount
    elif voucher.uses_left is not None:
        voucher.uses_left += 1
    if voucher.state == State.USED:
        voucher.state = State.ACTIVE
    voucher.save(update_fields=["remaining", "uses_left", "state"])


def _release_overdue(voucher: Voucher, *, at: dt.datetime, but: VoucherUse | None = None) -> None:
    """Let go of the voucher's locks whose time is over, under its row lock."""
    for use in voucher.used.filter(state=Use.LOCKED, locked_until__lte=at):
        if but is None or use.pk != but.pk:
            _release(use, at=at)


def _release(use: VoucherUse, *, at: dt.datetime) -> None:
    use.state, use.locked_until, use.at = Use.RELEASED, None, at
    use.save(update_fields=["state", "locked_until", "at"])
    _note(use, Step.RELEASED, NOTHING, at=at)


def _note(use: VoucherUse, kind: VoucherStep.Kind, amount: Decimal, *, at: dt.datetime) -> None:
    VoucherStep.objects.create(
        voucher_id=use.voucher_id, use=use, kind=kind, amount=amount, at=at, partner_id=use.partner_id
    )


def _announce(name: str, voucher: Voucher, use: VoucherUse, *, at: dt.datetime) -> None:
    bus.announce(
        name,
        at=at,
        member_id=use.member_id,
        partner_id=use.partner_id,
        voucher=str(voucher.public_id),
        family=voucher.family.code,
        redemption=voucher.redemption_id,
        checkout=use.checkout,
        amount=str(use.amount),
        remaining=str(voucher.remaining) if voucher.family.in_parts else None,
        is_used_up=voucher.state == State.USED,
    )
