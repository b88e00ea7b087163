"""The API addresses of redemptions."""

from django.urls import path

from rewards.redemption.api import (
    CancelRedemptionView,
    FulfilRedemptionView,
    RedemptionsView,
    RedemptionView,
)

urlpatterns = [
    path("redemptions", RedemptionsView.as_view(), name="api-redemptions"),
    path("redemptions/<uuid:public_id>", RedemptionView.as_view(), name="api-redemption"),
    path("redemptions/<uuid:public_id>/cancel", CancelRedemptionView.as_view(), name="api-redemption-cancel"),
    path("redemptions/<uuid:public_id>/fulfil", FulfilRedemptionView.as_view(), name="api-redemption-fulfil"),
]
