"""Reads about vouchers that serve more than one caller: the portal, the API and the admin."""

import datetime as dt
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from rewards.models import Voucher, VoucherStep
from rewards.vouchers import codes, drawing, wording

State = Voucher.State


def state_at(voucher: Voucher, at: dt.datetime) -> State:
    """The state as it counts at ``at``: a voucher past its end is expired before the upkeep has said so."""
    is_past = voucher.expires_at is not None and voucher.expires_at <= at
    return State.EXPIRED if voucher.state == State.ACTIVE and is_past else State(voucher.state)


def in_state(vouchers: QuerySet[Voucher], state: State, *, at: dt.datetime) -> QuerySet[Voucher]:
    """Those of the vouchers that are in the state at ``at``."""
    past = Q(expires_at__lte=at)
    if state == State.ACTIVE:
        return vouchers.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=at), state=state)
    if state == State.EXPIRED:
        return vouchers.filter(Q(state=state) | Q(past, state=State.ACTIVE))
    return vouchers.filter(state=state)


def of_member(member_id: int) -> QuerySet[Voucher]:
    """The member's vouchers with their families, newest first."""
    return Voucher.objects.filter(member=member_id).select_related("family__partner").order_by("-pk")


def by_code(text: str) -> Voucher | None:
    """The voucher with that code in any spelling, one in the pool included (for staff)."""
    return Voucher.objects.select_related("family").filter(code=codes.canonical(text) or None).first()


def shown_code(voucher: Voucher) -> str:
    """The code as people see it: in the file's own spelling, else in groups."""
    return voucher.spelling or codes.grouped(voucher.code)


def scanned_text(voucher: Voucher) -> str:
    """What the QR code and the bar code hold."""
    return voucher.spelling or voucher.code


def code_context(voucher: Voucher, *, at: dt.datetime) -> dict[str, Any]:
    """What ``rewards/vouchers/_code.html`` needs to show a voucher. The family and its partner must be loaded."""
    shown, state = shown_code(voucher), state_at(voucher, at)
    label = _("The code %(code)s, for the till's scanner") % {"code": shown}
    return {
        "voucher": voucher,
        "code_shown": shown,
        "state": state,
        "is_usable": state == State.ACTIVE,
        "worth": wording.worth(voucher.family, voucher.value),
        "until": wording.until(voucher.expires_at),
        "conditions": wording.conditions(voucher.family),
        "qr": drawing.qr_svg(scanned_text(voucher), label=label),
        "barcode": drawing.barcode_svg(scanned_text(voucher)),
    }


def steps_of(voucher: Voucher) -> QuerySet[VoucherStep]:
    """What happened to the voucher, oldest first, with the sale and who did it."""
    return voucher.steps.select_related("use", "partner", "staff").order_by("pk")
