"""Addresses of the portal's pages of leaderboards."""

from django.urls import path

from rewards.leaderboards import views

urlpatterns = [
    path("leaderboards/", views.leaderboards, name="leaderboards"),
    path("leaderboards/nickname/", views.nickname, name="leaderboard-nickname"),
    path("leaderboards/leave/", views.leave, name="leave-leaderboards"),
]
