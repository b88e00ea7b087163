"""Refunds in the admin: what was refunded, and deciding those held."""

import functools
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter, RelatedDropdownFilter

from loyalty import clock
from loyalty.admin_base import ExportMixin, ReadOnlyAdmin, ReadOnlyInline, badge
from members.admin import member_link
from members.admin_scoped import MemberScopedAdmin
from rewards.admin.refunding import done_text, money, refund_page
from rewards.models import Refund, RefundLine
from rewards.refunds import (
    NotHeld,
    RefundOutcome,
    decide,
    foreseen,
)

MAY_DECIDE = "rewards.change_refund"


class RefundLineInline(ReadOnlyInline):
    """What came back."""

    model = RefundLine
    permission = "rewards.view_refund"
    fields = ("product", "quantity", "total")
    readonly_fields = fields
    verbose_name_plural = _("what came back")

    @admin.display(description=_("product"))
    def product(self, row: RefundLine) -> str:
        return str(row.line.product or row.line.category or "–")

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request)
        return rows.select_related("line__product", "line__category").order_by("line__position")


@admin.register(Refund)
class RefundAdmin(MemberScopedAdmin, ExportMixin, ReadOnlyAdmin):
    """What was refunded and what became of the points. Those held wait here for a decision."""

    list_display = (
        "occurred",
        "member_name",
        "activity_link",
        "worth",
        "state",
        "points",
        "forgiven",
        "external_id",
        "decided_by",
    )
    list_display_links = ("occurred",)
    list_select_related = ("member", "activity", "decided_by", "partner")
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("partner", RelatedDropdownFilter),
        ("occurred_at", RangeDateFilter),
    )
    search_fields = ("external_id",)
    search_help_text = _("The partner's number of the refund, in full")
    ordering = ("-id",)
    inlines = (RefundLineInline,)
    change_form_outer_after_template = "admin/rewards/decide_refund.html"
    readonly_fields = ("member_name", "activity_link", "worth", "state")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("member_name", "activity_link"),
                    ("occurred_at", "recorded_at"),
                    ("worth", "state"),
                    ("points", "forgiven"),
                    ("partner", "external_id"),
                    ("decided_by", "public_id"),
                )
            },
        ),
    )
    export_columns = (
        (_("id"), lambda row: row.public_id),
        (_("occurred at"), lambda row: row.occurred_at),
        (_("card number"), lambda row: row.member.card_number),
        (_("partner"), lambda row: row.partner.slug),
        (_("external id"), lambda row: row.external_id),
        (_("activity"), lambda row: row.activity.external_id),
        (_("amount"), lambda row: row.amount),
        (_("currency"), lambda row: row.activity.currency),
        (_("status"), lambda row: row.status),
        (_("points taken back"), lambda row: row.points),
        (_("points forgiven"), lambda row: row.forgiven),
    )

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        if wanted := search_term.strip().replace("\x00", ""):
            return queryset.filter(external_id=wanted), False
        return queryset, False

    def get_urls(self) -> list[URLPattern]:
        return [
            self.own_page("of/<int:activity_id>/", functools.partial(refund_page, self), "of"),
            self.own_page("<int:refund_id>/decide/", functools.partial(decide_page, self), "decide"),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        extra = dict(extra_context or {})
        row = self.get_object(request, object_id)
        if row is not None and row.status == Refund.Status.HELD and request.user.has_perm(MAY_DECIDE):
            extra |= {"held": row, "choices": _choices(row.pk, request.user.pk or 0)}
        return super().change_view(request, object_id, form_url, extra)

    @admin.display(description=_("occurred at"), ordering="occurred_at")
    def occurred(self, row: Refund) -> Any:
        return row.occurred_at

    @admin.display(description=_("member"))
    def member_name(self, row: Refund) -> SafeString:
        return member_link(row.member)

    @admin.display(description=_("activity"))
    def activity_link(self, row: Refund) -> SafeString:
        url = reverse("admin:members_activity_change", args=[row.activity_id])
        return format_html('<a class="k-link" href="{}">{}</a>', url, row.activity.external_id)

    @admin.display(description=_("amount"), ordering="amount")
    def worth(self, row: Refund) -> SafeString:
        return format_html('<span class="k-number">{}</span>', money(row.amount, row.activity.currency))

    @admin.display(description=_("status"))
    def state(self, row: Refund) -> Any:
        return badge(row.get_status_display(), "warn" if row.status == Refund.Status.HELD else "good")


def _choices(refund_id: int, staff_id: int) -> dict[str, RefundOutcome]:
    """What each decision would come to. Empty when somebody has just decided."""
    try:
        return {
            name: foreseen(
                functools.partial(
                    decide, refund_id=refund_id, forgive=forgive, staff_id=staff_id, at=clock.now()
                )
            )
            for name, forgive in (("take", False), ("forgive", True))
        }
    except NotHeld:
        return {}


def decide_page(model_admin: RefundAdmin, request: HttpRequest, refund_id: int) -> HttpResponse:
    """Post the decision on a held refund; of two staff members at once the first decides."""
    if not request.user.has_perm(MAY_DECIDE) or request.user.pk is None:
        raise PermissionDenied
    row = Refund.objects.filter(pk=refund_id).first()
    if row is None:
        raise Http404
    choice = request.POST.get("decision")
    if request.method == "POST" and choice in {"take", "forgive"}:
        try:
            outcome = decide(
                refund_id=refund_id, forgive=choice == "forgive", staff_id=request.user.pk, at=clock.now()
            )
        except NotHeld:
            messages.info(request, gettext("This refund was decided already; nothing was done twice."))
        else:
            model_admin.log_change(
                request, row, f"Decided: {outcome.points} points taken back, {outcome.forgiven} forgiven"
            )
            messages.success(request, done_text(outcome))
    return HttpResponseRedirect(reverse("admin:rewards_refund_change", args=[refund_id]))
