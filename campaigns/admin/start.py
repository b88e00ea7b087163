"""“New campaign”: a blueprint or an empty one, and there is a draft to go through."""

from typing import TYPE_CHECKING

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from campaigns import building, ready_made
from campaigns.admin import parts
from campaigns.models import Campaign
from loyalty import clock
from loyalty.translated import LANGUAGES

if TYPE_CHECKING:
    from campaigns.admin.campaigns import CampaignAdmin

LONGEST_NAME = 100
EMPTY = (
    (Campaign.Kind.ONE_OFF, _("One-off"), _("To an audience, now or at a time."), "send"),
    (
        Campaign.Kind.RECURRING,
        _("Recurring"),
        _("On a schedule, on birthdays or anniversaries."),
        "event_repeat",
    ),
    (Campaign.Kind.TRIGGERED, _("Triggered"), _("When something happens to a member."), "bolt"),
)


def start_page(model_admin: "CampaignAdmin", request: HttpRequest) -> HttpResponse:
    """Every card is a button: one press makes the draft and leads to its first step."""
    if not request.user.has_perm(parts.ADD):
        raise PermissionDenied
    if request.method == "POST":
        made = _make(request)
        if made is not None:
            model_admin.log_addition(request, made, f"Made: {made.code}")  # type: ignore[arg-type]
            return HttpResponseRedirect(parts.url("who", made.pk))
        messages.error(request, gettext("Choose what to start from."))
    request.current_app = model_admin.admin_site.name  # type: ignore[attr-defined]
    return TemplateResponse(
        request,
        "admin/campaigns/start.html",
        {
            **model_admin.admin_site.each_context(request),
            "opts": model_admin.model._meta,
            "title": gettext("New campaign"),
            "blueprints": ready_made.BLUEPRINTS,
            "kinds": EMPTY,
            "name": request.POST.get("name", ""),
            "back": parts.list_url(),
        },
    )


def _make(request: HttpRequest) -> Campaign | None:
    """The draft of the card that was pressed, under the name that was typed; None for an unknown card."""
    name = " ".join(request.POST.get("name", "").replace("\x00", "").split())[:LONGEST_NAME]
    language = (get_language() or "")[:2]
    own = {language if language in LANGUAGES else LANGUAGES[0]: name} if name else {}
    kind = request.POST.get("kind", "")
    if kind in Campaign.Kind.values:
        return building.start_empty(kind=kind, names=own or _unnamed())
    try:
        made = ready_made.create(request.POST.get("blueprint", ""), staff_id=request.user.pk, at=clock.now())
    except KeyError:
        return None
    return building.save(campaign_id=made.pk, answers={"names": own}) if own else made


def _unnamed() -> dict[str, str]:
    return {(get_language() or LANGUAGES[0])[:2]: gettext("New campaign")}
