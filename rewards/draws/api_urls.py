"""The API addresses of draws."""

from django.urls import path

from rewards.draws.api import DrawsView, DrawView, EntriesView

urlpatterns = [
    path("draws", DrawsView.as_view(), name="api-draws"),
    path("draws/<uuid:public_id>", DrawView.as_view(), name="api-draw"),
    path("draws/<uuid:public_id>/entries", EntriesView.as_view(), name="api-draw-entries"),
]
