"""Redemptions in the API: redeem a reward or use points as money, read, cancel and hand over.

Why something is refused is ``rewards.redemption``'s; here each refusal gets its problem type.
"""

import threading
import uuid
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from loyalty import clock
from loyalty.api.idempotency import idempotent
from loyalty.api.language import LANGUAGE_PARAMETER, SpeakingView
from loyalty.api.problems import CONTENT_TYPE, Conflict, FieldError, NotFound, Problem
from loyalty.api.schema import ProblemSerializer
from loyalty.partners.models import Partner, Scope
from members.api import unknown_member
from members.identification import UnknownMember, find_member_id
from rewards.catalogue.api import UnknownReward
from rewards.models import Redemption
from rewards.redemption import ending, placing, queries
from rewards.redemption.offered import forget_reward, reward_named
from rewards.redemption.placing import Placed
from rewards.redemption.refusals import RedemptionConflict, Refused, RewardChanged, Unavailable
from rewards.redemption.serializers import (
    NewRedemptionSerializer,
    NoteSerializer,
    PlacedSerializer,
    RedemptionSerializer,
    placed_answer,
    redemption_answer,
)

Via = Redemption.Via
STATE = OpenApiParameter("state", enum=Redemption.State.values, description="Only those in this state.")
CODE = OpenApiParameter(
    "code",
    description="The code that the member shows, in any spelling: also what you did not place yourself.",
)


class UnknownRedemption(NotFound):
    code, title = "unknown-redemption", _("There is no such redemption, or you may not see it.")


class RedemptionExists(Conflict):
    code, title = "redemption-exists", _("Another redemption is recorded under this external_id.")


class RedemptionRefused(Conflict):
    """What keeps it from happening, each with its own code; ``obstacles`` are all that is in the way of a reward."""

    TITLES: Mapping[str, Any] = {
        "not-in-catalogue": _("This reward is not in the catalogue now."),
        "reward-ended": _("This reward has ended."),
        "not-in-audience": _("This reward is not for this member."),
        "not-open": _("This reward has not opened for this member yet."),
        "tier-too-low": _("This reward is for members of a higher tier."),
        "out-of-stock": _("There is none left."),
        "limit-reached": _("All that may be had in this period are taken."),
        "member-limit-reached": _("This member has had as many as one may have."),
        "insufficient-points": _("The member does not have enough points."),
        "points-are-not-money": _("Points cannot be used as money."),
        "too-few-points": _("So few points cannot be used as money."),
        "not-in-steps": _("Points are used as money in steps."),
        "wrong-state": _("The redemption is no longer in a state for this."),
        "not-cancellable": _("This redemption cannot be cancelled."),
    }

    def __init__(self, refused: Refused) -> None:
        extra: dict[str, Any] = {}
        if isinstance(refused, Unavailable):
            extra["obstacles"] = [
                {"kind": each.kind, "text": each.text, "points_missing": each.points_missing}
                for each in refused.obstacles
            ]
        super().__init__(str(refused), **extra)
        self.code, self.title = refused.code, self.TITLES[refused.code]


class _Forms(threading.local):
    """A thread's own form of a redemption: to make one costs more than to use it, and it keeps nothing of its input."""

    def __init__(self) -> None:
        self.new = NewRedemptionSerializer()


_forms = _Forms()


def problem_of(refused: Refused) -> Problem:
    """The problem that tells of a refusal."""
    return unknown_member("member") if refused.code == "unknown-member" else RedemptionRefused(refused)


