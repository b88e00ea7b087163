"""The API addresses of causes."""

from django.urls import path

from rewards.causes.api import CausesView, CauseView, DonateView, MemberDonationsView

urlpatterns = [
    path("causes", CausesView.as_view(), name="api-causes"),
    path("causes/<uuid:public_id>", CauseView.as_view(), name="api-cause"),
    path("causes/<uuid:public_id>/donations", DonateView.as_view(), name="api-donate"),
    path("members/<uuid:public_id>/donations", MemberDonationsView.as_view(), name="api-member-donations"),
]
