"""Money paid on to causes, written down by staff. What was written down wrongly is taken back, never changed."""

import datetime as dt
import uuid
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from rewards.causes.totals import totals_of
from rewards.models import Cause, Payout


class PayoutRefused(Exception):
    """It cannot be written down so; ``field`` names the part of the form, the text says why."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field

    def __str__(self) -> str:
        return str(self.args[0])


def record(
    *,
    cause_id: int,
    amount: Decimal,
    paid_on: dt.date,
    reference: str,
    staff_id: int,
    token: uuid.UUID,
    at: dt.datetime,
    today: dt.date,
    beyond: bool = False,
) -> tuple[Payout, bool]:
    """Write down a payment, once per ``token``; the payment, and whether it is new.

    Raises PayoutRefused for a day in the future, and for more than is still to be paid unless ``beyond`` says that this
    is meant. Two at once are decided one after the other, under the cause's row lock.
    """
    if amount <= 0:
        raise PayoutRefused("amount", _("Give an amount above 0."))
    if paid_on > today:
        raise PayoutRefused("paid_on", _("This day has not come yet."))
    try:
        with transaction.atomic():
            cause = Cause.objects.select_for_update(no_key=True, of=("self",)).get(pk=cause_id)
            if earlier := Payout.objects.filter(token=token).first():
                return earlier, False
            due = totals_of([cause])[cause.pk].due
            if amount > due and not beyond:
                raise PayoutRefused(
                    "amount",
                    _("Only %(due)s is still to be paid. Tick below if more is meant.") % {"due": due},
                )
            new = Payout.objects.create(
                cause=cause,
                amount=amount,
                paid_on=paid_on,
                reference=reference.strip(),
                staff_id=staff_id,
                recorded_at=at,
                token=token,
            )
    except IntegrityError:
        return Payout.objects.get(token=token), False
    return new, True


def withdraw(*, payout_id: int, staff_id: int, note: str, at: dt.datetime) -> bool:
    """Take back what was written down wrongly, with the reason; False when that was done before."""
    if not note.strip():
        raise PayoutRefused("note", _("Say what was wrong."))
    rows = Payout.objects.filter(pk=payout_id, withdrawn_at=None)
    return bool(rows.update(withdrawn_at=at, withdrawn_by=staff_id, withdrawn_note=note.strip()[:300]))
