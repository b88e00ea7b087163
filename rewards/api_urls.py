"""The API addresses of this floor, included under /api/v1/."""

from django.urls import path

from rewards.api import (
    ActivitiesView,
    ActivityView,
    BalanceView,
    BatchView,
    SimulateView,
    StatementView,
    TiersView,
)

urlpatterns = [
    path("activities", ActivitiesView.as_view(), name="api-activities"),
    path("activities/batch", BatchView.as_view(), name="api-activities-batch"),
    path("activities/simulate", SimulateView.as_view(), name="api-activities-simulate"),
    path("activities/<uuid:public_id>", ActivityView.as_view(), name="api-activity"),
    path("members/<uuid:public_id>/balance", BalanceView.as_view(), name="api-balance"),
    path("members/<uuid:public_id>/statement", StatementView.as_view(), name="api-statement"),
    path("tiers", TiersView.as_view(), name="api-tiers"),
]
