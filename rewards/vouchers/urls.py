"""Addresses of the portal's pages about vouchers."""

from django.urls import path

from rewards.vouchers import views

urlpatterns = [
    path("rewards/vouchers/", views.my_vouchers, name="my-vouchers"),
    path("rewards/vouchers/<uuid:public_id>/", views.voucher, name="my-voucher"),
]
