"""The API addresses of this floor, included under /api/v1/."""

from django.urls import include, path

from rewards.api import (
    ActivitiesView,
    ActivityView,
    BalanceView,
    BatchView,
    SimulateView,
    StatementView,
    TiersView,
)
from rewards.api_offers import ActivateOfferView, OffersView
from rewards.api_refunds import CancelView, ConfirmView, RefundsView

urlpatterns = [
    path("activities", ActivitiesView.as_view(), name="api-activities"),
    path("activities/batch", BatchView.as_view(), name="api-activities-batch"),
    path("activities/simulate", SimulateView.as_view(), name="api-activities-simulate"),
    path("activities/<uuid:public_id>", ActivityView.as_view(), name="api-activity"),
    path("activities/<uuid:public_id>/refunds", RefundsView.as_view(), name="api-refunds"),
    path("activities/<uuid:public_id>/confirm", ConfirmView.as_view(), name="api-confirm"),
    path("activities/<uuid:public_id>/cancel", CancelView.as_view(), name="api-cancel"),
    path("members/<uuid:public_id>/balance", BalanceView.as_view(), name="api-balance"),
    path("members/<uuid:public_id>/statement", StatementView.as_view(), name="api-statement"),
    path("members/<uuid:public_id>/offers", OffersView.as_view(), name="api-offers"),
    path("members/<uuid:public_id>/offers/activate", ActivateOfferView.as_view(), name="api-activate-offer"),
    path("tiers", TiersView.as_view(), name="api-tiers"),
    path("", include("rewards.catalogue.api_urls")),
    path("", include("rewards.challenges.api_urls")),
    path("", include("rewards.redemption.api_urls")),
    path("", include("rewards.vouchers.api_urls")),
    path("", include("rewards.leaderboards.api_urls")),
    path("", include("rewards.causes.api_urls")),
    path("", include("rewards.draws.api_urls")),
]
