"""The API addresses of referrals, included under /api/v1/."""

from django.urls import path

from referrals.api import ReferralCodeView, ReferralsView, ReferralView

urlpatterns = [
    path(
        "members/<uuid:public_id>/referral-code", ReferralCodeView.as_view(), name="api-member-referral-code"
    ),
    path("referrals", ReferralsView.as_view(), name="api-referrals"),
    path("referrals/<uuid:public_id>", ReferralView.as_view(), name="api-referral"),
]
