"""Kinds of vouchers as staff keep them: what may still be changed, and the one code of a kind that is shared."""

import datetime as dt

from django.db import transaction

from rewards.models import Voucher, VoucherFamily, VoucherStep
from rewards.vouchers import issuing

FROZEN = frozenset(
    {
        *("code", "kind", "at_most", "in_parts", "minimum_purchase", "departments", "categories", "skus"),
        *("source", "partner", "uses_per_member", "shared_code"),
    }
)
"""What vouchers read from their kind when they are used: fixed from the first voucher on, so that none changes in
somebody's hand. The rest (value, uses, validity) each voucher keeps for itself."""


class CodeTaken(ValueError):
    """Another voucher has this code."""


def is_used(family: VoucherFamily) -> bool:
    """Whether any voucher of the kind exists, a code in its pool included."""
    return Voucher.objects.filter(family=family).exists()


def shared_code(family: VoucherFamily) -> str:
    """The code for everybody; "" when there is none."""
    if family.source != VoucherFamily.Source.SHARED:
        return ""
    return Voucher.objects.filter(family=family).values_list("code", flat=True).order_by("-pk").first() or ""


def is_taken(code: str, *, by: VoucherFamily) -> bool:
    """Whether a voucher of another kind has the code."""
    others = Voucher.objects.filter(code=code)
    return others.exclude(family=by).exists() if by.pk else others.exists()


def share(*, family_id: int, code: str, at: dt.datetime, staff_id: int | None = None) -> Voucher:
    """Give a shared kind its code, or bring the code's value, uses and validity up to what the kind says now.

    Under the family's row lock, so that it has one code. Raises CodeTaken.
    """
    with transaction.atomic():
        family = VoucherFamily.objects.select_for_update().get(pk=family_id)
        shared = Voucher.objects.select_for_update(of=("self",)).filter(code=code).first()
        if shared is not None and shared.family_id != family.pk:
            raise CodeTaken
        terms = issuing.terms_of(family, at=at)
        if shared is None:
            shared = Voucher.objects.create(family=family, code=code, **terms)
            VoucherStep.objects.create(
                voucher=shared, kind=VoucherStep.Kind.ISSUED, amount=shared.value, at=at, staff_id=staff_id
            )
        elif shared.state in (Voucher.State.ACTIVE, Voucher.State.USED, Voucher.State.EXPIRED):
            _bring_up_to_date(shared, terms, at=at)
    return shared


def _bring_up_to_date(shared: Voucher, terms: dict[str, object], *, at: dt.datetime) -> None:
    used = shared.used.filter(state="redeemed").count()
    for name in ("value", "remaining", "uses", "valid_from", "expires_at"):
        setattr(shared, name, terms[name])
    if shared.uses is not None:
        shared.uses = max(shared.uses, used)
    shared.uses_left = None if shared.uses is None else shared.uses - used
    if shared.uses_left == 0:
        shared.state = Voucher.State.USED
    elif shared.expires_at is None or shared.expires_at > at:
        shared.state = Voucher.State.ACTIVE
    elif shared.state == Voucher.State.USED:
        shared.state = Voucher.State.ACTIVE  # past its end: the upkeep says so
    shared.save()
