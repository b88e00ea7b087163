"""The API addresses of vouchers."""

from django.urls import path

from rewards.vouchers.api import (
    LockView,
    MemberVouchersView,
    RedeemView,
    RollbackView,
    ValidateView,
    VouchersView,
)

urlpatterns = [
    path("members/<uuid:public_id>/vouchers", MemberVouchersView.as_view(), name="api-member-vouchers"),
    path("vouchers", VouchersView.as_view(), name="api-vouchers"),
    path("vouchers/<str:code>/validate", ValidateView.as_view(), name="api-voucher-validate"),
    path("vouchers/<str:code>/lock", LockView.as_view(), name="api-voucher-lock"),
    path("vouchers/<str:code>/redeem", RedeemView.as_view(), name="api-voucher-redeem"),
    path("vouchers/<str:code>/rollback", RollbackView.as_view(), name="api-voucher-rollback"),
]
