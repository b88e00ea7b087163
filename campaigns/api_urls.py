"""The API addresses of this floor, included under /api/v1/."""

from django.urls import path

from campaigns.api import CampaignsView, CampaignView, EventsView, MessagesView, MessageView, TriggerView

urlpatterns = [
    path("events", EventsView.as_view(), name="api-events"),
    path("campaigns", CampaignsView.as_view(), name="api-campaigns"),
    path("campaigns/<slug:code>", CampaignView.as_view(), name="api-campaign"),
    path("campaigns/<slug:code>/trigger", TriggerView.as_view(), name="api-campaign-trigger"),
    path("messages", MessagesView.as_view(), name="api-messages"),
    path("messages/<uuid:public_id>", MessageView.as_view(), name="api-message"),
]
