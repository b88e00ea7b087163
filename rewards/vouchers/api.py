"""Vouchers in the API: issue, list, validate, lock, redeem and roll back.

Wrong codes are counted (``rewards.vouchers.guessing``) after the answer is made, right ones make the same trips.
"""

import uuid
from typing import Any

from axes.helpers import get_client_ip_address
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from loyalty import clock
from loyalty.api.idempotency import idempotent
from loyalty.api.language import LANGUAGE_PARAMETER, SpeakingView
from loyalty.api.problems import CONTENT_TYPE, Conflict, FieldError, Invalid, NotFound
from loyalty.api.schema import ProblemSerializer
from loyalty.partners.models import Scope
from members.api import seen_member, unknown_member
from members.identification import UnknownMember, find_member_id
from rewards.models import Voucher, VoucherFamily
from rewards.vouchers import guessing, issuing, queries, using
from rewards.vouchers.guessing import Guesser
from rewards.vouchers.refusals import TooManyGuesses, UnknownVoucher
from rewards.vouchers.serializers import (
    CheckoutSerializer,
    LockSerializer,
    NewVoucherSerializer,
    PurchaseSerializer,
    RedeemSerializer,
    UseSerializer,
    ValidateSerializer,
    ValidationSerializer,
    VoucherSerializer,
    may_be_issued_by,
    purchase_of,
    use_answer,
    validation_answer,
    voucher_answer,
)
from rewards.vouchers.using import Asked

SHOWN_STATES = ("active", "used", "cancelled", "expired")
UNKNOWN = {(404, CONTENT_TYPE): OpenApiResponse(ProblemSerializer, _("No such voucher, or no such member."))}


class UnknownFamily(NotFound):
    code, title = "voucher-family-unknown", _("There is no such kind of voucher that you may issue.")


class NotIssued(Conflict):
    code, title = "voucher-not-issued", _("No voucher of this kind can be issued now.")


class IssuedOtherwise(Conflict):
    code, title = "voucher-exists", _("Another voucher was issued under this external_id.")


class VouchersView(SpeakingView):
    """Issue a voucher."""

    required_scopes = Scope.VOUCHERS_ISSUE

    @extend_schema(
        operation_id="vouchers_issue",
        summary="Issue a voucher",
        description=(
            "201 with the voucher and its code. The same `external_id` again: 200 with the same voucher. An empty "
            "pool, or a kind that is not issued (any more): 409."
        ),
        parameters=[LANGUAGE_PARAMETER],
        request=NewVoucherSerializer,
        responses={201: VoucherSerializer, 200: VoucherSerializer, **UNKNOWN},
    )
    @idempotent
    def post(self, request: Request) -> Response:
        partner, at = request.auth.partner, clock.now()
        form = NewVoucherSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        family = VoucherFamily.objects.filter(code=form.validated_data["family"]).first()
        if family is None or not may_be_issued_by(family, partner):
            raise UnknownFamily(errors=[FieldError("family", "unknown", str(UnknownFamily.title))])
        member_id = member_id_of(request, form.validated_data)
        occasion = f"partner:{partner.pk}:{form.validated_data['external_id']}"
        earlier = Voucher.objects.filter(occasion=occasion).exists()
        try:
            voucher = issuing.issue(
                family_id=family.pk,
                member_id=member_id,
                at=at,
                occasion=occasion,
                source="loyalty.partner",
                source_id=partner.pk,
            )
        except issuing.FamilyClosed as closed:
            raise NotIssued(str(closed)) from None
        if earlier and (voucher.family_id, voucher.member_id) != (family.pk, member_id):
            raise IssuedOtherwise
        return Response(voucher_answer(voucher, at=at), status=200 if earlier else 201)


