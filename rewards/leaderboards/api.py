"""Leaderboards in the API: which there are, one with its places, and the nickname that puts a member on them."""

import datetime as dt
import uuid

from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from loyalty import clock
from loyalty.api.language import LANGUAGE_PARAMETER, SpeakingView
from loyalty.api.problems import FieldError, Invalid, NotFound
from loyalty.partners.models import Scope
from members.api import seen_member
from rewards.leaderboards import membership, reading, tables
from rewards.leaderboards.nicknames import NicknameRefused
from rewards.leaderboards.serializers import (
    LeaderboardsSerializer,
    LeaderboardTableSerializer,
    NewNicknameSerializer,
    NicknameSerializer,
    board_answer,
    nickname_answer,
    shown_answer,
)
from rewards.models import LeaderboardProfile

TABLES = 60
STARTS_ON = OpenApiParameter(
    "starts_on", OpenApiTypes.DATE, description="The first day of a period; without it the present one."
)
MEMBER = OpenApiParameter("member", OpenApiTypes.UUID, description="Whose own place is wanted, too.")
TOP = OpenApiParameter("top", OpenApiTypes.INT, description=f"How many places, 1 to {reading.MOST}.")


class UnknownLeaderboard(NotFound):
    code, title = "unknown-leaderboard", _("There is no such leaderboard, or no table of that period.")


class NicknameProblem(Invalid):
    code, title = "nickname-refused", _("The nickname cannot be had.")


class LeaderboardsView(SpeakingView):
    """Which there are."""

    required_scopes = Scope.REWARDS_READ

    @extend_schema(
        operation_id="leaderboards",
        summary="Read which leaderboards there are",
        parameters=[LANGUAGE_PARAMETER],
        responses=LeaderboardsSerializer,
    )
    def get(self, request: Request) -> Response:
        return Response({"results": [board_answer(board) for board in tables.shown_boards()]})


class LeaderboardView(SpeakingView):
    """One with its places."""

    required_scopes = Scope.REWARDS_READ

    @extend_schema(
        operation_id="leaderboard",
        summary="Read a leaderboard",
        description=(
            "The first places under nicknames. With `member`, that member's own place and its neighbours; `mine` is "
            "null for members who have no nickname: they are neither shown nor counted."
        ),
        parameters=[LANGUAGE_PARAMETER, STARTS_ON, MEMBER, TOP],
        responses=LeaderboardTableSerializer,
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        board = next((each for each in tables.shown_boards() if each.public_id == public_id), None)
        if board is None:
            raise UnknownLeaderboard
        starts_on = _date(request)
        top, member_id = _top(request), _member(request)
        table = tables.table_of(board, starts_on=starts_on)
        if table is None and starts_on is not None:
            raise UnknownLeaderboard
        shown = reading.shown(table, member_id=member_id, top=top) if table else None
        return Response(shown_answer(board, shown, board.tables.order_by("-starts_on")[:TABLES]))


class MemberNicknameView(SpeakingView):
    """How a member is seen."""

    required_scopes = {
        "GET": Scope.REWARDS_READ,
        "PUT": Scope.CHALLENGES_WRITE,
        "DELETE": Scope.CHALLENGES_WRITE,
    }

    @extend_schema(
        operation_id="members_leaderboard_profile",
        summary="Read a member's nickname",
        parameters=[LANGUAGE_PARAMETER],
        responses=NicknameSerializer,
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        member = seen_member(public_id, request.auth.partner)
        return Response(nickname_answer(LeaderboardProfile.objects.filter(member=member).first()))

    @extend_schema(
        operation_id="members_take_nickname",
        summary="Show a member on leaderboards under a nickname",
        description=(
            "Only when the member has asked for it. The same again changes nothing, so no Idempotency-Key is needed. "
            "422 says why a nickname cannot be had."
        ),
        parameters=[LANGUAGE_PARAMETER],
        request=NewNicknameSerializer,
        responses=NicknameSerializer,
    )
    def put(self, request: Request, public_id: uuid.UUID) -> Response:
        member = seen_member(public_id, request.auth.partner)
        body = NewNicknameSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        try:
            profile = membership.take_nickname(
                member_id=member.pk, nickname=body.validated_data["nickname"], at=clock.now()
            )
        except NicknameRefused as refused:
            raise NicknameProblem(errors=[FieldError("nickname", refused.code, str(refused))]) from None
        return Response(nickname_answer(profile))

    @extend_schema(
        operation_id="members_leave_leaderboards",
        summary="Take a member off all leaderboards",
        description="Past tables too. Again: the same answer.",
        parameters=[LANGUAGE_PARAMETER],
        request=None,
        responses={200: NicknameSerializer},
    )
    def delete(self, request: Request, public_id: uuid.UUID) -> Response:
        member = seen_member(public_id, request.auth.partner)
        membership.leave(member_id=member.pk, at=clock.now())
        return Response(nickname_answer(None))


def _date(request: Request) -> dt.date | None:
    """The day in the address. Raises Invalid for what is none."""
    text = request.query_params.get("starts_on", "")
    if not text:
        return None
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise _invalid("starts_on", _("A day as YYYY-MM-DD.")) from None


def _top(request: Request) -> int:
    text = request.query_params.get("top", "") or str(reading.TOP)
    if text.isascii() and text.isdigit() and len(text) < 9 and 1 <= int(text) <= reading.MOST:
        return int(text)
    raise _invalid("top", _("A number from 1 to %(most)s.") % {"most": reading.MOST})


def _member(request: Request) -> int | None:
    """The key of the member in the address, whom the partner may see. Raises Invalid for what is no id."""
    text = request.query_params.get("member", "")
    if not text:
        return None
    try:
        public_id = uuid.UUID(text)
    except ValueError:
        raise _invalid("member", _("The id of a member.")) from None
    return seen_member(public_id, request.auth.partner).pk


def _invalid(field: str, message: object) -> Invalid:
    return Invalid(errors=[FieldError(field, "invalid", str(message))])
