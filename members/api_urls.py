"""The API addresses of this floor, included under /api/v1/."""

from django.urls import path

from members.api import MembersView, MemberView
from members.api_segments import MemberSegmentsView, SegmentMembersView, SegmentsView

urlpatterns = [
    path("members", MembersView.as_view(), name="api-members"),
    path("members/<uuid:public_id>", MemberView.as_view(), name="api-member"),
    path("members/<uuid:public_id>/segments", MemberSegmentsView.as_view(), name="api-member-segments"),
    path("segments", SegmentsView.as_view(), name="api-segments"),
    path("segments/<slug:code>/members", SegmentMembersView.as_view(), name="api-segment-members"),
]
