"""Segments in the API: which there are, which a member is in, and members put on lists."""

import datetime as dt
import uuid
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from loyalty import clock
from loyalty.api.idempotency import idempotent
from loyalty.api.language import LANGUAGE_PARAMETER, SpeakingView
from loyalty.api.problems import Conflict, FieldError, Invalid, NotFound
from loyalty.partners.models import Scope
from members.api import seen_member
from members.models import Segment
from members.queries import segments_of
from members.segments import lists
from members.segments.definition import SegmentRefused
from members.serializers import MemberReferenceSerializer

MOST_AT_ONCE = 1_000


class UnknownSegment(NotFound):
    code, title = "unknown-segment", _("There is no segment of this code in use.")


class NotAList(Conflict):
    code, title = "not-a-list", _("The members of this segment follow from its conditions.")


class SegmentSerializer(serializers.Serializer[Any]):
    """A segment in use."""

    code = serializers.CharField()
    name = serializers.CharField(help_text="In the language asked for.")
    kind = serializers.ChoiceField(choices=Segment.Kind.choices)
    members = serializers.IntegerField()
    refreshed_at = serializers.DateTimeField(
        allow_null=True, help_text="When all members were last looked for; null: not yet."
    )


class SegmentsSerializer(serializers.Serializer[Any]):
    """All segments in use, by code."""

    results = SegmentSerializer(many=True)


class MembershipSerializer(serializers.Serializer[Any]):
    """A segment that a member is in."""

    code = serializers.CharField()
    name = serializers.CharField()
    since = serializers.DateTimeField()


class MembershipsSerializer(serializers.Serializer[Any]):
    """The segments a member is in, newest first."""

    results = MembershipSerializer(many=True)


class ListImportSerializer(serializers.Serializer[Any]):
    """Members to be put on a list, taken off it, or to be all that is on it."""

    mode = serializers.ChoiceField(
        choices=[(mode.value, mode.value) for mode in lists.Mode], default=lists.Mode.ADD.value
    )
    members = MemberReferenceSerializer(many=True, allow_empty=False, max_length=MOST_AT_ONCE)


class ListImportedSerializer(serializers.Serializer[Any]):
    """What that changed."""

    joined = serializers.IntegerField()
    left = serializers.IntegerField()
    members = serializers.IntegerField(help_text="How many are on the list now.")


class SegmentsView(SpeakingView):
    """Which segments there are."""

    required_scopes = Scope.SEGMENTS_READ

    @extend_schema(
        operation_id="segments_list",
        summary="List the segments",
        parameters=[LANGUAGE_PARAMETER],
        responses=SegmentsSerializer,
    )
    def get(self, request: Request) -> Response:
        segments = Segment.objects.filter(is_active=True).order_by("code")
        return Response({"results": [_segment_answer(segment) for segment in segments]})


class MemberSegmentsView(SpeakingView):
    """The segments of one member."""

    required_scopes = Scope.SEGMENTS_READ

    @extend_schema(
        operation_id="members_segments",
        summary="Read a member's segments",
        description="Members that you neither enrolled nor served answer 404.",
        parameters=[LANGUAGE_PARAMETER],
        responses=MembershipsSerializer,
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        member = seen_member(public_id, request.auth.partner)
        held = [
            {"code": row.segment.code, "name": row.segment.name, "since": row.joined_at}
            for row in segments_of(member)
        ]
        return Response({"results": held})


class SegmentMembersView(SpeakingView):
    """The members of a list."""

    required_scopes = Scope.SEGMENTS_WRITE

    @extend_schema(
        operation_id="segments_import",
        summary="Put members on a list",
        description=(
            "Up to 1,000 members, each named by exactly one of `id`, `external_id`, `card_number` and `email`. "
            "`mode`: `add` (default), `remove`, or `replace`: the list is then exactly these. All or nothing: when "
            "one is unknown the answer is 422, naming each, and nothing is changed. Only segments of the kind `list`."
        ),
        parameters=[LANGUAGE_PARAMETER],
        request=ListImportSerializer,
        responses=ListImportedSerializer,
    )
    @idempotent
    def post(self, request: Request, code: str) -> Response:
        form = ListImportSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        segment = Segment.objects.filter(code=code, is_active=True).first()
        if segment is None:
            raise UnknownSegment
        return Response(_take_in(segment, form.validated_data, request, at=clock.now()))


def _take_in(
    segment: Segment, data: Mapping[str, Any], request: Request, *, at: dt.datetime
) -> dict[str, int]:
    partner = request.auth.partner
    rows = [lists.Row(place, reference, "") for place, reference in enumerate(data["members"])]
    checked = lists.check(rows, partner=partner)
    try:
        moves = lists.take_in(segment_id=segment.pk, checked=checked, mode=data["mode"], at=at)
    except lists.RowsRefused as refused:
        raise Invalid(
            errors=[
                FieldError(f"members[{row.line}].{next(iter(row.reference))}", "unknown", row.problem)
                for row in refused.rows
            ]
        ) from None
    except SegmentRefused as refused:
        raise NotAList(str(refused)) from None
    segment.refresh_from_db(fields=["member_count"])
    return {"joined": moves.joined, "left": moves.left, "members": segment.member_count}


def _segment_answer(segment: Segment) -> dict[str, Any]:
    return {
        "code": segment.code,
        "name": segment.name,
        "kind": segment.kind,
        "members": segment.member_count,
        "refreshed_at": segment.refreshed_at,
    }
