"""Addresses of the portal's pages about messages."""

from django.urls import path

from campaigns import views

urlpatterns = [path("messages/", views.inbox, name="inbox")]
