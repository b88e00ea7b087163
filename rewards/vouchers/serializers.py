"""The shapes of vouchers in the API: what tills send, and what they get back."""

import datetime as dt
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from loyalty import programme
from loyalty.api.schema import ProblemSerializer
from loyalty.partners.models import Partner
from members.serializers import MemberReferenceSerializer, TextField
from rewards.models import Voucher, VoucherFamily, VoucherUse
from rewards.vouchers.queries import shown_code, state_at
from rewards.vouchers.using import LOCK_SECONDS, LONGEST_LOCK_SECONDS, Answer
from rewards.vouchers.worth import Line, Purchase

NOTHING = Decimal(0)
CENT = Decimal("0.01")
MAX_LINES = 2000


class VoucherLineSerializer(serializers.Serializer[Any]):
    """One line of the receipt."""

    sku = TextField(default="", max_length=100)
    category = TextField(default="", max_length=100)
    department = TextField(default="", max_length=100)
    quantity = serializers.DecimalField(default=Decimal(1), max_digits=9, decimal_places=3, min_value=NOTHING)
    total = serializers.DecimalField(max_digits=12, decimal_places=2, min_value=NOTHING)


class PurchaseSerializer(serializers.Serializer[Any]):
    """Who is buying what. Lines are needed where a voucher is for certain products; they add up to the total."""

    default_error_messages = {
        "currency": _("Only the programme's base currency is taken: %(currency)s."),
        "sum": _("The lines add up to %(sum)s, not to %(total)s."),
        "total": _("Lines need the total of the purchase."),
    }

    member = MemberReferenceSerializer(required=False)
    total = serializers.DecimalField(required=False, max_digits=12, decimal_places=2, min_value=NOTHING)
    currency = TextField(required=False, max_length=3, help_text=_("ISO 4217."))
    lines = VoucherLineSerializer(many=True, default=list, max_length=MAX_LINES)

    def validate_currency(self, currency: str) -> str:
        if currency and currency != (base := programme.current().base_currency):
            raise self._error("currency", currency=base)
        return currency

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["lines"]:
            if "total" not in attrs:
                raise serializers.ValidationError({"total": self._error("total").detail})
            total, of_lines = attrs["total"], sum(line["total"] for line in attrs["lines"])
            if abs(of_lines - total) > CENT:
                raise serializers.ValidationError(
                    {"total": self._error("sum", sum=of_lines, total=total).detail}
                )
        return attrs

    def _error(self, code: str, **facts: Any) -> serializers.ValidationError:
        return serializers.ValidationError(self.error_messages[code] % facts, code)


class AmountField(serializers.DecimalField):
    """Money of a voucher that can be used in parts."""

    def __init__(self) -> None:
        super().__init__(
            required=False,
            max_digits=10,
            decimal_places=2,
            min_value=CENT,
            help_text=_(
                "Only so much, of a voucher that can be used in parts. Default: as much as it gives."
            ),
        )


class CheckoutField(TextField):
    """The till's own name of a sale."""

    def __init__(self) -> None:
        super().__init__(
            max_length=100, help_text=_("Your own name of the sale, such as the receipt's number.")
        )


class ValidateSerializer(PurchaseSerializer):
    """A question about a voucher; everything may be left out."""

    checkout = TextField(default="", max_length=100, help_text=_("Yours, if it has locked the voucher."))
    amount = AmountField()


class CheckoutSerializer(serializers.Serializer[Any]):
    checkout = CheckoutField()


class RedeemSerializer(PurchaseSerializer):
    """The purchase on which the voucher is used. What is left out is taken from the checkout's lock."""

    checkout = CheckoutField()
    amount = AmountField()


class LockSerializer(RedeemSerializer):
    """The purchase for which the voucher is kept."""

    seconds = serializers.IntegerField(
        default=LOCK_SECONDS,
        min_value=10,
        max_value=LONGEST_LOCK_SECONDS,
        help_text=_("How long it is kept."),
    )


class NewVoucherSerializer(serializers.Serializer[Any]):
    """A voucher to be issued."""

    family = TextField(max_length=50, help_text=_("The code of the kind of voucher."))
    member = MemberReferenceSerializer(required=False)
    external_id = TextField(
        max_length=60,
        help_text=_("Your own id of what it is given for; the same again gives no second voucher."),
    )


class VoucherFamilySerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = serializers.CharField()


class VoucherSerializer(serializers.Serializer[Any]):
    """A voucher as a till sees it."""

    id = serializers.UUIDField()
    code = serializers.CharField(help_text=_("In groups, as it is shown to people."))
    family = VoucherFamilySerializer()
    kind = serializers.ChoiceField(choices=VoucherFamily.Kind.choices)
    state = serializers.ChoiceField(choices=Voucher.State.choices)
    value = serializers.DecimalField(max_digits=10, decimal_places=2, help_text=_("Money, or percent."))
    remaining = serializers.DecimalField(
        max_digits=10, decimal_places=2, allow_null=True, help_text=_("Where it can be used in parts.")
    )
    uses_left = serializers.IntegerField(allow_null=True, help_text=_("`null`: without limit."))
    minimum_purchase = serializers.DecimalField(max_digits=10, decimal_places=2)
    valid_from = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    issued_at = serializers.DateTimeField(allow_null=True)


class ValidationSerializer(serializers.Serializer[Any]):
    """Whether a voucher counts, and all that is in the way."""

    valid = serializers.BooleanField()
    amount = serializers.DecimalField(
        max_digits=10,
        decimal_places=2,
        allow_null=True,
        help_text=_("Taken off the purchase, if you sent one."),
    )
    voucher = VoucherSerializer(allow_null=True)
    problems = ProblemSerializer(many=True, help_text=_("What redeeming would answer, the weightiest first."))


class UseSerializer(serializers.Serializer[Any]):
    """What the checkout has of the voucher."""

    id = serializers.UUIDField()
    checkout = serializers.CharField()
    state = serializers.ChoiceField(choices=VoucherUse.State.choices)
    amount = serializers.DecimalField(max_digits=10, decimal_places=2, help_text=_("Taken off the purchase."))
    locked_until = serializers.DateTimeField(allow_null=True)
    at = serializers.DateTimeField()
    voucher = VoucherSerializer()


def purchase_of(data: dict[str, Any]) -> Purchase | None:
    """The purchase in checked data; None when no total was sent."""
    if "total" not in data:
        return None
    return Purchase(total=data["total"], lines=tuple(Line(**line) for line in data["lines"]))


def voucher_answer(voucher: Voucher, *, at: dt.datetime) -> dict[str, Any]:
    """A voucher as a dictionary; texts in the active language. The family must be loaded."""
    family = voucher.family
    return {
        "id": str(voucher.public_id),
        "code": shown_code(voucher),
        "family": {"code": family.code, "name": family.name},
        "kind": family.kind,
        "state": state_at(voucher, at),
        "value": str(voucher.value),
        "remaining": str(voucher.remaining) if family.in_parts else None,
        "uses_left": voucher.uses_left,
        "minimum_purchase": str(family.minimum_purchase),
        "valid_from": voucher.valid_from,
        "expires_at": voucher.expires_at,
        "issued_at": voucher.issued_at,
    }


def validation_answer(answer: Answer, *, at: dt.datetime) -> dict[str, Any]:
    return {
        "valid": not answer.obstacles,
        "amount": str(answer.amount) if answer.amount is not None else None,
        "voucher": voucher_answer(answer.voucher, at=at) if answer.voucher else None,
        "problems": [refusal.body() for refusal in answer.obstacles],
    }


def use_answer(answer: Answer, *, at: dt.datetime) -> dict[str, Any]:
    """The answer to lock, redeem and roll back."""
    use, voucher = answer.use, answer.voucher
    if use is None or voucher is None:
        raise ValueError("Nothing was used.")
    return {
        "id": str(use.public_id),
        "checkout": use.checkout,
        "state": use.state,
        "amount": str(use.amount),
        "locked_until": use.locked_until,
        "at": use.at,
        "voucher": voucher_answer(voucher, at=at),
    }


def may_be_issued_by(family: VoucherFamily, partner: Partner) -> bool:
    """Whether a partner may issue vouchers of the family: its own, or those that count everywhere."""
    return family.partner_id in (None, partner.pk)
