"""Addresses of the portal's pages about invitations."""

from django.urls import path

from referrals import views

urlpatterns = [
    path("invite/", views.invite, name="invite"),
    path("invite/code/", views.choose_code, name="invite-code"),
    path("invite/name/", views.choose_name, name="invite-name"),
    path("invite/friends/<uuid:public_id>/appeal/", views.appeal, name="invite-appeal"),
    path("i/<str:code>/", views.landing, name="landing"),
]
