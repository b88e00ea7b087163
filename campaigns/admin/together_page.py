"""What all campaigns together were worth: measured when somebody looks, over the days they choose."""

from typing import TYPE_CHECKING

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext

from campaigns.experiments import together
from campaigns.experiments.together_wording import show
from loyalty import clock

if TYPE_CHECKING:
    from campaigns.admin.policy import SendingPolicyAdmin


def together_page(model_admin: "SendingPolicyAdmin", request: HttpRequest) -> HttpResponse:
    """The last 90 days, or those of ``?days=`` among the periods there are."""
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    days = next((each for each in together.PERIODS if str(each) == request.GET.get("days")), together.DAYS)
    try:
        shown = show(together.compute(at=clock.now(), days=days))
    except together.TakesTooLong:
        shown = None
    request.current_app = model_admin.admin_site.name  # type: ignore[attr-defined]
    return TemplateResponse(
        request,
        "admin/campaigns/together.html",
        {
            **model_admin.admin_site.each_context(request),
            "opts": model_admin.model._meta,
            "title": gettext("What all campaigns together were worth"),
            "shown": shown,
            "days": days,
            "periods": together.PERIODS,
            "policy_url": reverse("admin:campaigns_sendingpolicy_change", args=[1]),
        },
    )
