"""Addresses of the portal's pages about invitations."""

from django.urls import path

from referrals import views

urlpatterns = [path("invite/", views.invite, name="invite")]