class MemberVouchersView(GenericAPIView[Voucher], SpeakingView):
    """The vouchers of a member."""

    required_scopes = Scope.VOUCHERS_READ
    serializer_class = VoucherSerializer
    queryset = Voucher.objects.none()

    @extend_schema(
        operation_id="members_vouchers",
        summary="List a member's vouchers",
        description="Newest first: those that count at your tills.",
        parameters=[
            OpenApiParameter("state", enum=SHOWN_STATES, description="Only these."),
            LANGUAGE_PARAMETER,
        ],
        responses=VoucherSerializer(many=True),
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        partner, at = request.auth.partner, clock.now()
        member = seen_member(public_id, partner)
        own = Q(family__partner=None) | Q(family__partner=partner)
        rows = queries.of_member(member.pk).filter(own)
        if (asked := request.query_params.get("state")) is not None:
            if asked not in SHOWN_STATES:
                message = str(_("One of %(codes)s.") % {"codes": ", ".join(SHOWN_STATES)})
                raise Invalid(errors=[FieldError("state", "invalid_choice", message)])
            rows = queries.in_state(rows, Voucher.State(asked), at=at)
        page = self.paginate_queryset(rows)
        return self.get_paginated_response([voucher_answer(row, at=at) for row in page or ()])


class CodeView(SpeakingView):
    """What is done with one code. Too many wrong ones: 429, whatever the code."""

    required_scopes = Scope.VOUCHERS_USE
    guesser: Guesser | None = None
    was_wrong = False

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        address = get_client_ip_address(request._request) or ""
        guesser = Guesser(request.auth.pk, address, kwargs["code"])
        if wait := guessing.seconds_to_wait(guesser):
            raise TooManyGuesses(headers={"Retry-After": str(wait)})
        self.guesser = guesser

    def handle_exception(self, exc: Exception) -> Response:
        self.was_wrong = isinstance(exc, UnknownVoucher)
        return super().handle_exception(exc)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        if self.guesser is not None:
            guessing.note(self.guesser, was_wrong=self.was_wrong)
        return super().finalize_response(request, response, *args, **kwargs)

    def asked(self, request: Request, code: str, form: type[Serializer[Any]]) -> tuple[Asked, dict[str, Any]]:
        """What the request asks of the code, and the checked body."""
        checked = form(data=request.data)
        checked.is_valid(raise_exception=True)
        data = checked.validated_data
        asked = Asked(
            code=code,
            partner_id=request.auth.partner_id,
            checkout=data.get("checkout", ""),
            member_id=member_id_of(request, data),
            purchase=purchase_of(data) if isinstance(checked, PurchaseSerializer) else None,
            amount=data.get("amount"),
        )
        return asked, data


class ValidateView(CodeView):
    """Ask whether a voucher counts."""

    required_scopes = Scope.VOUCHERS_READ

    @extend_schema(
        operation_id="vouchers_validate",
        summary="Ask whether a voucher counts, and what it takes off",
        description=(
            "Always 200: `problems` says all that is in the way, an unknown code included, as redeeming would. "
            "Writes nothing, so it needs no Idempotency-Key. The code may be in any case, with blanks and hyphens."
        ),
        parameters=[LANGUAGE_PARAMETER],
        request=ValidateSerializer,
        responses={200: ValidationSerializer, **UNKNOWN},
    )
    def post(self, request: Request, code: str) -> Response:
        asked, _data = self.asked(request, code, ValidateSerializer)
        at = clock.now()
        answer = using.validate(asked, at=at)
        self.was_wrong = any(isinstance(refusal, UnknownVoucher) for refusal in answer.obstacles)
        return Response(validation_answer(answer, at=at))


class LockView(CodeView):
    """Keep a voucher for a checkout."""

    @extend_schema(
        operation_id="vouchers_lock",
        summary="Keep a voucher for a checkout",
        description=(
            "Until `locked_until` no other checkout gets it. Lock again to keep it longer, redeem or roll back to "
            "end it. Each reason to refuse is a problem type of its own."
        ),
        parameters=[LANGUAGE_PARAMETER],
        request=LockSerializer,
        responses={200: UseSerializer, **UNKNOWN},
    )
    @idempotent
    def post(self, request: Request, code: str) -> Response:
        asked, data = self.asked(request, code, LockSerializer)
        at = clock.now()
        return Response(use_answer(using.lock(asked, at=at, seconds=data["seconds"]), at=at))


class RedeemView(CodeView):
    """Use a voucher."""

    @extend_schema(
        operation_id="vouchers_redeem",
        summary="Use a voucher, in whole or in part",
        description=(
            "Once for each `checkout`, whatever is sent again: then the first answer. Each reason to refuse is a "
            "problem type of its own; nothing is written then."
        ),
        parameters=[LANGUAGE_PARAMETER],
        request=RedeemSerializer,
        responses={200: UseSerializer, **UNKNOWN},
    )
    @idempotent
    def post(self, request: Request, code: str) -> Response:
        asked, _data = self.asked(request, code, RedeemSerializer)
        at = clock.now()
        return Response(use_answer(using.redeem(asked, at=at), at=at))


class RollbackView(CodeView):
    """Give a voucher back."""

    @extend_schema(
        operation_id="vouchers_rollback",
        summary="Give a voucher back that a checkout used or locked",
        description="The money comes back onto it. Sent again: the same answer. A new sale needs a new `checkout`.",
        parameters=[LANGUAGE_PARAMETER],
        request=CheckoutSerializer,
        responses={200: UseSerializer, **UNKNOWN},
    )
    @idempotent
    def post(self, request: Request, code: str) -> Response:
        asked, _data = self.asked(request, code, CheckoutSerializer)
        at = clock.now()
        return Response(use_answer(using.roll_back(asked, at=at), at=at))


def member_id_of(request: Request, data: dict[str, Any]) -> int | None:
    """The member named in the checked body; None when none is."""
    if "member" not in data:
        return None
    try:
        return find_member_id(data["member"], partner=request.auth.partner)
    except UnknownMember as unknown:
        raise unknown_member(f"member.{unknown.field}") from None
