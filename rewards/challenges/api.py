"""Challenges in the API: those that are open, a member's own, joining in and leaving, and badges."""

import uuid

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from loyalty import clock
from loyalty.api.idempotency import idempotent
from loyalty.api.language import LANGUAGE_PARAMETER, SpeakingView
from loyalty.api.problems import Conflict, NotFound
from loyalty.partners.models import Scope
from members.api import seen_member
from members.models import Member
from rewards.challenges.queries import badges_of, challenge_for, challenges_for, open_now
from rewards.challenges.serializers import (
    ChallengesSerializer,
    MemberBadgesSerializer,
    MemberChallengeSerializer,
    MemberChallengesSerializer,
    badge_answer,
    challenge_answer,
    member_challenge_answer,
)
from rewards.challenges.taking_part import ChallengeUnknown, JoiningRefused, join, leave
from rewards.models import Challenge


class UnknownChallenge(NotFound):
    code, title = "unknown-challenge", _("There is no such challenge for this member now.")


class NotJoined(Conflict):
    code, title = "challenge-not-joined", _("The member cannot join in.")


class ChallengesView(SpeakingView):
    """What there is to take part in."""

    required_scopes = Scope.REWARDS_READ

    @extend_schema(
        operation_id="challenges",
        summary="Read the open challenges",
        parameters=[LANGUAGE_PARAMETER],
        responses=ChallengesSerializer,
    )
    def get(self, request: Request) -> Response:
        return Response({"results": [challenge_answer(known) for known in open_now(at=clock.now())]})


class MemberChallengesView(SpeakingView):
    """A member's challenges."""

    required_scopes = Scope.REWARDS_READ

    @extend_schema(
        operation_id="members_challenges",
        summary="Read a member's challenges",
        description="`active`: takes part; `open`: may join in; `over`: took part.",
        parameters=[LANGUAGE_PARAMETER],
        responses=MemberChallengesSerializer,
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        member = seen_member(public_id, request.auth.partner)
        found = challenges_for(member, at=clock.now())
        return Response({"results": [member_challenge_answer(shown) for shown in found]})


class JoinChallengeView(SpeakingView):
    """Take part."""

    required_scopes = Scope.CHALLENGES_WRITE

    @extend_schema(
        operation_id="members_join_challenge",
        summary="Join a member in a challenge",
        description=(
            "What the member did in the challenge's time counts at once. Joined in before: the same answer. "
            "Over, or nothing to join: 409."
        ),
        parameters=[LANGUAGE_PARAMETER],
        request=None,
        responses=MemberChallengeSerializer,
    )
    @idempotent
    def post(self, request: Request, public_id: uuid.UUID, challenge_id: uuid.UUID) -> Response:
        member, at = seen_member(public_id, request.auth.partner), clock.now()
        try:
            join(member=member, public_id=challenge_id, at=at)
        except ChallengeUnknown:
            raise UnknownChallenge from None
        except JoiningRefused as refused:
            raise NotJoined(str(refused), reason=refused.code) from None
        return _answer(member, challenge_id)


class LeaveChallengeView(SpeakingView):
    """Take no further part."""

    required_scopes = Scope.CHALLENGES_WRITE

    @extend_schema(
        operation_id="members_leave_challenge",
        summary="Let a member leave a challenge",
        description="What they do from now on does not count; what they have won stays. Left before: the same answer.",
        parameters=[LANGUAGE_PARAMETER],
        request=None,
        responses=MemberChallengeSerializer,
    )
    @idempotent
    def post(self, request: Request, public_id: uuid.UUID, challenge_id: uuid.UUID) -> Response:
        member = seen_member(public_id, request.auth.partner)
        try:
            leave(member=member, public_id=challenge_id, at=clock.now())
        except ChallengeUnknown:
            raise UnknownChallenge from None
        return _answer(member, challenge_id)


def _answer(member: Member, challenge_id: uuid.UUID) -> Response:
    challenge = Challenge.objects.get(public_id=challenge_id)
    shown = challenge_for(member, challenge, at=clock.now())
    if shown is None:
        raise UnknownChallenge
    return Response(member_challenge_answer(shown))


class MemberBadgesView(SpeakingView):
    """What a member has earned."""

    required_scopes = Scope.REWARDS_READ

    @extend_schema(
        operation_id="members_badges",
        summary="Read a member's badges",
        parameters=[LANGUAGE_PARAMETER],
        responses=MemberBadgesSerializer,
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        member = seen_member(public_id, request.auth.partner)
        return Response({"results": [badge_answer(shown) for shown in badges_of(member)]})
