"""The last step: the whole campaign read back, whom it reaches, what it may cost, what is to be mended, and go."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext

from campaigns import approval, lifecycle, readiness, summary
from campaigns.admin import parts
from campaigns.admin.steps import counted
from campaigns.experiments.assignment import hold_out_percent_of
from campaigns.forms import ConfirmForm
from campaigns.lifecycle import CampaignRefused
from campaigns.models import Campaign, ChannelPolicy, SendingPolicy
from campaigns.reach import CampaignReach
from campaigns.rendering import checks
from loyalty import clock, programme
from loyalty.conditions import ConditionError

if TYPE_CHECKING:
    from campaigns.admin.campaigns import CampaignAdmin

TYPED_ABOVE = 1_000
"""Members of an audience from which on their number is typed before it is written to."""

STEP_OF: Mapping[str, str] = {
    **dict.fromkeys(("audience", "channels", "purpose", "names"), "who"),
    **dict.fromkeys(("texts", "variants", "subject", "body"), "what"),
    **dict.fromkeys(
        (
            *("send_at", "occasion", "rhythm", "event", "event_conditions", "delay_minutes", "days"),
            *("ends_at", "look_back_days", "priority", "in_member_zone"),
        ),
        "when",
    ),
    **dict.fromkeys(
        (
            *("bonus_points", "voucher_family", "add_to_list", "goal", "goal_days", "goal_conditions"),
            *("hold_out_percent", "winner_by", "test_percent", "winner_after_hours"),
        ),
        "gift",
    ),
}
"""In which step a field is mended."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to mend or to know, and the step where."""

    is_error: bool
    text: str
    url: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class Estimate:
    """How many are written to and held out, and what that costs in the base currency."""

    held_out: int
    written_to: int
    sending: Decimal
    points: Decimal

    @property
    def whole(self) -> Decimal:
        return self.sending + self.points


def check_page(model_admin: "CampaignAdmin", request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Read it all back; submit it when somebody who may send presses the button."""
    campaign = parts.campaign_of(request, campaign_id)
    seen = _counted(campaign)
    reached = seen.get("reach")
    size = reached.count if isinstance(reached, CampaignReach) else seen.get("about", 0)
    is_large = campaign.kind == Campaign.Kind.ONE_OFF and size > TYPED_ABOVE
    form = ConfirmForm(request.POST or None, wanted=size) if is_large else None
    if request.method == "POST":
        if not request.user.has_perm(parts.SEND):
            raise PermissionDenied
        if form is None or form.is_valid():
            answer = _submit(model_admin, request, campaign)
            if answer is not None:
                return answer
    found = findings(campaign)
    policy = SendingPolicy.objects.filter(pk=1).first() or SendingPolicy()
    return parts.page(
        model_admin,
        request,
        "admin/campaigns/check.html",
        campaign,
        here="check",
        context={
            **seen,
            "form": form,
            "size": size,
            "sentences": sentences(campaign),
            "errors": [each for each in found if each.is_error],
            "warnings": [each for each in found if not each.is_error],
            "estimate": estimate(campaign, reached, policy) if isinstance(reached, CampaignReach) else None,
            "currency": programme.current().base_currency,
            "needs_second": approval.is_needed(campaign, size=size, policy=policy),
            "may_submit": request.user.has_perm(parts.SEND) and lifecycle.may("submit", campaign),
            "at_once": campaign.kind == Campaign.Kind.ONE_OFF and campaign.send_at is None,
        },
    )


def _counted(campaign: Campaign) -> dict[str, Any]:
    if not campaign.channels:
        return {"unfinished": True}
    try:
        return counted(campaign.audience, channels=campaign.channels, purpose=campaign.purpose)
    except ConditionError as error:
        return {"problem": str(error)}


def _submit(model_admin: "CampaignAdmin", request: HttpRequest, campaign: Campaign) -> HttpResponse | None:
    """Submit it and lead to its progress; None when it was refused, which a message tells."""
    try:
        done = lifecycle.submit(campaign_id=campaign.pk, staff_id=request.user.pk, at=clock.now())
    except CampaignRefused as refused:
        messages.error(request, refused.message)
        return None
    model_admin.log_change(request, done, "Submitted")  # type: ignore[arg-type]
    parts.look_soon()
    messages.success(request, _told(done))
    return HttpResponseRedirect(parts.url("change", campaign.pk))


def _told(done: Campaign) -> str:
    """What comes next for a campaign that was just submitted."""
    match done.status:
        case Campaign.Status.AWAITING:
            return gettext("Submitted. A second person has to approve it.")
        case Campaign.Status.RUNNING:
            return gettext("It is running from now on.")
    if done.send_at is None:
        return gettext("It goes out now.")
    return gettext("Submitted. It goes out at its time.")


def sentences(campaign: Campaign) -> list[tuple[str, Any, str]]:
    """The campaign read back: (step, its name, sentence)."""
    told = {
        "who": f"{summary.who(campaign)} {summary.ways(campaign)}",
        "what": _what(campaign),
        "when": summary.when(campaign),
        "gift": f"{summary.gift(campaign)} {summary.measure(campaign)}",
    }
    return [(parts.url(step, campaign.pk), parts.STEPS[step], text) for step, text in told.items()]


def _what(campaign: Campaign) -> str:
    """The variants with the languages they are written in."""
    lines = []
    for variant in campaign.variants.prefetch_related("texts"):
        languages = ", ".join(str(text.get_language_display()) for text in variant.texts.all())
        lines.append(f"{variant}: {languages or gettext('no text yet')}")
    return "; ".join(lines)


def findings(campaign: Campaign) -> list[Finding]:
    """What keeps the campaign from being sent, and what is only to be known; each once."""
    at = clock.now()
    found = [
        Finding(True, each.message, parts.url(STEP_OF.get(each.field, "what"), campaign.pk))
        for each in (readiness.objections(campaign, at=at) if lifecycle.may("submit", campaign) else ())
    ]
    said = {each.text for each in found}
    for problem in checks.problems(campaign):
        if problem.message in said:
            continue
        where = " · ".join(part for part in (problem.variant, problem.language.upper()) if part)
        query = f"?variant={problem.variant}&show={problem.language}" if problem.language else ""
        address = f"{parts.url('what', campaign.pk)}{query}"
        found.append(Finding(problem.level == "error", problem.message, address, where))
    return sorted(found, key=lambda each: not each.is_error)


def estimate(campaign: Campaign, reach: CampaignReach, policy: SendingPolicy) -> Estimate:
    """About how many are held out, and what sending and points cost: each reached member by the first way that does.

    A ceiling: a member whom two ways reach is counted with the first of them, caps and pauses are left out.
    """
    is_service = campaign.purpose == Campaign.Purpose.SERVICE
    of_all = Decimal(0) if is_service else policy.global_hold_out_percent
    share = (of_all + hold_out_percent_of(campaign)) / 100
    held_out = int((reach.reached * min(share, Decimal(1))).to_integral_value(ROUND_HALF_UP))
    written_to = reach.reached - held_out
    costs = dict(ChannelPolicy.objects.values_list("channel", "cost"))
    left, sending = written_to, Decimal(0)
    for code, members in reach.ways:
        by_this = min(left, members)
        sending += by_this * costs.get(code, Decimal(0))
        left -= by_this
    points = written_to * campaign.bonus_points * policy.value_of_a_point
    return Estimate(held_out, written_to, sending, points)
