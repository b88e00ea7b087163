"""What a campaign came to: the figures as last kept, computed afresh when somebody asks."""

from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext

from campaigns.admin import parts
from campaigns.admin.needed import size_table
from campaigns.experiments import results
from loyalty import clock
from loyalty.conditions import ConditionError

if TYPE_CHECKING:
    from campaigns.admin.campaigns import CampaignAdmin


def results_page(model_admin: "CampaignAdmin", request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Show what was kept; a post computes and keeps it anew. The first look at a campaign that has begun computes."""
    campaign = parts.campaign_of(request, campaign_id)
    kept = results.latest(campaign)
    if request.method == "POST" or (kept is None and campaign.started_at is not None):
        try:
            kept = results.keep(campaign, at=clock.now())
        except ConditionError as error:
            messages.error(request, gettext("The result cannot be computed: %(error)s") % {"error": error})
        if request.method == "POST":
            return HttpResponseRedirect(parts.url("results", campaign_id))
    return parts.page(
        model_admin,
        request,
        "admin/campaigns/results.html",
        campaign,
        here="results",
        context={"results": kept, "needed": size_table(campaign.hold_out_percent)},
    )
