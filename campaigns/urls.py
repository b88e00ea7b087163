"""Addresses of the portal's pages about messages, of the links in them, and of services that tell of them."""

from django.urls import path

from campaigns import views, views_hooks, views_preferences, views_tracking, views_unsubscribe

urlpatterns = [
    path("messages/", views.inbox, name="inbox"),
    path("messages/wishes/", views_preferences.wishes, name="message-wishes"),
    path("messages/devices/", views_preferences.add_device, name="add-device"),
    path("messages/devices/<int:device_id>/remove/", views_preferences.remove_device, name="remove-device"),
    path("u/<str:token>/", views_unsubscribe.unsubscribe, name="unsubscribe"),
    path("u/<str:token>/undo/", views_unsubscribe.undo, name="unsubscribe-undo"),
    path("u/<str:token>/choices/", views_unsubscribe.choices, name="unsubscribe-choices"),
    path("r/<str:token>", views_tracking.follow, name="campaign-link"),
    path("o/<str:token>.gif", views_tracking.opened, name="campaign-picture"),
    path("hooks/messages/mail-service/", views_hooks.mail_service, name="hook-mail-service"),
    path("hooks/messages/<slug:source>/", views_hooks.generic, name="hook-messages"),
]
