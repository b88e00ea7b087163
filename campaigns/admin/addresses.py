"""Addresses that are not written to again, and what mail and message services told of messages."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter

from campaigns import suppression
from campaigns.forms import LiftForm
from campaigns.models import Feedback, Suppression
from loyalty import clock
from loyalty.admin_base import ExportMixin, ReadOnlyAdmin, badge
from loyalty.form_page import form_page
from members.admin import member_link

LIFT = "campaigns.change_suppression"
_KINDS = {
    Feedback.Kind.DELIVERED: "good",
    Feedback.Kind.BOUNCE: "bad",
    Feedback.Kind.COMPLAINT: "bad",
    Feedback.Kind.PASSING: "warn",
    Feedback.Kind.UNSUBSCRIBE: "note",
}


class LiftedFilter(admin.SimpleListFilter):
    """In force unless somebody asks for those that were lifted."""

    title = _("lifted")
    parameter_name = "lifted"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("all", _("with lifted ones")), ("only", _("only lifted ones"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        match self.value():
            case "all":
                return queryset
            case "only":
                return queryset.filter(lifted_at__isnull=False)
        return queryset.filter(lifted_at__isnull=True)


@admin.register(Suppression)
class SuppressionAdmin(ExportMixin, ReadOnlyAdmin):  # type: ignore[misc]
    """Only hashes are kept; the member is named as long as they are one. Lifting takes a reason."""

    list_display = ("since", "way", "member_name", "why", "detail", "state")
    list_display_links = ("since",)
    list_select_related = ("member", "lifted_by")
    list_filter = (
        ("channel", ChoicesDropdownFilter),
        ("reason", ChoicesDropdownFilter),
        LiftedFilter,
        ("since", RangeDateFilter),
    )
    readonly_fields = ("member_name", "state")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("channel", "member_name"),
                    ("reason", "detail"),
                    ("since", "state"),
                    ("lifted_at", "lifted_by"),
                    "address_hash",
                )
            },
        ),
    )
    change_form_outer_after_template = "admin/campaigns/lift_link.html"
    export_columns = (
        (_("since"), lambda row: row.since),
        (_("channel"), lambda row: row.channel),
        (_("card number"), lambda row: row.member.card_number if row.member else ""),
        (_("reason"), lambda row: row.reason),
        (_("detail"), lambda row: row.detail),
        (_("lifted at"), lambda row: row.lifted_at),
    )

    def get_urls(self) -> list[URLPattern]:
        return [
            self.own_page("<int:suppression_id>/lift/", self.lift_view, "lift"),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        extra = dict(extra_context or {})
        if row is not None and row.lifted_at is None and request.user.has_perm(LIFT):
            extra["lift_url"] = reverse("admin:campaigns_suppression_lift", args=[row.pk])
        return super().change_view(request, object_id, form_url, extra)

    def lift_view(self, request: HttpRequest, suppression_id: int) -> HttpResponse:
        """Ask for the reason, then let the address be written to again. The reason stays in the history."""
        if not request.user.has_perm(LIFT):
            raise PermissionDenied
        row = Suppression.objects.filter(pk=suppression_id).first()
        if row is None:
            raise Http404
        back = reverse("admin:campaigns_suppression_change", args=[row.pk])
        form = LiftForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            if suppression.lift(suppression_id=row.pk, staff_id=request.user.pk, at=clock.now()):
                self.log_change(request, row, f"Lifted: {form.cleaned_data['reason']}")
                messages.success(request, gettext("The address may be written to again."))
            else:
                messages.info(request, gettext("It was lifted already."))
            return HttpResponseRedirect(back)
        return form_page(
            self,
            request,
            form=form,
            title=gettext("Write to this address again"),
            submit=gettext("Lift"),
            back=back,
        )

    @admin.display(description=_("channel"), ordering="channel")
    def way(self, row: Suppression) -> str:
        return str(row.get_channel_display())

    @admin.display(description=_("reason"), ordering="reason")
    def why(self, row: Suppression) -> str:
        return str(row.get_reason_display())

    @admin.display(description=_("member"))
    def member_name(self, row: Suppression) -> Any:
        return member_link(row.member) if row.member else "–"

    @admin.display(description=_("state"))
    def state(self, row: Suppression) -> SafeString:
        return badge(gettext("lifted")) if row.lifted_at else badge(gettext("in force"), "warn")


@admin.register(Feedback)
class FeedbackAdmin(ExportMixin, ReadOnlyAdmin):  # type: ignore[misc]
    """Every notice as it came, once."""

    list_display = ("happened_at", "state", "channel", "member_name", "detail", "source")
    list_display_links = ("happened_at",)
    list_select_related = ("message__member",)
    list_filter = (
        ("kind", ChoicesDropdownFilter),
        ("channel", ChoicesDropdownFilter),
        ("happened_at", RangeDateFilter),
    )
    search_fields = ("key",)
    search_help_text = _("Number of the notice")
    ordering = ("-id",)
    readonly_fields = ("member_name", "state", "its_message")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("state", "channel"),
                    ("member_name", "its_message"),
                    "detail",
                    ("source", "key"),
                    ("happened_at", "received_at"),
                )
            },
        ),
    )
    export_columns = (
        (_("happened at"), lambda row: row.happened_at),
        (_("kind"), lambda row: row.kind),
        (_("channel"), lambda row: row.channel),
        (_("source"), lambda row: row.source),
        (_("message"), lambda row: row.message_id),
        (_("detail"), lambda row: row.detail),
    )

    @admin.display(description=_("kind"), ordering="kind")
    def state(self, row: Feedback) -> SafeString:
        return badge(row.get_kind_display(), _KINDS.get(Feedback.Kind(row.kind), ""))

    @admin.display(description=_("member"))
    def member_name(self, row: Feedback) -> Any:
        return member_link(row.message.member) if row.message else "–"

    @admin.display(description=_("message"))
    def its_message(self, row: Feedback) -> Any:
        if row.message is None:
            return "–"
        url = reverse("admin:campaigns_message_change", args=[row.message.pk])
        return format_html('<a class="k-link" href="{}">#{}</a>', url, row.message.pk)
