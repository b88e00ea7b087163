"""The steps of a campaign that are one form each: who, when, what members get; with what is counted beside them."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext

from campaigns import audience, building, reach, summary
from campaigns.admin import parts
from campaigns.admin.needed import Needed, size_table
from campaigns.forms import GiftForm, Step, WhenForm, WhoForm
from campaigns.lifecycle import CampaignRefused
from campaigns.models import Campaign, ChannelCode, ChannelPolicy, SendingPolicy
from loyalty import clock, conditions
from members.models import Segment
from members.segments.definition import SUBJECT
from members.segments.reach import TooLong

if TYPE_CHECKING:
    from campaigns.admin.campaigns import CampaignAdmin

FOLLOWING = {"who": "what", "what": "when", "when": "gift", "gift": "check"}


def step_page(
    model_admin: "CampaignAdmin",
    request: HttpRequest,
    campaign: Campaign,
    form: Step,
    *,
    here: str,
    context: dict[str, Any],
) -> HttpResponse:
    """Save the step and go on to the next one, or show the form with what is to be mended."""
    if request.method == "POST" and form.is_valid() and "look" not in request.POST:
        try:
            building.save(campaign_id=campaign.pk, answers=form.answers())
        except CampaignRefused as refused:
            form.add_error(refused.field if refused.field in form.fields else None, refused.message)
        else:
            model_admin.log_change(request, campaign, f"Step {here}")  # type: ignore[arg-type]
            if "stay" in request.POST:
                messages.success(request, gettext("Saved."))
                return HttpResponseRedirect(parts.url(here, campaign.pk))
            return HttpResponseRedirect(parts.url(FOLLOWING[here], campaign.pk))
    return parts.page(
        model_admin,
        request,
        f"admin/campaigns/{here}.html",
        campaign,
        here=here,
        context={"form": form, "quiet": "look" in request.POST, **context},
    )


# --- 1 Who ------------------------------------------------------------------------------------------------------------


def who_page(model_admin: "CampaignAdmin", request: HttpRequest, campaign_id: int) -> HttpResponse:
    campaign = parts.campaign_of(request, campaign_id, parts.CHANGE)
    if request.method == "POST" and "segment" in request.POST:
        return _use_segment(model_admin, request, campaign)
    form = WhoForm(request.POST or None, initial=WhoForm.initial_of(campaign))
    seen = _seen(form) if request.method == "POST" else _reach_of(campaign)
    segments = Segment.objects.filter(is_active=True).order_by("-member_count")[:24]
    return step_page(
        model_admin,
        request,
        campaign,
        form,
        here="who",
        context={"segments": segments, "reach_url": parts.url("reach", campaign.pk), **seen},
    )


def _use_segment(model_admin: "CampaignAdmin", request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Let the audience be a segment, or everybody for an empty choice; one press instead of a condition."""
    code = request.POST["segment"]
    wanted: dict[str, Any] = {"field": "segments", "op": "contains", "value": code} if code else {}
    try:
        data = conditions.parse(wanted, SUBJECT).as_json()
        building.save(campaign_id=campaign.pk, answers={"audience": data})
    except (conditions.ConditionError, CampaignRefused) as refused:
        messages.error(request, str(refused))
    else:
        model_admin.log_change(request, campaign, "Step who")  # type: ignore[arg-type]
    return HttpResponseRedirect(parts.url("who", campaign.pk))


def reach_view(model_admin: "CampaignAdmin", request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Whom the audience in the form would reach, for the page that asks while it is being built."""
    del model_admin
    if request.method != "POST":
        raise Http404
    parts.campaign_of(request, campaign_id, parts.CHANGE)
    return TemplateResponse(request, "admin/campaigns/reach.html", _seen(WhoForm(request.POST)))


def _seen(form: WhoForm) -> dict[str, Any]:
    form.is_valid()
    if {"audience", "purpose", "way_1"} & form.errors.keys():
        return {"unfinished": True}
    data = form.cleaned_data
    return counted(data["audience"], channels=form.ways(), purpose=data["purpose"])


def _reach_of(campaign: Campaign) -> dict[str, Any]:
    """The reach of a campaign as it is saved; the sentence says what is wrong where it cannot be counted."""
    try:
        audience.condition_of(campaign)
    except conditions.ConditionError as error:
        return {"problem": str(error)}
    return counted(campaign.audience, channels=campaign.channels, purpose=campaign.purpose)


def counted(data: dict[str, Any], *, channels: list[str], purpose: str) -> dict[str, Any]:
    """Size, reach by way, some members and the sentence: what ``reach.html`` shows."""
    condition = conditions.parse(data or {}, SUBJECT, check_choices=False)
    found: dict[str, Any] = {"sentence": condition.sentence(always=gettext("Every member."))}
    looked = reach.look(condition, channels=channels, purpose=purpose, at=clock.now())
    if isinstance(looked, TooLong):
        return {**found, "about": looked.about}
    return {**found, "reach": looked, "ways": [(ChannelCode(code).label, n) for code, n in looked.ways]}


# --- 3 When -----------------------------------------------------------------------------------------------------------


def when_page(model_admin: "CampaignAdmin", request: HttpRequest, campaign_id: int) -> HttpResponse:
    campaign = parts.campaign_of(request, campaign_id, parts.CHANGE)
    form = WhenForm(request.POST or None, initial=WhenForm.initial_of(campaign), campaign=campaign)
    policies = ChannelPolicy.objects.in_bulk()
    context = {
        "sentence": summary.when(campaign),
        "sending_policy": SendingPolicy.objects.filter(pk=1).first(),
        "channel_policies": [policies[code] for code in campaign.channels if code in policies],
    }
    return step_page(model_admin, request, campaign, form, here="when", context=context)


# --- 4 What they get, and how it is measured --------------------------------------------------------------------------


def gift_page(model_admin: "CampaignAdmin", request: HttpRequest, campaign_id: int) -> HttpResponse:
    campaign = parts.campaign_of(request, campaign_id, parts.CHANGE)
    form = GiftForm(
        request.POST or None,
        initial=GiftForm.initial_of(campaign),
        campaign=campaign,
        several=campaign.variants.count() > 1,
    )
    held_out = campaign.hold_out_percent
    if request.method == "POST" and form.is_valid():
        held_out = form.cleaned_data["hold_out_percent"]
    context = {"needed": _needed(campaign, held_out), "needed_url": parts.url("needed", campaign.pk)}
    return step_page(model_admin, request, campaign, form, here="gift", context=context)


def needed_view(model_admin: "CampaignAdmin", request: HttpRequest, campaign_id: int) -> HttpResponse:
    """How many members it takes to see a difference, for the hold-out in the form."""
    del model_admin
    campaign = parts.campaign_of(request, campaign_id, parts.CHANGE)
    if request.method != "POST":
        raise PermissionDenied
    form = GiftForm(request.POST, campaign=campaign, several=campaign.variants.count() > 1)
    form.is_valid()
    held_out = form.cleaned_data.get("hold_out_percent")
    return TemplateResponse(request, "admin/campaigns/needed.html", {"needed": _needed(campaign, held_out)})


def _needed(campaign: Campaign, held_out: Decimal | None) -> list[Needed]:
    """The table of sizes; empty where nobody is held out, as of service messages."""
    is_service = campaign.purpose == Campaign.Purpose.SERVICE
    return [] if is_service or not held_out else size_table(held_out)
