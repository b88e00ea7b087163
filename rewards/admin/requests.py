"""Adjustments that wait for a second person, in the admin: a list to decide, and what staff may do alone."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from loyalty import clock
from loyalty.admin_base import ExportMixin, HistoryAdmin, ReadOnlyAdmin, badge
from members.admin import member_link, signed
from rewards.adjustments import DecisionRefused, approve, reject
from rewards.ledger import InsufficientPoints
from rewards.models import AdjustmentRequest, AdjustmentSettings

DECIDE = "rewards.decide_adjustments"
TONES = {"waiting": "warn", "approved": "good", "rejected": "bad"}


@admin.register(AdjustmentRequest)
class AdjustmentRequestAdmin(ExportMixin, ReadOnlyAdmin):
    """What one person asked for and another decides; the database refuses a decision by who asked."""

    list_display = ("requested_at", "member_name", "change", "note", "requested_by", "state", "decided_by")
    list_select_related = ("member", "requested_by", "decided_by")
    list_filter = (("status", ChoicesDropdownFilter),)
    list_filter_submit = True
    readonly_fields = ("member_name", "change", "state")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("member_name", "change"),
                    "note",
                    ("requested_by", "requested_at"),
                    ("state", "decided_by", "decided_at"),
                )
            },
        ),
    )
    actions = ("approve_chosen", "reject_chosen")
    export_columns = (
        (_("requested at"), lambda row: row.requested_at),
        (_("card number"), lambda row: row.member.card_number),
        (_("points"), lambda row: row.points),
        (_("reason"), lambda row: row.note),
        (_("requested by"), lambda row: row.requested_by.email),
        (_("status"), lambda row: row.status),
        (_("decided by"), lambda row: row.decided_by.email if row.decided_by else ""),
        (_("decided at"), lambda row: row.decided_at),
    )

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(DECIDE)

    @admin.action(description=_("Approve and post"), permissions=["decide"])
    def approve_chosen(self, request: HttpRequest, rows: QuerySet[AdjustmentRequest]) -> None:
        self._decide(request, rows, approve, gettext("approved and posted"))

    @admin.action(description=_("Reject"), permissions=["decide"])
    def reject_chosen(self, request: HttpRequest, rows: QuerySet[AdjustmentRequest]) -> None:
        self._decide(request, rows, reject, gettext("rejected"))

    def _decide(
        self,
        request: HttpRequest,
        rows: QuerySet[AdjustmentRequest],
        decide: Callable[..., Any],
        outcome: str,
    ) -> None:
        """Decide one by one: what cannot be decided is said and does not hold up the others."""
        for row in rows.select_related("member").order_by("pk"):
            try:
                decide(request_id=row.pk, staff_id=request.user.pk, at=clock.now())
            except (DecisionRefused, InsufficientPoints) as refused:
                messages.error(request, f"{row}: {refused}")
            else:
                self.log_change(request, row, f"{outcome}: {row.points:+d}")
                messages.success(request, f"{row}: {outcome}.")

    @admin.display(description=_("member"))
    def member_name(self, row: AdjustmentRequest) -> Any:
        return member_link(row.member)

    @admin.display(description=_("points"), ordering="points")
    def change(self, row: AdjustmentRequest) -> str:
        return str(signed(row.points))

    @admin.display(description=_("status"), ordering="status")
    def state(self, row: AdjustmentRequest) -> Any:
        return badge(row.get_status_display(), TONES[row.status])


@admin.register(AdjustmentSettings)
class AdjustmentSettingsAdmin(HistoryAdmin):
    """What one person may do alone; every change is kept with who made it."""

    list_display = ("approval_above", "typed_above")
    list_display_links = ("approval_above",)
    fields = ("approval_above", "typed_above")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
