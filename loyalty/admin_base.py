"""What the admin's pages share: texts by language, lists of millions, rows that nobody may change, downloads."""

import json
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList as DjangoChangeList
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Field, Model, QuerySet
from django.forms import Field as FormField
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action
from unfold.views import ChangeList

from loyalty.clock import now
from loyalty.exports import csv_response
from loyalty.translated import TranslatedTextField
from loyalty.translated_forms import TranslatedTextFormField

COUNTED_EXACTLY = 10_000


class EstimatingPaginator(Paginator):  # type: ignore[type-arg]
    """Counts up to ten thousand rows; beyond that the planner's estimate will do, for nobody turns that many pages."""

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        if not isinstance(rows, QuerySet) or rows.query.is_empty():
            return len(rows)
        counted = rows.order_by().values("pk")[: COUNTED_EXACTLY + 1].count()
        return counted if counted <= COUNTED_EXACTLY else max(counted, _estimate(rows))


def _estimate(rows: QuerySet[Any]) -> int:
    """How many rows PostgreSQL's planner expects, from its statistics."""
    plan: Any = json.loads(rows.order_by().values("pk").explain(format="json"))
    return int(plan[0]["Plan"]["Plan Rows"])


class HouseList(ChangeList):
    """A list that does not say “120 results (show all)” where nothing was searched or filtered."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if not self.query and not self.has_active_filters:
            self.full_result_count = self.result_count


class KantisAdmin(ModelAdmin):
    """The base of all model admins: texts by language, no full count of a table, bounded pages."""

    multiline_texts: ClassVar[Sequence[str]] = ()
    paginator = EstimatingPaginator
    show_full_result_count = False
    list_per_page = 50
    list_max_show_all = 0
    compressed_fields = True
    warn_unsaved_form = True
    list_filter_submit = True

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[DjangoChangeList]:
        return HouseList

    def own_page(self, route: str, view: Callable[..., HttpResponse], name: str) -> URLPattern:
        """A page beside Django's own, for ``get_urls``: named ``admin:<app>_<model>_<name>``, for staff only."""
        opts = self.model._meta
        return path(
            route, self.admin_site.admin_view(view), name=f"{opts.app_label}_{opts.model_name}_{name}"
        )

    def formfield_for_dbfield(
        self, db_field: Field[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> FormField | None:
        if isinstance(db_field, TranslatedTextField):
            return TranslatedTextFormField(
                multiline=db_field.name in self.multiline_texts,
                label=capfirst(db_field.verbose_name),
                help_text=db_field.help_text,
                required=not db_field.blank,
            )
        return super().formfield_for_dbfield(db_field, request, **kwargs)


class HistoryAdmin(SimpleHistoryAdmin, KantisAdmin):
    """For settings that staff edit: every change is kept with who made it, and shown under “History”."""


class ReadOnlyAdmin(KantisAdmin):
    """For rows that only the programme itself writes: seen by those who may, changed by nobody."""

    warn_unsaved_form = False

    def has_add_permission(self, request: HttpRequest, *_args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ReadOnlyInline(TabularInline):
    """Rows shown below what they belong to, to staff who hold ``permission``, and changed by nobody."""

    permission: ClassVar[str]
    extra = 0
    can_delete = False
    show_change_link = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(self.permission)


class ExportMixin(admin.ModelAdmin):
    """A “Download CSV” button above the list: all rows that the filters leave, streamed.

    ``export_columns`` are pairs of a heading and a function of the row.
    """

    export_columns: ClassVar[Sequence[tuple[Any, Callable[[Any], Any]]]] = ()
    actions_list: Any = ("download_csv",)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        query = request.GET.urlencode()
        if isinstance(response, TemplateResponse) and response.context_data and query:
            for button in response.context_data.get("actions_list", ()):
                if str(button.get("path", "")).endswith("/download-csv/"):
                    button["path"] = f"{button['path']}?{query}"
        return response

    def download_rows(self, request: HttpRequest) -> QuerySet[Any]:
        """The rows of the list as it is filtered and searched now, in its order."""
        changelist = self.get_changelist_instance(request)
        rows: QuerySet[Any] = changelist.get_queryset(request)
        return rows

    @action(description=_("Download CSV"), url_path="download-csv", icon="download")
    def download_csv(self, request: HttpRequest) -> StreamingHttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = self.download_rows(request)
        getters = [getter for _label, getter in self.export_columns]
        return csv_response(
            filename=f"{self.model._meta.model_name}-{now():%Y-%m-%d}.csv",
            header=[label for label, _getter in self.export_columns],
            rows=([getter(row) for getter in getters] for row in rows.iterator(chunk_size=2000)),
        )


def badge(text: Any, tone: str = "") -> SafeString:
    """A small label in one of the tones ``good``, ``bad``, ``warn``, ``note`` or plain."""
    return format_html('<span class="k-badge {}">{}</span>', f"k-{tone}" if tone else "", text)
