"""Addresses of the portal's pages about redeeming."""

from django.urls import path

from rewards.redemption import views

urlpatterns = [
    path("rewards/<uuid:public_id>/redeem/", views.redeem, name="redeem-reward"),
    path("rewards/mine/", views.my_rewards, name="my-rewards"),
    path("rewards/mine/<uuid:public_id>/", views.redemption, name="redemption"),
    path("rewards/mine/<uuid:public_id>/cancel/", views.cancel_redemption, name="cancel-redemption"),
]
