"""The list of campaigns, and the addresses of the pages of each."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import JSONObject
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils.formats import number_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action

from campaigns import summary
from campaigns.admin import (
    calendar_page,
    check,
    overview,
    parts,
    previews,
    results_page,
    start,
    steps,
    texts,
)
from campaigns.models import Campaign, Message
from loyalty import clock
from loyalty.admin_base import HistoryAdmin

LONGEST_ID = 18


class ArchivedFilter(admin.SimpleListFilter):
    """Archived campaigns are out of the way until somebody asks for them."""

    title = _("archived")
    parameter_name = "archived"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("all", _("with archived ones")), ("only", _("only archived ones"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Campaign]) -> QuerySet[Campaign]:
        match self.value():
            case "all":
                return queryset
            case "only":
                return queryset.filter(archived_at__isnull=False)
        return queryset.filter(archived_at__isnull=True)


@admin.register(Campaign)
class CampaignAdmin(HistoryAdmin):
    """Campaigns are built step by step on pages of their own; Django's form is not used."""

    list_display = ("name", "kind", "state", "next_sending", "waiting", "sent", "held_out")
    list_display_links = ("name",)
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("occasion", ChoicesDropdownFilter),
        ArchivedFilter,
    )
    search_fields = ("code", "names", "note")
    search_help_text = _("Name, code or note")
    ordering = ("-created_at", "-id")
    actions_list = ("open_calendar",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Campaign]:
        """With the counts of messages of each campaign, in the list's own statement."""
        counts = {
            status: Count("pk", filter=Q(status=status))
            for status in ("due", "sent", "held_out", "failed", "unknown")
        }
        counted = (
            Message.objects.filter(campaign=OuterRef("pk"))
            .order_by()
            .values("campaign")
            .values(counts=JSONObject(**counts))
        )
        rows: QuerySet[Campaign] = super().get_queryset(request)
        return rows.annotate(counts=Subquery(counted))

    @admin.display(description=_("status"), ordering="status")
    def state(self, campaign: Campaign) -> SafeString:
        return parts.state(campaign)

    @admin.display(description=_("next sending"))
    def next_sending(self, campaign: Campaign) -> str:
        at = summary.next_at(campaign, after=clock.now())
        if at is not None:
            return summary.moment(at)
        return str(campaign.get_occasion_display()) if campaign.status == parts.Status.RUNNING else "–"

    @admin.display(description=_("waiting"))
    def waiting(self, campaign: Any) -> str:
        return _count(campaign, "due")

    @admin.display(description=_("sent"))
    def sent(self, campaign: Any) -> str:
        return _count(campaign, "sent")

    @admin.display(description=_("held out"))
    def held_out(self, campaign: Any) -> str:
        return _count(campaign, "held_out")

    @action(description=_("Calendar"), url_path="open-calendar", icon="calendar_month")
    def open_calendar(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:campaigns_campaign_calendar"))

    # --- Its pages ----------------------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        pages = {
            "who": steps.who_page,
            "what": texts.what_page,
            "when": steps.when_page,
            "gift": steps.gift_page,
            "check": check.check_page,
            "reach": steps.reach_view,
            "preview": previews.preview_view,
            "needed": steps.needed_view,
            "figures": overview.figures_view,
            "act": overview.act_view,
            "results": results_page.results_page,
        }
        return [
            self.own_page("calendar/", self.calendar_view, "calendar"),
            *(
                self.own_page(f"<int:campaign_id>/{name}/", self._of(view), name)
                for name, view in pages.items()
            ),
            *super().get_urls(),
        ]

    def _of(self, view: Any) -> Any:
        """The page as a view of this admin."""

        def bound(request: HttpRequest, campaign_id: int) -> HttpResponse:
            answer: HttpResponse = view(self, request, campaign_id)
            return answer

        return bound

    def calendar_view(self, request: HttpRequest) -> HttpResponse:
        return calendar_page.calendar_page(self, request)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return start.start_page(self, request)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if not object_id.isdecimal() or len(object_id) > LONGEST_ID:
            raise Http404
        return overview.overview_page(self, request, parts.campaign_of(request, int(object_id)))


def _count(campaign: Any, status: str) -> str:
    return number_format((campaign.counts or {}).get(status, 0), force_grouping=True)
