"""Addresses of the portal's pages of causes."""

from django.urls import path

from rewards.causes import views

urlpatterns = [
    path("causes/", views.causes, name="causes"),
    path("causes/<slug:code>/", views.cause, name="cause"),
    path("donations/", views.donations, name="donations"),
    path("donations/statement.csv", views.donations_csv, name="donations-csv"),
    path("donations/<uuid:public_id>/", views.thanks, name="donation-thanks"),
]
