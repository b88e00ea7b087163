"""The API addresses of leaderboards."""

from django.urls import path

from rewards.leaderboards.api import LeaderboardsView, LeaderboardView, MemberNicknameView

urlpatterns = [
    path("leaderboards", LeaderboardsView.as_view(), name="api-leaderboards"),
    path("leaderboards/<uuid:public_id>", LeaderboardView.as_view(), name="api-leaderboard"),
    path(
        "members/<uuid:public_id>/leaderboard-profile",
        MemberNicknameView.as_view(),
        name="api-leaderboard-profile",
    ),
]
