"""The catalogue in the API: all rewards, one of them, and what a member can get or lacks."""

import uuid
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from loyalty import clock
from loyalty.api.language import LANGUAGE_PARAMETER, SpeakingView
from loyalty.api.pagination import CursorPage
from loyalty.api.problems import Conflict, FieldError, Invalid, NotFound
from loyalty.partners.models import Scope
from members.api import seen_member
from rewards.catalogue import favourites
from rewards.catalogue.asking import pieces_left
from rewards.catalogue.listing import announced, can_be_seen, catalogue, listing, on_offer, shown_to
from rewards.catalogue.serializers import (
    MemberRewardSerializer,
    RewardSerializer,
    reward_answer,
    shown_answer,
)
from rewards.models import Reward

CATEGORY = OpenApiParameter("category", description="The code of a category.")
TAG = OpenApiParameter("tag", description="One tag, as it is written.")
_LONGEST = 50


class UnknownReward(NotFound):
    code, title = "unknown-reward", _("There is no such reward in the catalogue.")


class MarkedTooMany(Conflict):
    code, title = "too-many-favourites", _("The member has marked as many rewards as can be marked.")


class CheapestFirst(CursorPage):
    """Fewest points first, which a member can afford soonest."""

    ordering = ("points", "id")


class RewardsView(SpeakingView, GenericAPIView[Reward]):
    """The catalogue."""

    required_scopes = Scope.REWARDS_READ
    queryset = Reward.objects.none()
    serializer_class = RewardSerializer
    pagination_class = CheapestFirst
    filter_backends = ()

    @extend_schema(
        operation_id="rewards_list",
        summary="Read the catalogue",
        description="The rewards on offer now or soon, fewest points first. A member's own list says who gets which.",
        parameters=[CATEGORY, TAG, LANGUAGE_PARAMETER],
        responses=RewardSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        asked = filters(request.query_params)
        rewards = on_offer(at=clock.now(), **asked)
        page = list(self.paginate_queryset(rewards) or ())
        left = pieces_left(page)
        return self.get_paginated_response(
            [reward_answer(reward, pieces_left=left.get(reward.pk)) for reward in page]
        )


class RewardView(SpeakingView):
    """One reward."""

    required_scopes = Scope.REWARDS_READ

    @extend_schema(
        operation_id="rewards_read",
        summary="Read a reward",
        parameters=[LANGUAGE_PARAMETER],
        responses=RewardSerializer,
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        reward = announced(at=clock.now()).filter(public_id=public_id).first()
        if reward is None:
            raise UnknownReward
        return Response(reward_answer(reward, pieces_left=pieces_left([reward]).get(reward.pk)))


class MemberRewardsView(SpeakingView, GenericAPIView[Reward]):
    """The catalogue as one member sees it."""

    required_scopes = Scope.REWARDS_READ
    queryset = Reward.objects.none()
    serializer_class = MemberRewardSerializer
    pagination_class = CheapestFirst
    filter_backends = ()

    @extend_schema(
        operation_id="members_rewards",
        summary="Read what a member can get",
        description=(
            "The rewards that are for this member, fewest points first. `available` says whether they can get one now; "
            "`obstacles` say what is in the way, each with a text for the member. Rewards for others are left out."
        ),
        parameters=[CATEGORY, TAG, LANGUAGE_PARAMETER],
        responses=MemberRewardSerializer(many=True),
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        member = seen_member(public_id, request.auth.partner)
        found = {
            each.reward.pk: each for each in listing(member, at=clock.now(), **filters(request.query_params))
        }
        page = self.paginate_queryset(Reward.objects.filter(pk__in=found).only("points")) or ()
        return self.get_paginated_response([shown_answer(found[reward.pk]) for reward in page])


class MemberRewardView(SpeakingView):
    """One reward as one member sees it."""

    required_scopes = Scope.REWARDS_READ

    @extend_schema(
        operation_id="members_reward",
        summary="Read whether a member can get a reward",
        parameters=[LANGUAGE_PARAMETER],
        responses=MemberRewardSerializer,
    )
    def get(self, request: Request, public_id: uuid.UUID, reward_id: uuid.UUID) -> Response:
        member, at = seen_member(public_id, request.auth.partner), clock.now()
        for shown in shown_to(member, list(catalogue().filter(public_id=reward_id)), at=at):
            if can_be_seen(shown, at=at):
                return Response(shown_answer(shown))
        raise UnknownReward


class FavouriteView(SpeakingView):
    """A reward that the member marks, or no longer."""

    required_scopes = Scope.REDEMPTIONS_WRITE

    @extend_schema(
        operation_id="members_mark_reward",
        summary="Mark a reward as a member's favourite",
        description=(
            "The member is told when they can get it. Marked before: the same answer, so it needs no Idempotency-Key."
        ),
        parameters=[LANGUAGE_PARAMETER],
        request=None,
        responses={204: None},
    )
    def put(self, request: Request, public_id: uuid.UUID, reward_id: uuid.UUID) -> Response:
        member, at = seen_member(public_id, request.auth.partner), clock.now()
        for shown in shown_to(member, list(catalogue().filter(public_id=reward_id)), at=at):
            if can_be_seen(shown, at=at):
                try:
                    favourites.mark(member_id=member.pk, reward=shown.reward, at=at)
                except favourites.TooManyFavourites:
                    raise MarkedTooMany from None
                return Response(status=204)
        raise UnknownReward

    @extend_schema(
        operation_id="members_unmark_reward",
        summary="Take a favourite's mark away",
        description="204 also where there was no mark, so it needs no Idempotency-Key.",
        parameters=[LANGUAGE_PARAMETER],
        responses={204: None},
    )
    def delete(self, request: Request, public_id: uuid.UUID, reward_id: uuid.UUID) -> Response:
        member = seen_member(public_id, request.auth.partner)
        for reward in Reward.objects.filter(public_id=reward_id).only("pk"):
            favourites.unmark(member_id=member.pk, reward_id=reward.pk)
        return Response(status=204)


def filters(query: Mapping[str, str]) -> dict[str, Any]:
    """The filters in the address. Raises Invalid for what could be no category or tag."""
    found = {}
    for name in ("category", "tag"):
        text = query.get(name, "")
        if len(text) > _LONGEST or "\x00" in text:
            message = str(_("At most %(most)s characters.") % {"most": _LONGEST})
            raise Invalid(errors=[FieldError(name, "invalid", message)])
        found[name] = text
    return found
