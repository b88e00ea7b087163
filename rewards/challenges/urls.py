"""Addresses of the portal's pages of challenges."""

from django.urls import path

from rewards.challenges import views

urlpatterns = [
    path("challenges/", views.challenges, name="challenges"),
    path("challenges/<uuid:public_id>/join/", views.join_challenge, name="join-challenge"),
    path("challenges/<uuid:public_id>/leave/", views.leave_challenge, name="leave-challenge"),
    path("badges/", views.badges, name="badges"),
]
