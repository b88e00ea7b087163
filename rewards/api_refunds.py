"""Refunds and pending points in the API: undo a purchase in whole or part, confirm or cancel what it left pending.

Who undoes what is checked here (a partner its own activities only); what comes of it is ``rewards.refunds``' and
``rewards.confirmation``'s.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.db.models import Prefetch, Sum
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from loyalty import clock
from loyalty.api.idempotency import idempotent
from loyalty.api.language import LANGUAGE_PARAMETER, SpeakingView
from loyalty.api.problems import Conflict, FieldError, Invalid, NotFound
from loyalty.partners.models import Partner, Scope
from loyalty.translated import in_language
from members.models import Activity, Member
from members.serializers import TextField, TierSerializer, tier_answer
from rewards import confirmation
from rewards.confirmation import NothingPending, Settled
from rewards.ledger import Balance
from rewards.models import Refund, RefundLine, Transfer
from rewards.refund_parts import Order, Returned
from rewards.refunds import RefundConflict, RefundOutcome, RefundRefused, refund
from rewards.serializers import MAX_LINES, BalanceSerializer, MomentField

WAYS = ("all", "amount", "lines")
SMALLEST_QUANTITY = Decimal("0.001")


class RefundedActivityNotFound(NotFound):
    code, title = "unknown-activity", _("You have sent no such activity.")


class RefundExists(Conflict):
    code, title = "refund-exists", _("Another refund is recorded under this external_id.")


class NothingIsPending(Conflict):
    code, title = "nothing-pending", _("No points of this activity are pending.")


class ReturnedLineSerializer(serializers.Serializer[Any]):
    """Goods that come back."""

    sku = TextField(max_length=100)
    quantity = serializers.DecimalField(
        required=False,
        allow_null=True,
        max_digits=9,
        decimal_places=3,
        min_value=SMALLEST_QUANTITY,
        help_text=_("Left out: all that is left of the SKU."),
    )


class NewRefundSerializer(serializers.Serializer[Any]):
    """What comes back: exactly one of ``all``, ``amount`` and ``lines``."""

    default_error_messages = {
        "one_way": _("Give exactly one of all, amount and lines."),
        "not_true": _("Send true, or leave it out."),
    }

    external_id = TextField(max_length=100, help_text=_("Your own id of the refund."))
    all = serializers.BooleanField(required=False, help_text=_("Everything that is left of the purchase."))
    amount = serializers.DecimalField(
        required=False, max_digits=12, decimal_places=2, help_text=_("Money, without naming the goods.")
    )
    lines = ReturnedLineSerializer(many=True, required=False, allow_empty=False, max_length=MAX_LINES)
    occurred_at = MomentField(required=False, help_text=_("Default: now."))

    def validate_all(self, everything: bool) -> bool:
        if not everything:
            raise serializers.ValidationError(self.error_messages["not_true"], "not_true")
        return everything

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        given = [way for way in WAYS if way in attrs]
        if len(given) != 1:
            error = serializers.ErrorDetail(str(self.error_messages["one_way"]), "one_way")
            raise serializers.ValidationError({way: [error] for way in given or WAYS})
        return attrs


def order_of(data: Mapping[str, Any]) -> Order:
    """What was validated, in the words of ``rewards.refund_parts``."""
    return Order(
        everything=data.get("all", False),
        amount=data.get("amount"),
        lines=tuple(Returned(line["sku"], line.get("quantity")) for line in data.get("lines", ())),
    )


class RefundPointsSerializer(serializers.Serializer[Any]):
    """What became of the points: taken back, or left to the member although they were due."""

    taken = serializers.IntegerField()
    forgiven = serializers.IntegerField()


class TakenBackSerializer(serializers.Serializer[Any]):
    """Points taken back of what one rule gave."""

    rule = serializers.CharField()
    points = serializers.IntegerField()
    text = serializers.CharField()


class RefundSerializer(serializers.Serializer[Any]):
    """What became of a refund. ``held``: points were spent and staff decide; nothing was taken yet."""

    id = serializers.UUIDField()
    external_id = serializers.CharField()
    activity = serializers.UUIDField()
    status = serializers.ChoiceField(choices=Refund.Status.choices)
    amount = serializers.DecimalField(max_digits=14, decimal_places=2)
    points = RefundPointsSerializer()
    reasons = TakenBackSerializer(many=True)
    balance = BalanceSerializer()
    tier = TierSerializer()


class StoredRefundLineSerializer(serializers.Serializer[Any]):
    sku = serializers.CharField(allow_blank=True)
    quantity = serializers.DecimalField(max_digits=12, decimal_places=3)
    total = serializers.DecimalField(max_digits=14, decimal_places=2)


class StoredRefundSerializer(serializers.Serializer[Any]):
    """A refund as it was recorded."""

    id = serializers.UUIDField()
    external_id = serializers.CharField()
    activity = serializers.UUIDField()
    status = serializers.ChoiceField(choices=Refund.Status.choices)
    amount = serializers.DecimalField(max_digits=14, decimal_places=2)
    occurred_at = serializers.DateTimeField()
    recorded_at = serializers.DateTimeField()
    lines = StoredRefundLineSerializer(many=True)
    points = RefundPointsSerializer()
    reasons = TakenBackSerializer(many=True)


class RefundsSerializer(serializers.Serializer[Any]):
    """The refunds of one activity, oldest first."""

    results = StoredRefundSerializer(many=True)


class SettledSerializer(serializers.Serializer[Any]):
    """What became of pending points: how many of them, and what the member has now."""

    activity = serializers.UUIDField()
    points = serializers.IntegerField()
    balance = BalanceSerializer()
    tier = TierSerializer()


class RefundsView(SpeakingView):
    """The refunds of one of the partner's own activities."""

    required_scopes = {"GET": Scope.ACTIVITIES_READ, "POST": Scope.ACTIVITIES_WRITE}

    @extend_schema(
        operation_id="refunds_list",
        summary="Read an activity's refunds",
        parameters=[LANGUAGE_PARAMETER],
        responses=RefundsSerializer,
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        return Response({"results": stored_refunds(own_activity(public_id, request.auth.partner))})

    @extend_schema(
        operation_id="refunds_record",
        summary="Refund an activity, in whole or in part",
        description=(
            "The purchase is judged again without what comes back, by the rules that granted its points, and the "
            "difference is taken back. 201; the same `external_id` with the same content again: 200 with the first "
            "answer. Other content under a known `external_id`: 409. More than is left of the purchase: 422."
        ),
        parameters=[LANGUAGE_PARAMETER],
        request=NewRefundSerializer,
        responses={201: RefundSerializer, 200: RefundSerializer},
    )
    @idempotent
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        at = clock.now()
        activity = own_activity(public_id, request.auth.partner)
        form = NewRefundSerializer(data=request.data, context={"at": at})
        form.is_valid(raise_exception=True)
        data = form.validated_data
        try:
            outcome = refund(
                activity_id=activity.pk,
                external_id=data["external_id"],
                order=order_of(data),
                at=at,
                occurred_at=data.get("occurred_at"),
            )
        except RefundRefused as refused:
            raise Invalid(errors=[FieldError(refused.field, "refused", str(refused))]) from None
        except RefundConflict as conflict:
            raise RefundExists(errors=[FieldError("external_id", "taken", str(conflict))]) from None
        return Response(refund_answer(outcome), status=200 if outcome.replayed else 201)


class SettlementView(SpeakingView):
    """Pending points of one of the partner's own activities."""

    required_scopes = Scope.ACTIVITIES_WRITE

    def settle(self, request: Request, public_id: uuid.UUID, work: Callable[..., Settled]) -> Response:
        activity = own_activity(public_id, request.auth.partner)
        try:
            settled = work(activity=activity, at=clock.now())
        except NothingPending:
            raise NothingIsPending from None
        return Response(
            {
                "activity": str(activity.public_id),
                "points": settled.points,
                "balance": _balance(settled.balance),
                "tier": _tier(activity.member_id),
            }
        )


class ConfirmView(SettlementView):
    """The member may have them."""

    @extend_schema(
        operation_id="activities_confirm",
        summary="Make an activity's pending points available",
        description="Before their time if they have one. Confirmed, cancelled or refunded already: 409.",
        parameters=[LANGUAGE_PARAMETER],
        request=None,
        responses=SettledSerializer,
    )
    @idempotent
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        return self.settle(request, public_id, confirmation.confirm)


class CancelView(SettlementView):
    """The member shall not have them."""

    @extend_schema(
        operation_id="activities_cancel",
        summary="Take an activity's pending points back",
        description="Points that are available are not touched. Confirmed, cancelled or refunded already: 409.",
        parameters=[LANGUAGE_PARAMETER],
        request=None,
        responses=SettledSerializer,
    )
    @idempotent
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        return self.settle(request, public_id, confirmation.cancel)


def own_activity(public_id: uuid.UUID, partner: Partner) -> Activity:
    """An activity that the partner sent; anybody else's raises the same as none."""
    activity = Activity.objects.filter(partner=partner, public_id=public_id).first()
    if activity is None:
        raise RefundedActivityNotFound
    return activity


def refund_answer(outcome: RefundOutcome) -> dict[str, Any]:
    """The answer for a refund; texts in the active language."""
    return {
        "id": str(outcome.refund_id),
        "external_id": outcome.external_id,
        "activity": str(outcome.activity_id),
        "status": outcome.status,
        "amount": f"{outcome.amount:.2f}",
        "points": {"taken": outcome.points, "forgiven": outcome.forgiven},
        "reasons": [
            {"rule": each.rule, "points": each.points, "text": in_language(each.names)}
            for each in outcome.taken_back
        ],
        "balance": _balance(outcome.balance),
        "tier": _tier(outcome.member_id),
    }


def _balance(balance: Balance) -> dict[str, int]:
    return {"available": balance.available, "pending": balance.pending, "debt": balance.debt}


def _tier(member_id: int) -> dict[str, str]:
    tier = Member.objects.select_related("tier").get(pk=member_id).tier
    return tier_answer(tier.code, tier.names)


def stored_refunds(activity: Activity) -> list[dict[str, Any]]:
    """The refunds of an activity, oldest first, in three statements."""
    lines = RefundLine.objects.select_related("line__product").order_by("line__position")
    rows = list(activity.refunds.prefetch_related(Prefetch("lines", lines)).order_by("pk"))
    taken = _taken(rows)
    return [
        {
            "id": str(row.public_id),
            "external_id": row.external_id,
            "activity": str(activity.public_id),
            "status": row.status,
            "amount": str(row.amount),
            "occurred_at": row.occurred_at,
            "recorded_at": row.recorded_at,
            "lines": [
                {
                    "sku": line.line.product.sku if line.line.product else "",
                    "quantity": str(line.quantity),
                    "total": str(line.total),
                }
                for line in row.lines.all()
            ],
            "points": {"taken": row.points, "forgiven": row.forgiven},
            "reasons": taken.get(row.pk, []),
        }
        for row in rows
    ]


def _taken(refunds: Sequence[Refund]) -> dict[int, list[dict[str, Any]]]:
    """By refund, the points taken back of what each rule gave."""
    rows = (
        Transfer.objects.filter(source="rewards.refund", source_id__in=[row.pk for row in refunds])
        .filter(member__in={row.member_id for row in refunds}, rule_revision__isnull=False)
        .values_list("source_id", "rule_revision__rule__code", "rule_revision__rule__names")
        .annotate(points=Sum("points"))
        .order_by("source_id", "rule_revision")
    )
    found: dict[int, list[dict[str, Any]]] = {}
    for refund_id, code, names, points in rows:
        reason = {"rule": code, "points": points, "text": in_language(names)}
        found.setdefault(refund_id or 0, []).append(reason)
    return found
