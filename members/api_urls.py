"""The API addresses of this floor, included under /api/v1/."""

from django.urls import path

from members.api import MembersView, MemberView

urlpatterns = [
    path("members", MembersView.as_view(), name="api-members"),
    path("members/<uuid:public_id>", MemberView.as_view(), name="api-member"),
]
