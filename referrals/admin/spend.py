"""What channels cost: entered by hand."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter

from loyalty import clock
from loyalty.admin_base import ExportMixin, KantisAdmin
from referrals.models import ChannelSpend
from rewards.vouchers.wording import money_text


@admin.register(ChannelSpend)
class ChannelSpendAdmin(ExportMixin, KantisAdmin):  # type: ignore[misc]
    """Money spent on a channel in a period, in the base currency."""

    list_display = ("channel", "starts_on", "ends_on", "amount_shown", "reference", "source")
    list_filter = (
        ("channel", ChoicesDropdownFilter),
        ("source", ChoicesDropdownFilter),
        ("starts_on", RangeDateFilter),
    )
    search_fields = ("reference", "note")
    fields = ("channel", ("starts_on", "ends_on"), "amount", "reference", "note")
    export_columns = (
        ("channel", lambda row: row.channel),
        ("starts_on", lambda row: row.starts_on),
        ("ends_on", lambda row: row.ends_on),
        ("amount", lambda row: row.amount),
        ("reference", lambda row: row.reference),
        ("note", lambda row: row.note),
    )

    def save_model(self, request: HttpRequest, obj: ChannelSpend, form: Any, change: bool) -> None:
        obj.entered_at = clock.now()
        obj.source = ChannelSpend.Source.STAFF
        super().save_model(request, obj, form, change)

    @admin.display(description=_("amount"), ordering="amount")
    def amount_shown(self, row: ChannelSpend) -> SafeString | str:
        return money_text(row.amount)
