"""Personal offers in the API: read those open to a member, and activate one for them."""

import uuid
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from loyalty import clock
from loyalty.api.idempotency import idempotent
from loyalty.api.language import LANGUAGE_PARAMETER, SpeakingView
from loyalty.api.problems import FieldError, NotFound
from loyalty.partners.models import Scope
from members.api import seen_member
from members.serializers import TextField
from rewards.models import RuleRevision
from rewards.offers import Offer, OfferNotFound, activate, offers_for


class UnknownOffer(NotFound):
    code, title = "unknown-offer", _("This offer is not open to this member now.")


class CapSerializer(serializers.Serializer[Any]):
    """The most that the offer gives, and what is left of it for the member."""

    per_activity = serializers.IntegerField(allow_null=True)
    per_member = serializers.IntegerField(allow_null=True)
    period = serializers.ChoiceField(choices=RuleRevision.Period.choices)
    left = serializers.IntegerField(allow_null=True)


class OfferSerializer(serializers.Serializer[Any]):
    """A personal offer."""

    offer = serializers.CharField(help_text="Its code.")
    name = serializers.CharField()
    gives = serializers.CharField()
    when = serializers.CharField(allow_blank=True)
    valid_until = serializers.DateTimeField(allow_null=True)
    activated_at = serializers.DateTimeField(allow_null=True)
    caps = CapSerializer()


class OffersSerializer(serializers.Serializer[Any]):
    """The offers open to the member now: those to activate first."""

    results = OfferSerializer(many=True)


class ActivationSerializer(serializers.Serializer[Any]):
    offer = TextField(max_length=50, help_text=_("The code of the offer."))


class OffersView(SpeakingView):
    """What a member may activate, and has."""

    required_scopes = Scope.POINTS_READ

    @extend_schema(
        operation_id="members_offers",
        summary="Read a member's personal offers",
        parameters=[LANGUAGE_PARAMETER],
        responses=OffersSerializer,
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        member = seen_member(public_id, request.auth.partner)
        return Response({"results": [offer_answer(offer) for offer in offers_for(member, at=clock.now())]})


class ActivateOfferView(SpeakingView):
    """Take up an offer for a member."""

    required_scopes = Scope.OFFERS_WRITE

    @extend_schema(
        operation_id="members_activate_offer",
        summary="Activate a personal offer",
        description="From now until it ends the offer counts for the member. Activated before: the same answer.",
        parameters=[LANGUAGE_PARAMETER],
        request=ActivationSerializer,
        responses=OfferSerializer,
    )
    @idempotent
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        member = seen_member(public_id, request.auth.partner)
        form = ActivationSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        try:
            offer = activate(member=member, code=form.validated_data["offer"], at=clock.now())
        except OfferNotFound as unknown:
            raise UnknownOffer(errors=[FieldError("offer", "unknown", str(unknown))]) from None
        return Response(offer_answer(offer))


def offer_answer(offer: Offer) -> dict[str, Any]:
    """An offer as the API tells of it; texts in the active language."""
    return {
        "offer": offer.code,
        "name": offer.name,
        "gives": offer.gives,
        "when": offer.when,
        "valid_until": offer.until,
        "activated_at": offer.activated_at,
        "caps": {
            "per_activity": offer.cap_per_activity,
            "per_member": offer.cap_per_member,
            "period": offer.cap_period,
            "left": offer.left,
        },
    }
