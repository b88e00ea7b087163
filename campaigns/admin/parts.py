"""What the pages of a campaign share: where they are, who may see them, their head with state, steps and buttons."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from campaigns import lifecycle, tasks
from campaigns.models import Campaign
from loyalty.admin_base import badge

if TYPE_CHECKING:
    from campaigns.admin.campaigns import CampaignAdmin

CHANGE, ADD = "campaigns.change_campaign", "campaigns.add_campaign"
SEND, APPROVE = "campaigns.send_campaign", "campaigns.approve_campaign"
SETTLE = "campaigns.settle_message"

Status = Campaign.Status
TONES: Mapping[str, str] = {
    Status.AWAITING: "warn",
    Status.SCHEDULED: "note",
    Status.SENDING: "note",
    Status.RUNNING: "good",
    Status.PAUSED: "warn",
    Status.SENT: "good",
    Status.FAILED: "bad",
}

STEPS: Mapping[str, StrOrPromise] = {
    "who": _("Who"),
    "what": _("What"),
    "when": _("When"),
    "gift": _("Gift and goal"),
    "check": _("Check and send"),
}
"""The steps of building a campaign, in order, by the last part of their address."""


@dataclass(frozen=True, slots=True)
class Action:
    """A button above a campaign: what it does, the right it takes, and what to ask before."""

    key: str
    label: StrOrPromise
    permission: str
    question: StrOrPromise = ""


ACTIONS: tuple[Action, ...] = (
    Action("approve", _("Approve"), APPROVE, _("Let it go out?")),
    Action("start", _("Send now"), SEND, _("Send it now, not at its time?")),
    Action("resume", _("Resume"), SEND),
    Action("pause", _("Pause"), SEND),
    Action("send_back", _("Back to draft"), SEND),
    Action("cancel", _("Cancel it"), SEND, _("End it for good? What waits is not sent.")),
    Action("archive", _("Archive"), CHANGE),
)


def url(name: str, campaign_id: int) -> str:
    """A page of a campaign: “change”, “who”, “results”, “act” …"""
    return reverse(f"admin:campaigns_campaign_{name}", args=[campaign_id])


def list_url() -> str:
    return reverse("admin:campaigns_campaign_changelist")


def state(campaign: Campaign) -> SafeString:
    """The campaign's status as a badge."""
    if campaign.archived_at is not None:
        return badge(_("archived"))
    return badge(campaign.get_status_display(), TONES.get(campaign.status, ""))


def look_soon() -> None:
    """Have a worker look for what is to go out right away; without this it would at its next tick."""
    transaction.on_commit(lambda: tasks.decide.delay(), robust=True)


def campaign_of(request: HttpRequest, campaign_id: int, permission: str = "") -> Campaign:
    """The campaign, for somebody who may see it and holds ``permission``; else 404 or 403."""
    user = request.user
    if not (user.has_perm("campaigns.view_campaign") or user.has_perm(CHANGE)):
        raise PermissionDenied
    if permission and not user.has_perm(permission):
        raise PermissionDenied
    campaign = Campaign.objects.select_related("voucher_family", "add_to_list", "winner").filter(
        pk=campaign_id
    )
    found = campaign.first()
    if found is None:
        raise Http404
    return found


def actions_of(request: HttpRequest, campaign: Campaign) -> list[Action]:
    """What this person may do with the campaign as it stands."""
    return [
        action
        for action in ACTIONS
        if request.user.has_perm(action.permission)
        and lifecycle.may(action.key, campaign)
        and not (action.key == "start" and campaign.send_at is None)
        and not (action.key == "approve" and campaign.submitted_by_id == request.user.pk)
    ]


def page(
    model_admin: "CampaignAdmin",
    request: HttpRequest,
    template: str,
    campaign: Campaign,
    *,
    here: str,
    context: Mapping[str, Any],
) -> TemplateResponse:
    """A page of one campaign under its head; ``here`` is the step or tab that it is."""
    request.current_app = model_admin.admin_site.name  # type: ignore[attr-defined]
    may_change = request.user.has_perm(CHANGE)
    return TemplateResponse(
        request,
        template,
        {
            **model_admin.admin_site.each_context(request),
            "opts": model_admin.model._meta,
            "title": str(campaign),
            "campaign": campaign,
            "state": state(campaign),
            "here": here,
            "steps": [
                {"key": key, "label": label, "number": number, "url": url(key, campaign.pk)}
                for number, (key, label) in enumerate(STEPS.items(), start=1)
            ],
            "editable": may_change and lifecycle.is_editable(campaign),
            "may_change": may_change,
            "may_clone": request.user.has_perm(ADD),
            "may_pause": request.user.has_perm(SEND) and lifecycle.may("pause", campaign),
            "actions": actions_of(request, campaign),
            "act_url": url("act", campaign.pk),
            "overview_url": url("change", campaign.pk),
            "results_url": url("results", campaign.pk),
            "is_draft": campaign.status == Status.DRAFT,
            **context,
        },
    )
