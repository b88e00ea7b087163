"""Causes in the API: what they were given and what was paid on, giving points, and a member's year of giving."""

import uuid
from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from loyalty import clock
from loyalty.api.idempotency import idempotent
from loyalty.api.language import LANGUAGE_PARAMETER, SpeakingView
from loyalty.api.pagination import CursorPage
from loyalty.api.problems import CONTENT_TYPE, Conflict, FieldError, Invalid, NotFound, Problem
from loyalty.api.schema import ProblemSerializer
from loyalty.partners.models import Scope
from members.api import seen_member, unknown_member
from members.identification import UnknownMember, find_member_id
from rewards.causes import giving
from rewards.causes.serializers import (
    CauseSerializer,
    CauseWithPayoutsSerializer,
    DonationsOfYearSerializer,
    GivenSerializer,
    NewDonationSerializer,
    cause_answer,
    given_answer,
    payout_answer,
    year_answer,
)
from rewards.causes.totals import shown, totals_of, year_of
from rewards.models import Cause, Redemption
from rewards.redemption.api import RedemptionExists
from rewards.redemption.refusals import RedemptionConflict, Refused

YEAR = OpenApiParameter("year", int, description="A calendar year; without it the present one.")


class UnknownCause(NotFound):
    code, title = "unknown-cause", _("There is no such cause.")


class GiftRefused(Conflict):
    """What keeps the points from being given, each with its own code."""

    TITLES: Mapping[str, Any] = {
        "cause-closed": _("This cause takes no gifts now."),
        "too-few-points": _("So few points cannot be given to this cause."),
        "insufficient-points": _("The member does not have enough points."),
    }

    def __init__(self, refused: Refused) -> None:
        super().__init__(str(refused))
        self.code, self.title = refused.code, self.TITLES[refused.code]


def problem_of(refused: Refused) -> Problem:
    """The problem that tells of a refusal."""
    return unknown_member("member") if refused.code == "unknown-member" else GiftRefused(refused)


class ByCode(CursorPage):
    ordering = ("code",)


class CausesView(SpeakingView, GenericAPIView[Cause]):
    """What members can give points to."""

    required_scopes = Scope.REWARDS_READ
    queryset = Cause.objects.none()
    serializer_class = CauseSerializer
    pagination_class = ByCode
    filter_backends = ()

    @extend_schema(
        operation_id="causes_list",
        summary="Read the causes",
        description="The open ones and those that were given something, with what became of the points.",
        parameters=[LANGUAGE_PARAMETER],
        responses=CauseSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        at = clock.now()
        page = list(self.paginate_queryset(_known()) or ())
        sums = totals_of(page)
        return self.get_paginated_response(
            [cause_answer(row, sums[row.pk], is_open=giving.is_open(row, at=at)) for row in page]
        )


class CauseView(SpeakingView):
    """One cause."""

    required_scopes = Scope.REWARDS_READ

    @extend_schema(
        operation_id="causes_read",
        summary="Read a cause and the payments to it",
        parameters=[LANGUAGE_PARAMETER],
        responses=CauseWithPayoutsSerializer,
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        cause = _cause(public_id)
        answer = cause_answer(
            cause, totals_of([cause])[cause.pk], is_open=giving.is_open(cause, at=clock.now())
        )
        paid = cause.payouts.filter(withdrawn_at=None)
        return Response(answer | {"payouts": [payout_answer(row) for row in paid]})


class DonateView(SpeakingView):
    """Give points."""

    required_scopes = Scope.REDEMPTIONS_WRITE

    @extend_schema(
        operation_id="causes_donate",
        summary="Give a member's points to a cause",
        description=(
            "201 with the money that the points became, the cause's words of thanks and the balance. The same "
            "`external_id` with the same content again: 200 with the same gift. A refusal is 409: `cause-closed`, "
            "`too-few-points`, `insufficient-points`; nothing is written then. To take a gift back, cancel the "
            "redemption of the same `id`."
        ),
        parameters=[LANGUAGE_PARAMETER],
        request=NewDonationSerializer,
        responses={
            201: GivenSerializer,
            200: GivenSerializer,
            (404, CONTENT_TYPE): OpenApiResponse(ProblemSerializer, _("No such member, or no such cause.")),
        },
    )
    @idempotent
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        partner = request.auth.partner
        form = NewDonationSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        data = form.validated_data
        cause = _cause(public_id)
        try:
            member_id = find_member_id(data["member"], partner=partner)
        except UnknownMember as unknown:
            raise unknown_member(f"member.{unknown.field}") from None
        try:
            given = giving.give(
                member_id=member_id,
                cause_id=cause.pk,
                points=data["points"],
                via=Redemption.Via.API,
                at=clock.now(),
                partner_id=partner.pk,
                external_id=data.get("external_id"),
            )
        except Refused as refused:
            raise problem_of(refused) from None
        except RedemptionConflict as conflict:
            raise RedemptionExists(errors=[FieldError("external_id", "taken", str(conflict))]) from None
        return Response(given_answer(given.donation, given.balance), status=200 if given.replayed else 201)


class MemberDonationsView(SpeakingView):
    """A member's year of giving."""

    required_scopes = Scope.REDEMPTIONS_READ

    @extend_schema(
        operation_id="members_donations",
        summary="Read what a member gave in a year",
        parameters=[YEAR, LANGUAGE_PARAMETER],
        responses=DonationsOfYearSerializer,
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        member = seen_member(public_id, request.auth.partner)
        return Response(year_answer(year_of(member.pk, _year(request.query_params), at=clock.now())))


def _known() -> QuerySet[Cause]:
    return shown(at=clock.now())


def _cause(public_id: uuid.UUID) -> Cause:
    cause = _known().filter(public_id=public_id).first()
    if cause is None:
        raise UnknownCause
    return cause


def _year(query: Mapping[str, str]) -> int | None:
    """The year in the address. Raises Invalid for what is none."""
    text = query.get("year", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) == 4):
        raise Invalid(errors=[FieldError("year", "invalid", str(_("Four digits, such as 2026.")))])
    return int(text)
