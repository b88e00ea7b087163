"""Backtests in the admin: those that run, with their progress, and what those that are done have found."""

from collections.abc import Mapping
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from loyalty import clock
from loyalty.admin_base import ReadOnlyAdmin, badge
from members.templatetags.member_admin import signed
from rewards import backtest
from rewards.admin.backtest_figures import backtest_url, compared, draft_url, shown
from rewards.admin.draft_changes import read_out
from rewards.models import Backtest

Status = Backtest.Status
_TONES = {Status.DONE: "good", Status.FAILED: "bad", Status.CANCELLED: "warn", Status.RUNNING: "note"}


@admin.register(Backtest)
class BacktestAdmin(ReadOnlyAdmin):
    """Backtests: those that run, with their progress, and those that are done, with what they found."""

    list_display = ("draft", "period", "state", "outcome", "requested_at", "requested_by")
    list_display_links = ("draft",)
    list_select_related = ("draft", "requested_by")
    list_filter = ("status",)

    def get_urls(self) -> list[URLPattern]:
        def own(route: str, view: Any, name: str) -> URLPattern:
            return path(route, self.admin_site.admin_view(view), name=f"rewards_backtest_{name}")

        return [
            own("<int:backtest_id>/cancel/", self.cancel_view, "cancel"),
            own("compare/", self.compare_page, "compare"),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Backtest]:
        backtest.mark_dead(at=clock.now())
        rows: QuerySet[Backtest] = super().get_queryset(request)
        return rows

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The progress while it runs, then the result."""
        made = self.get_object(request, object_id)
        if made is None:
            raise Http404
        if not self.has_view_permission(request, made):
            raise PermissionDenied
        others = Backtest.objects.filter(status=Status.DONE).exclude(pk=made.pk).select_related("draft")[:50]
        return self._answer(
            request,
            "admin/rewards/backtest.html",
            {
                "title": gettext("Backtest of “%(draft)s”") % {"draft": made.draft},
                "backtest": made,
                "changes": read_out(made.changes),
                "result": shown(made.result) if made.result else None,
                "underway": made.status in (Status.QUEUED, Status.RUNNING),
                "others": others if made.status == Status.DONE else (),
                "may_cancel": request.user.has_perm("rewards.add_backtest"),
                "draft_url": draft_url(made.draft_id),
            },
        )

    def cancel_view(self, request: HttpRequest, backtest_id: int) -> HttpResponse:
        if not request.user.has_perm("rewards.add_backtest"):
            raise PermissionDenied
        if request.method == "POST":
            if backtest.cancel(backtest_id=backtest_id, at=clock.now()):
                messages.success(request, gettext("The backtest will stop."))
            else:
                messages.info(request, gettext("The backtest has ended already."))
        return HttpResponseRedirect(backtest_url(backtest_id))

    def compare_page(self, request: HttpRequest) -> HttpResponse:
        """Two backtests side by side."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        pair = [self.get_object(request, request.GET.get(name, "0")) for name in ("one", "other")]
        if any(each is None or each.result is None for each in pair):
            raise Http404
        columns = [
            {"backtest": each, "result": shown(each.result), "url": backtest_url(each.pk)} for each in pair
        ]
        return self._answer(
            request,
            "admin/rewards/backtest_compare.html",
            {
                "title": gettext("Two backtests"),
                "columns": columns,
                "rows": compared(*(each.result for each in pair)),
            },
        )

    def _answer(self, request: HttpRequest, template: str, context: Mapping[str, Any]) -> HttpResponse:
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        return TemplateResponse(
            request, template, {**self.admin_site.each_context(request), "opts": self.opts, **context}
        )

    @admin.display(description=_("period"))
    def period(self, made: Backtest) -> str:
        return " – ".join(
            date_format(localtime(at), "SHORT_DATE_FORMAT") for at in (made.starts_at, made.ends_at)
        )

    @admin.display(description=_("state"))
    def state(self, made: Backtest) -> Any:
        return badge(made.get_status_display(), _TONES.get(Status(made.status), ""))

    @admin.display(description=_("change of points"))
    def outcome(self, made: Backtest) -> str:
        return signed(made.result["points"]["new"] - made.result["points"]["old"]) if made.result else "–"
