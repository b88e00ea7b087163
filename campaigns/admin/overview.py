"""A campaign on its way: how far it has come, live; what became of its messages; and what it came to."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from campaigns import lifecycle, summary
from campaigns.admin import parts
from campaigns.admin.check import sentences
from campaigns.dispatch import settling
from campaigns.lifecycle import CampaignRefused
from campaigns.models import Campaign, Message
from loyalty import clock

if TYPE_CHECKING:
    from campaigns.admin.campaigns import CampaignAdmin

ORDER = ("due", "sending", "sent", "failed", "unknown", "skipped", "held_out")
TONES = {"sent": "good", "failed": "bad", "unknown": "warn", "due": "note", "sending": "note"}
DONE = {
    "approve": _("Approved."),
    "start": _("It goes out now."),
    "resume": _("It goes on."),
    "pause": _("It is paused. Nothing more goes out until it is resumed."),
    "send_back": _("It is a draft again."),
    "cancel": _("It was cancelled. What was waiting is not sent."),
    "archive": _("It was archived. Its messages and results stay."),
}
BECAME = {
    ("resume", Campaign.Status.AWAITING): _("Submitted. A second person has to approve it."),
    ("send_back", Campaign.Status.PAUSED): _("It is paused. Resume it when you are done."),
}
"""What is told instead where the step led elsewhere than usual."""
SOON, SLOWLY = 3, 10
"""After so many seconds the page asks for the figures again; the longer time where counting them is work."""
MANY = 100_000
"""Messages of a campaign from which on counting them is."""
UNDERWAY = (Campaign.Status.SENDING, Campaign.Status.RUNNING, Campaign.Status.SCHEDULED)


@dataclass(frozen=True, slots=True)
class Row:
    """Messages of one status and reason, and the list of them."""

    status: Any
    reason: Any
    tone: str
    count: int
    url: str


def overview_page(model_admin: "CampaignAdmin", request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """The campaign read back with its live figures; a draft leads to its first step."""
    if (
        campaign.status == Campaign.Status.DRAFT
        and not campaign.archived_at
        and request.user.has_perm(parts.CHANGE)
    ):
        return HttpResponseRedirect(parts.url("who", campaign.pk))
    return parts.page(
        model_admin,
        request,
        "admin/campaigns/overview.html",
        campaign,
        here="overview",
        context={
            **figures_of(request, campaign),
            "sentences": sentences(campaign),
            "rounds": campaign.rounds.order_by("-id")[:20],
            "messages_url": messages_url(campaign),
        },
    )


def figures_view(model_admin: "CampaignAdmin", request: HttpRequest, campaign_id: int) -> HttpResponse:
    """The figures alone, for the page that asks again while the campaign is on its way."""
    del model_admin
    campaign = parts.campaign_of(request, campaign_id)
    answer = TemplateResponse(request, "admin/campaigns/figures.html", figures_of(request, campaign))
    if request.GET.get("was", campaign.status) != campaign.status:
        answer["HX-Refresh"] = "true"  # the page's head, buttons and rounds are those of another status
    return answer


def figures_of(request: HttpRequest, campaign: Campaign) -> dict[str, Any]:
    progress = lifecycle.progress_of(campaign)
    grouped = (
        Message.objects.filter(campaign=campaign)
        .values("status", "reason")
        .annotate(count=Count("pk"))
        .order_by("-count")
    )
    rows = [_row(campaign, each["status"], each["reason"], each["count"]) for each in grouped]
    rows.sort(key=lambda row: ORDER.index(row[0]))
    waiting = progress.counts.get("due", 0) + progress.counts.get("sending", 0)
    return {
        "campaign": campaign,
        "state": parts.state(campaign),
        "progress": progress,
        "rows": [row for _status, row in rows],
        "tiles": [
            (Message.Status(status).label, progress.counts.get(status, 0), TONES.get(status, ""))
            for status in ORDER
            if status in {"sent", "held_out", "skipped"} or progress.counts.get(status)
        ],
        "waiting": waiting,
        "failed": progress.counts.get("failed", 0),
        "unknown": progress.counts.get("unknown", 0),
        "may_retry": request.user.has_perm(parts.SETTLE),
        "underway": campaign.status in UNDERWAY,
        "every": SLOWLY if sum(progress.counts.values()) > MANY else SOON,
        "figures_url": f"{parts.url('figures', campaign.pk)}?{urlencode({'was': campaign.status})}",
        "unknown_url": f"{messages_url(campaign)}&status__exact=unknown",
        "next_at": summary.next_at(campaign, after=clock.now()),
        "act_url": parts.url("act", campaign.pk),
    }


def _row(campaign: Campaign, status: str, reason: str, count: int) -> tuple[str, Row]:
    query = {"status__exact": status} | ({"reason__exact": reason} if reason else {})
    return status, Row(
        Message.Status(status).label,
        Message.Reason(reason).label if reason else "",
        TONES.get(status, ""),
        count,
        f"{messages_url(campaign)}&{urlencode(query)}",
    )


def messages_url(campaign: Campaign) -> str:
    """The list of the campaign's messages."""
    return f"{reverse('admin:campaigns_message_changelist')}?campaign__id__exact={campaign.pk}"


# --- What staff do with it --------------------------------------------------------------------------------------------


def act_view(model_admin: "CampaignAdmin", request: HttpRequest, campaign_id: int) -> HttpResponse:
    """The buttons: each of ``parts.ACTIONS``, and clone, pause-and-edit and retrying what failed."""
    campaign = parts.campaign_of(request, campaign_id)
    if request.method != "POST":
        return HttpResponseRedirect(parts.url("change", campaign_id))
    key = request.POST.get("do", "")
    try:
        target = _act(request, campaign, key)
    except CampaignRefused as refused:
        messages.error(request, refused.message)
        return HttpResponseRedirect(parts.url("change", campaign_id))
    model_admin.log_change(request, campaign, f"Done: {key}")  # type: ignore[arg-type]
    return HttpResponseRedirect(target)


def _act(request: HttpRequest, campaign: Campaign, key: str) -> str:
    """Do it, tell it, and say where to go on. Raises CampaignRefused, 403 and 404."""
    own = {"clone": parts.ADD, "pause_edit": parts.SEND, "retry": parts.SETTLE}
    permission = own.get(key) or next((each.permission for each in parts.ACTIONS if each.key == key), None)
    if permission is None:
        raise Http404
    parts.campaign_of(request, campaign.pk, permission)
    given: dict[str, Any] = {"campaign_id": campaign.pk, "staff_id": request.user.pk, "at": clock.now()}
    overview = parts.url("change", campaign.pk)
    if key == "clone":
        made = lifecycle.clone(**given)
        messages.success(request, gettext("A copy was made. Nothing of it has been sent."))
        return parts.url("who", made.pk)
    if key == "retry":
        count = settling.retry_failed(campaign_id=campaign.pk, at=given["at"])
        said = ngettext("%(count)s message is tried again.", "%(count)s messages are tried again.", count)
        messages.success(request, said % {"count": count})
        return overview
    if key == "pause_edit":
        lifecycle.pause(**given)
        messages.success(request, gettext("It is paused. Resume it when you are done."))
        return parts.url("what", campaign.pk)
    done = getattr(lifecycle, key)(**given)
    if key in {"approve", "start", "resume"}:
        parts.look_soon()
    messages.success(request, str(BECAME.get((key, done.status), DONE[key])))
    if key == "send_back":
        return parts.url("who", campaign.pk)
    return parts.list_url() if key == "archive" else overview
