"""Referrals in the API: a member's code to share, and where the friends of members stand."""

import uuid

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from loyalty import clock
from loyalty.api.language import LANGUAGE_PARAMETER, SpeakingView
from loyalty.api.problems import FieldError, Invalid, NotFound
from loyalty.partners.models import Partner, Scope
from members.api import seen_member, unknown_member
from members.models import Activity, ExternalId
from referrals import codes, landing, programmes
from referrals.models import Referral
from referrals.queries import joined_by, steps_of
from referrals.serializers import (
    ReferralCodeSerializer,
    ReferralSerializer,
    ReferralWithStepsSerializer,
    gifts_answer,
    referral_answer,
    step_answer,
)

STATE = OpenApiParameter("state", enum=Referral.State.values, description="Only those in this state.")
MEMBER = OpenApiParameter(
    "member", type=uuid.UUID, description="Only those whom this member brought: their id."
)


class UnknownReferral(NotFound):
    code, title = "unknown-referral", _("There is no such referral, or you may not see it.")


def seen_by(partner: Partner) -> QuerySet[Referral]:
    """Referrals of members whose profile the partner may see (``members.identification.visible_profile``).

    ``sees_referrer`` and ``sees_friend`` say which of the two; members who have left are not seen.
    """
    rows = Referral.objects.annotate(
        sees_referrer=_visible("referrer", partner), sees_friend=_visible("friend", partner)
    )
    return (
        rows.filter(Q(sees_referrer=True) | Q(sees_friend=True))
        .select_related("referrer", "friend", "terms__programme")
        .prefetch_related("grants")
    )


def _visible(side: str, partner: Partner) -> Q:
    known = ExternalId.objects.filter(member=OuterRef(f"{side}_id"), partner=partner)
    served = Activity.objects.filter(member=OuterRef(f"{side}_id"), partner=partner)
    mine = Q(**{f"{side}__enrolled_by": partner}) | Q(Exists(known)) | Q(Exists(served))
    return Q(**{f"{side}__status": "active"}) & mine


class ReferralCodeView(SpeakingView):
    """A member's code."""

    required_scopes = Scope.REFERRALS_READ

    @extend_schema(
        operation_id="members_referral_code",
        summary="Read a member's referral code",
        description=(
            "The code and link to share, for a receipt or an app; drawn when first asked for. A friend's till passes "
            "it as `referral_code` with the new member or with their first purchase."
        ),
        parameters=[LANGUAGE_PARAMETER],
        responses=ReferralCodeSerializer,
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        member, at = seen_member(public_id, request.auth.partner), clock.now()
        code = codes.code_of(member, at)
        terms = programmes.programme_of(member, at)
        return Response(
            {
                "code": code,
                "link": landing.link_of(code, request._request),
                "gifts": gifts_answer(terms) if terms else None,
                "joined": joined_by(member),
            }
        )


class ReferralsView(SpeakingView, GenericAPIView[Referral]):
    """Where friends stand."""

    required_scopes = Scope.REFERRALS_READ
    queryset = Referral.objects.none()
    serializer_class = ReferralSerializer
    filter_backends = ()

    @extend_schema(
        operation_id="referrals_list",
        summary="List referrals",
        description=(
            "Referrals of members whom you enrolled or served, newest first. Of the two you are told only whom you "
            "see, and what they got."
        ),
        parameters=[STATE, MEMBER, LANGUAGE_PARAMETER],
        responses=ReferralSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        rows = seen_by(request.auth.partner)
        if state := request.query_params.get("state"):
            if state not in Referral.State.values:
                raise Invalid(errors=[FieldError("state", "invalid", str(_("There is no such state.")))])
            rows = rows.filter(state=state)
        if member := request.query_params.get("member"):
            rows = rows.filter(referrer__public_id=_id(member), sees_referrer=True)
        page = self.paginate_queryset(rows) or ()
        return self.get_paginated_response([referral_answer(row) for row in page])


class ReferralView(SpeakingView):
    """One referral."""

    required_scopes = Scope.REFERRALS_READ

    @extend_schema(
        operation_id="referrals_read",
        summary="Read a referral",
        description="With every step it has made. Of members whom you neither enrolled nor served: 404.",
        parameters=[LANGUAGE_PARAMETER],
        responses=ReferralWithStepsSerializer,
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        referral = seen_by(request.auth.partner).filter(public_id=public_id).first()
        if referral is None:
            raise UnknownReferral
        return Response(
            referral_answer(referral) | {"steps": [step_answer(step) for step in steps_of(referral)]}
        )


def _id(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise unknown_member("member") from None
