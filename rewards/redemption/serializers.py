"""The shapes of redemptions in the API."""

import datetime as dt
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from loyalty import programme
from members.serializers import MemberReferenceSerializer, TextField
from rewards.models import Redemption, Voucher
from rewards.redemption.placing import Placed
from rewards.redemption.queries import code_of
from rewards.serializers import BalanceSerializer
from rewards.vouchers.serializers import VoucherSerializer, voucher_answer


class NewRedemptionSerializer(serializers.Serializer[Any]):
    """What is redeemed: exactly one of ``reward`` and ``points``."""

    default_error_messages = {"one": _("Give exactly one of reward and points.")}

    external_id = TextField(
        required=False,
        max_length=100,
        help_text=_("Your own id of the redemption. The same again: the same answer."),
    )
    member = MemberReferenceSerializer()
    reward = serializers.UUIDField(required=False, help_text=_("The reward's `id`."))
    points = serializers.IntegerField(
        required=False, min_value=1, max_value=10**9, help_text=_("Points used as money at this till.")
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        given = [name for name in ("reward", "points") if name in attrs]
        if len(given) != 1:
            error = serializers.ErrorDetail(str(self.error_messages["one"]), "one")
            raise serializers.ValidationError({name: [error] for name in given or ("reward", "points")})
        return attrs


class NoteSerializer(serializers.Serializer[Any]):
    note = TextField(required=False, allow_blank=True, default="", max_length=300, help_text=_("Why."))


class NamedRewardSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    code = serializers.CharField()
    name = serializers.CharField()


class RedeemingMemberSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()


class RedemptionSerializer(serializers.Serializer[Any]):
    """A redemption. ``reward`` is null where points were used as money or given to a cause."""

    id = serializers.UUIDField()
    external_id = serializers.CharField(allow_null=True)
    member = RedeemingMemberSerializer()
    reward = NamedRewardSerializer(allow_null=True)
    state = serializers.ChoiceField(choices=Redemption.State.choices)
    via = serializers.ChoiceField(choices=Redemption.Via.choices)
    points = serializers.IntegerField()
    money = serializers.DecimalField(
        max_digits=14,
        decimal_places=2,
        help_text=_("Paid on top of the points; of points used as money, what they are worth."),
    )
    currency = serializers.CharField()
    code = serializers.CharField(
        allow_null=True, help_text=_("What the member shows to have it handed over.")
    )
    voucher = VoucherSerializer(allow_null=True)
    redeemed_at = serializers.DateTimeField()
    collect_by = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class PlacedSerializer(RedemptionSerializer):
    """A redemption just placed, and what the member has left."""

    balance = BalanceSerializer()


def redemption_answer(row: Redemption, *, at: dt.datetime, member: UUID | None = None) -> dict[str, Any]:
    """A redemption as a dictionary; texts in the active language. Loaded with ``queries.full``, or just placed."""
    voucher: Voucher | None = getattr(row, "voucher", None)
    reward = row.reward
    return {
        "id": str(row.public_id),
        "external_id": row.external_id if row.partner_id else None,
        "member": {"id": str(member or row.member.public_id)},
        "reward": (
            {"id": str(reward.public_id), "code": reward.code, "name": reward.name}
            if reward is not None
            else None
        ),
        "state": row.state,
        "via": row.via,
        "points": row.points,
        "money": f"{row.money:.2f}",
        "currency": programme.current().base_currency,
        "code": code_of(row)[0] or None if voucher is None else None,
        "voucher": voucher_answer(voucher, at=at) if voucher is not None else None,
        "redeemed_at": row.redeemed_at,
        "collect_by": row.collect_by,
        "ended_at": row.ended_at,
    }


def placed_answer(placed: Placed, *, at: dt.datetime) -> dict[str, Any]:
    """What was placed, without another statement, and what the member has left."""
    balance = placed.balance
    left = {"available": balance.available, "pending": balance.pending, "debt": balance.debt}
    return redemption_answer(placed.redemption, at=at, member=placed.member) | {"balance": left}
