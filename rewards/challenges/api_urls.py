"""The API addresses of challenges."""

from django.urls import path

from rewards.challenges.api import (
    ChallengesView,
    JoinChallengeView,
    LeaveChallengeView,
    MemberBadgesView,
    MemberChallengesView,
)

_ONE = "members/<uuid:public_id>/challenges/<uuid:challenge_id>"

urlpatterns = [
    path("challenges", ChallengesView.as_view(), name="api-challenges"),
    path("members/<uuid:public_id>/challenges", MemberChallengesView.as_view(), name="api-member-challenges"),
    path(f"{_ONE}/join", JoinChallengeView.as_view(), name="api-join-challenge"),
    path(f"{_ONE}/leave", LeaveChallengeView.as_view(), name="api-leave-challenge"),
    path("members/<uuid:public_id>/badges", MemberBadgesView.as_view(), name="api-member-badges"),
]
