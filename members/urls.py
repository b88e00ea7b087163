"""Addresses of the portal's pages about the member."""

from django.urls import path

from members import views

urlpatterns = [
    path("card/", views.card, name="card"),
    path("profile/", views.profile, name="profile"),
    path("profile/details/", views.details, name="profile-details"),
    path("profile/places/", views.places, name="places"),
    path("profile/consents/", views.consents, name="consents"),
    path("profile/security/", views.security, name="security"),
    path("profile/leave/", views.leave, name="leave"),
    path("language/", views.set_language, name="set-language"),
    path("theme/", views.set_theme, name="set-theme"),
    path("join/", views.join, name="join"),
    path("terms/", views.terms, name="terms"),
    path("privacy/", views.privacy, name="privacy"),
    path("offline/", views.offline, name="offline"),
    path("favicon.ico", views.favicon, name="favicon"),
    path("manifest.webmanifest", views.manifest, name="manifest"),
    path("service-worker.js", views.service_worker, name="service-worker"),
]
