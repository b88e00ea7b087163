"""The shapes of causes and gifts in the API."""

from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from loyalty import programme
from loyalty.translated import in_language
from members.serializers import MemberReferenceSerializer, TextField
from rewards.causes.giving import least_of
from rewards.causes.totals import Totals, YearOfGiving
from rewards.ledger import Balance
from rewards.models import Cause, Donation, Payout
from rewards.serializers import BalanceSerializer

_MONEY = {"max_digits": 14, "decimal_places": 2}


class CauseSerializer(serializers.Serializer[Any]):
    """A cause with what it was given and what was paid on; money in the base currency."""

    id = serializers.UUIDField()
    code = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    recipient = serializers.CharField(help_text=_("Who gets the money."))
    website = serializers.CharField(allow_blank=True)
    open = serializers.BooleanField(help_text=_("Whether it takes gifts now."))
    opens_at = serializers.DateTimeField(allow_null=True)
    closes_at = serializers.DateTimeField(allow_null=True)
    point_value = serializers.DecimalField(
        max_digits=8, decimal_places=4, help_text=_("What a point given now becomes.")
    )
    least_points = serializers.IntegerField()
    currency = serializers.CharField()
    goal = serializers.DecimalField(allow_null=True, **_MONEY)
    points_given = serializers.IntegerField()
    given = serializers.DecimalField(
        help_text=_("What the points became, less what was taken back."), **_MONEY
    )
    gifts = serializers.IntegerField()
    givers = serializers.IntegerField()
    paid = serializers.DecimalField(help_text=_("Paid on to the recipient."), **_MONEY)
    due = serializers.DecimalField(help_text=_("Still to be paid on."), **_MONEY)


class PayoutSerializer(serializers.Serializer[Any]):
    paid_on = serializers.DateField()
    amount = serializers.DecimalField(**_MONEY)
    reference = serializers.CharField(allow_blank=True)


class CauseWithPayoutsSerializer(CauseSerializer):
    """A cause with every payment to it, newest first."""

    payouts = PayoutSerializer(many=True)


class NewDonationSerializer(serializers.Serializer[Any]):
    external_id = TextField(
        required=False,
        max_length=100,
        help_text=_("Your own id of the gift. The same again: the same answer."),
    )
    member = MemberReferenceSerializer()
    points = serializers.IntegerField(min_value=1, max_value=10**9)


class NamedCauseSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    code = serializers.CharField()
    name = serializers.CharField()


class DonationSerializer(serializers.Serializer[Any]):
    """A gift. ``id`` is its redemption's, by which staff cancel it."""

    id = serializers.UUIDField()
    cause = NamedCauseSerializer()
    points = serializers.IntegerField()
    amount = serializers.DecimalField(**_MONEY)
    currency = serializers.CharField()
    given_at = serializers.DateTimeField()
    cancelled_at = serializers.DateTimeField(allow_null=True)


class GivenSerializer(DonationSerializer):
    """A gift just given, the cause's thanks, and what the member has left."""

    thanks = serializers.CharField(allow_blank=True)
    balance = BalanceSerializer()


class DonationsOfYearSerializer(serializers.Serializer[Any]):
    """What a member gave in a year, oldest first."""

    year = serializers.IntegerField()
    points = serializers.IntegerField()
    amount = serializers.DecimalField(**_MONEY)
    currency = serializers.CharField()
    results = DonationSerializer(many=True)


def money(amount: Decimal) -> str:
    return f"{amount:.2f}"


def cause_answer(cause: Cause, totals: Totals, *, is_open: bool) -> dict[str, Any]:
    """A cause as a dictionary; texts in the active language."""
    return {
        "id": str(cause.public_id),
        "code": cause.code,
        "name": cause.name or cause.code,
        "description": in_language(cause.descriptions),
        "recipient": cause.recipient,
        "website": cause.website,
        "open": is_open,
        "opens_at": cause.opens_at,
        "closes_at": cause.closes_at,
        "point_value": f"{cause.point_value:.4f}",
        "least_points": least_of(cause),
        "currency": programme.current().base_currency,
        "goal": money(cause.goal) if cause.goal is not None else None,
        "points_given": totals.points,
        "given": money(totals.given),
        "gifts": totals.gifts,
        "givers": totals.givers,
        "paid": money(totals.paid),
        "due": money(totals.due),
    }


def payout_answer(payout: Payout) -> dict[str, Any]:
    return {"paid_on": payout.paid_on, "amount": money(payout.amount), "reference": payout.reference}


def donation_answer(donation: Donation) -> dict[str, Any]:
    """A gift as a dictionary; loaded with its cause and redemption."""
    cause = donation.cause
    return {
        "id": str(donation.redemption.public_id),
        "cause": {"id": str(cause.public_id), "code": cause.code, "name": cause.name or cause.code},
        "points": donation.points,
        "amount": money(donation.amount),
        "currency": programme.current().base_currency,
        "given_at": donation.given_at,
        "cancelled_at": donation.cancelled_at,
    }


def given_answer(donation: Donation, balance: Balance) -> dict[str, Any]:
    left = {"available": balance.available, "pending": balance.pending, "debt": balance.debt}
    return donation_answer(donation) | {"thanks": in_language(donation.cause.thanks), "balance": left}


def year_answer(year: YearOfGiving) -> dict[str, Any]:
    return {
        "year": year.year,
        "points": year.points,
        "amount": money(year.amount),
        "currency": programme.current().base_currency,
        "results": [donation_answer(gift) for gift in year.gifts],
    }
