"""Members in the API: enrol, find and read. What a partner may see of whom is ``members.identification``'s rule."""

import uuid

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from loyalty import clock
from loyalty.api.idempotency import idempotent
from loyalty.api.language import LANGUAGE_PARAMETER, SpeakingView
from loyalty.api.problems import Conflict, FieldError, Forbidden, NotFound
from loyalty.partners.models import Partner, Scope
from members.enrolment import DuplicateMember, enrol, enrolled_with
from members.identification import UnknownMember, find_member, visible_profile
from members.models import ConsentChange, Member
from members.privacy import erase
from members.serializers import (
    FoundSerializer,
    MemberReferenceSerializer,
    MemberSerializer,
    NewMemberSerializer,
    member_answer,
    new_member,
    stranger_answer,
)

FOUND_BY = ("external_id", "card_number", "email")
REMEDIES = {
    "email": _(
        "A member has this e-mail address already. Do not enrol them again: name them by email or card_number "
        "in activities, or leave the address out to enrol somebody else."
    ),
    "external_id": _(
        "You have enrolled a member under this external_id with other content. Send another external_id, or read "
        "the member with GET /api/v1/members?external_id=."
    ),
}


class MemberExists(Conflict):
    code, title = "member-exists", _("Somebody is a member by this already.")


class MemberNotFound(NotFound):
    code, title = "unknown-member", _("There is no such member, or you may not see them.")


class NotYours(Forbidden):
    code, title = "not-your-member", _("Only the partner that enrolled a member may erase them.")


def unknown_member(field: str) -> MemberNotFound:
    """The problem for a reference that names nobody; ``field`` is its path in the request."""
    return MemberNotFound(errors=[FieldError(field, "unknown", str(_("No member is known by this.")))])


def member_exists(clash: DuplicateMember) -> MemberExists:
    """Names the field and the remedy, and says nothing about whoever has it."""
    remedy = str(REMEDIES[clash.field])
    return MemberExists(remedy, errors=[FieldError(clash.field, "taken", remedy)])


def seen_member(public_id: uuid.UUID, partner: Partner) -> Member:
    """The active member whose profile the partner may see; anybody else raises MemberNotFound."""
    try:
        member = find_member({"id": str(public_id)}, partner=partner)
    except UnknownMember:
        raise MemberNotFound from None
    if not visible_profile(member, partner):
        raise MemberNotFound
    return member


class MembersView(SpeakingView):
    """Enrol a member, or find one."""

    required_scopes = {"GET": Scope.MEMBERS_READ, "POST": Scope.MEMBERS_WRITE}

    @extend_schema(
        operation_id="members_find",
        summary="Find a member",
        description=(
            "Give exactly one of the three. A partner sees the profile of members it enrolled or served; of others, "
            "found by card number, only `id`, `tier` and `balance`. Nobody found: `results` is empty."
        ),
        parameters=[
            OpenApiParameter("external_id", description="Your own id of the member."),
            OpenApiParameter("card_number", description="16 digits; blanks are ignored."),
            OpenApiParameter("email"),
            LANGUAGE_PARAMETER,
        ],
        responses=FoundSerializer,
    )
    def get(self, request: Request) -> Response:
        partner, at = request.auth.partner, clock.now()
        asked = {key: value for key, value in request.query_params.items() if key in FOUND_BY}
        reference = MemberReferenceSerializer(data=asked, among=FOUND_BY)
        reference.is_valid(raise_exception=True)
        try:
            member = find_member(reference.validated_data, partner=partner)
        except UnknownMember:
            return Response({"results": []})
        if visible_profile(member, partner):
            return Response({"results": [member_answer(member, partner_id=partner.pk, at=at)]})
        by_card = "card_number" in reference.validated_data
        return Response({"results": [stranger_answer(member, at=at)] if by_card else []})

    @extend_schema(
        operation_id="members_enrol",
        summary="Enrol a member",
        description=(
            "201 with the new member. The same `external_id` with the same content again: 200 with that member. "
            "Another enrolment under a known `external_id`, or an e-mail address that is taken: 409."
        ),
        parameters=[LANGUAGE_PARAMETER],
        request=NewMemberSerializer,
        responses={201: MemberSerializer, 200: MemberSerializer},
    )
    @idempotent
    def post(self, request: Request) -> Response:
        partner, at = request.auth.partner, clock.now()
        data = NewMemberSerializer(data=request.data, context={"at": at})
        data.is_valid(raise_exception=True)
        new = new_member(data.validated_data)
        try:
            member, status = enrol(new, source=Member.Source.PARTNER, at=at, partner=partner), 201
        except DuplicateMember as clash:
            if clash.field != "external_id" or not enrolled_with(new, partner=partner):
                raise member_exists(clash) from None
            member, status = clash.member, 200
        return Response(member_answer(member, partner_id=partner.pk, at=at), status=status)


class MemberView(SpeakingView):
    """One member."""

    required_scopes = {"GET": Scope.MEMBERS_READ, "DELETE": Scope.MEMBERS_ERASE}

    @extend_schema(
        operation_id="members_read",
        summary="Read a member",
        description="Members that you neither enrolled nor served answer 404.",
        parameters=[LANGUAGE_PARAMETER],
        responses=MemberSerializer,
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        partner = request.auth.partner
        member = seen_member(public_id, partner)
        return Response(member_answer(member, partner_id=partner.pk, at=clock.now()))

    @extend_schema(
        operation_id="members_erase",
        summary="Erase a member who leaves",
        description=(
            "The member leaves the programme for good: personal data, log-in, card and your own id of them are "
            "removed. Purchases and points stay in the books without a name. Only members whom you enrolled, or know "
            "by an id of your own. It cannot be undone; afterwards the member answers 404."
        ),
        parameters=[LANGUAGE_PARAMETER],
        responses={204: None},
    )
    @idempotent
    def delete(self, request: Request, public_id: uuid.UUID) -> Response:
        partner = request.auth.partner
        member = seen_member(public_id, partner)
        if member.enrolled_by_id != partner.pk and not member.external_ids.filter(partner=partner).exists():
            raise NotYours
        erase(member_id=member.pk, source=ConsentChange.Source.PARTNER, partner_id=partner.pk, at=clock.now())
        return Response(status=204)
