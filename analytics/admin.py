"""The nightly figures in the admin, a row a day."""

from django.contrib import admin
from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RangeDateFilter

from analytics.models import DailyFigures
from loyalty.admin_base import ExportMixin, ReadOnlyAdmin
from loyalty.programme import current

_FIGURES = (
    "members",
    "new_members",
    "active_members",
    "purchases",
    "revenue",
    "points_issued",
    "points_redeemed",
    "points_expired",
    "points_adjusted",
    "points_outstanding",
)


@admin.register(DailyFigures)
class DailyFiguresAdmin(ExportMixin, ReadOnlyAdmin):
    """What each day came to. Recomputed by the nightly run, never typed in."""

    list_display = (
        "day",
        "members",
        "new_members",
        "active_members",
        "purchases",
        "money",
        "points_issued",
        "points_redeemed",
        "points_expired",
        "points_outstanding",
    )
    list_filter = (("date", RangeDateFilter),)
    ordering = ("-date",)
    list_fullwidth = True
    fields = (
        "date",
        ("members", "new_members"),
        ("active_members", "purchases"),
        "revenue",
        ("points_issued", "points_redeemed"),
        ("points_expired", "points_adjusted"),
        "points_outstanding",
        ("computed_at", "definition"),
    )
    export_columns = (
        (_("date"), lambda row: row.date.isoformat()),
        *(
            (DailyFigures._meta.get_field(name).verbose_name, lambda row, name=name: getattr(row, name))
            for name in _FIGURES
        ),
    )

    @admin.display(description=_("date"), ordering="date")
    def day(self, figures: DailyFigures) -> str:
        return date_format(figures.date, "SHORT_DATE_FORMAT")

    @admin.display(description=_("revenue"), ordering="revenue")
    def money(self, figures: DailyFigures) -> SafeString:
        amount = number_format(figures.revenue, 2, force_grouping=True)
        return format_html('<span class="k-number">{} {}</span>', amount, current().base_currency)