class RedemptionsView(SpeakingView, GenericAPIView[Redemption]):
    """Redeem, and list what was redeemed."""

    required_scopes = {"GET": Scope.REDEMPTIONS_READ, "POST": Scope.REDEMPTIONS_WRITE}
    queryset = Redemption.objects.none()
    serializer_class = RedemptionSerializer
    filter_backends = ()

    @extend_schema(
        operation_id="redemptions_list",
        summary="List redemptions",
        description=(
            "What you placed and what is had at your counter, newest first; by `code` also the programme's own."
        ),
        parameters=[STATE, CODE, LANGUAGE_PARAMETER],
        responses=RedemptionSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        at, partner = clock.now(), request.auth.partner
        rows = queries.seen_by(partner)
        if code := request.query_params.get("code"):
            shown = queries.with_code(code[:100]).values("pk")
            rows = queries.handed_over_by(partner).filter(pk__in=shown)
        if state := request.query_params.get("state"):
            rows = rows.filter(state=state)
        page = self.paginate_queryset(queries.full(rows)) or ()
        return self.get_paginated_response([redemption_answer(row, at=at) for row in page])

    @extend_schema(
        operation_id="redemptions_place",
        summary="Redeem a reward, or use points as money",
        description=(
            "201 with the code or the voucher, and the balance. The same `external_id` with the same content again: "
            "200 with the same redemption. A refusal is 409 with a `code` of its own: `out-of-stock`, `limit-reached`, "
            "`member-limit-reached`, `insufficient-points`, `not-open`, `reward-ended`, `not-in-catalogue`, "
            "`tier-too-low`, `not-in-audience`; of points as money `points-are-not-money`, `too-few-points`, "
            "`not-in-steps`. Nothing is written then."
        ),
        parameters=[LANGUAGE_PARAMETER],
        request=NewRedemptionSerializer,
        responses={
            201: PlacedSerializer,
            200: PlacedSerializer,
            (404, CONTENT_TYPE): OpenApiResponse(ProblemSerializer, _("No such member, or no such reward.")),
        },
    )
    @idempotent
    def post(self, request: Request) -> Response:
        partner, at = request.auth.partner, clock.now()
        data = _forms.new.run_validation(request.data)
        try:
            member_id = find_member_id(data["member"], partner=partner)
        except UnknownMember as unknown:
            raise unknown_member(f"member.{unknown.field}") from None
        try:
            placed = _placed(data, member_id, partner)
        except Refused as refused:
            raise problem_of(refused) from None
        except RedemptionConflict as conflict:
            raise RedemptionExists(errors=[FieldError("external_id", "taken", str(conflict))]) from None
        return Response(placed_answer(placed, at=at), status=200 if placed.replayed else 201)


def _placed(data: Mapping[str, Any], member_id: int, partner: Partner) -> Placed:
    common = {
        "member_id": member_id,
        "via": Via.API,
        "at": clock.now(),
        "partner_id": partner.pk,
        "external_id": data.get("external_id"),
    }
    if "points" in data:
        return placing.pay_with_points(points=data["points"], **common)
    try:
        return _redeemed(data["reward"], common)
    except RewardChanged:
        forget_reward(data["reward"])
        return _redeemed(data["reward"], common)


def _redeemed(public_id: uuid.UUID, common: Mapping[str, Any]) -> Placed:
    offered = reward_named(public_id)
    if offered is None:
        raise UnknownReward
    return placing.place(reward=offered.reward, as_of=offered.version, **common)


class RedemptionView(SpeakingView):
    """One redemption."""

    required_scopes = Scope.REDEMPTIONS_READ

    @extend_schema(
        operation_id="redemptions_read",
        summary="Read a redemption",
        parameters=[LANGUAGE_PARAMETER],
        responses=RedemptionSerializer,
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        row = queries.full(queries.seen_by(request.auth.partner)).filter(public_id=public_id).first()
        if row is None:
            raise UnknownRedemption
        return Response(redemption_answer(row, at=clock.now()))


class ChangeView(SpeakingView):
    """A step that a redemption takes."""

    required_scopes = Scope.REDEMPTIONS_WRITE

    def note(self, request: Request) -> str:
        form = NoteSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        return str(form.validated_data["note"])

    def answer(self, redemption_id: int) -> Response:
        row = queries.full(Redemption.objects.all()).get(pk=redemption_id)
        return Response(redemption_answer(row, at=clock.now()))


class CancelRedemptionView(ChangeView):
    """Undo a redemption."""

    @extend_schema(
        operation_id="redemptions_cancel",
        summary="Cancel a redemption",
        description=(
            "One that you placed. The points go back to where they came from, the piece to the stock. Cancelled "
            "already: 200 with the same. Lapsed: 409 `wrong-state`; its voucher used, or its draw held: 409 "
            "`not-cancellable`."
        ),
        parameters=[LANGUAGE_PARAMETER],
        request=NoteSerializer,
        responses=RedemptionSerializer,
    )
    @idempotent
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        partner, note = request.auth.partner, self.note(request)
        id_ = _id_of(public_id, Redemption.objects.filter(partner=partner))
        try:
            ending.cancel(redemption_id=id_, via=Via.API, partner_id=partner.pk, note=note, at=clock.now())
        except Refused as refused:
            raise problem_of(refused) from None
        return self.answer(id_)


class FulfilRedemptionView(ChangeView):
    """Hand a reward over."""

    @extend_schema(
        operation_id="redemptions_fulfil",
        summary="Hand over what was reserved",
        description=(
            "What you placed, a reward of yours, or one of the programme's own whose code the member shows (find it "
            "with `?code=`). Handed over already: 200 with the same. Cancelled or lapsed: 409 `wrong-state`."
        ),
        parameters=[LANGUAGE_PARAMETER],
        request=NoteSerializer,
        responses=RedemptionSerializer,
    )
    @idempotent
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        partner, note = request.auth.partner, self.note(request)
        id_ = _id_of(public_id, queries.handed_over_by(partner))
        try:
            ending.fulfil(redemption_id=id_, via=Via.API, partner_id=partner.pk, note=note, at=clock.now())
        except Refused as refused:
            raise problem_of(refused) from None
        return self.answer(id_)


def _id_of(public_id: uuid.UUID, among: Any) -> int:
    found: int | None = among.filter(public_id=public_id).values_list("pk", flat=True).first()
    if found is None:
        raise UnknownRedemption
    return found
