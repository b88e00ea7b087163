"""Addresses of the portal's pages of draws; the files are for everybody who wants to check a draw."""

from django.urls import path

from rewards.draws import views

urlpatterns = [
    path("draws/", views.draws, name="draws"),
    path("draws/recompute.py", views.draw_script, name="draw-script"),
    path("draws/<uuid:public_id>/", views.draw, name="draw"),
    path("draws/<uuid:public_id>/draw.json", views.draw_json, name="draw-json"),
    path("draws/<uuid:public_id>/entries.csv", views.draw_entries, name="draw-entries"),
]
