"""Causes in the admin: made without code, their totals, the gifts, and the payments that staff write down."""

import uuid
from decimal import Decimal
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import DecimalField, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RangeDateFilter, RelatedDropdownFilter

from loyalty import clock, programme
from loyalty.admin_base import ExportMixin, HistoryAdmin, ReadOnlyAdmin, badge
from loyalty.form_page import form_page
from members.admin import member_link
from members.admin_scoped import MemberScopedAdmin
from rewards.causes import giving, payouts
from rewards.causes.forms import SECTIONS, CauseForm, PayoutForm, WithdrawForm
from rewards.causes.payouts import PayoutRefused
from rewards.causes.totals import totals_of
from rewards.challenges.admin import take_picture
from rewards.models import Cause, Donation, Payout

MAY_PAY = "rewards.add_payout"
MAY_WITHDRAW = "rewards.change_payout"


def _money(amount: Any) -> SafeString:
    text = number_format(amount, 2, force_grouping=True)
    return format_html('<span class="k-number">{} {}</span>', text, programme.current().base_currency)


@admin.register(Cause)
class CauseAdmin(HistoryAdmin):
    """Causes with what they were given, what was paid on and what is still to be paid."""

    form = CauseForm
    fieldsets = SECTIONS
    multiline_texts: ClassVar = ("descriptions", "thanks")
    list_display = ("name", "code", "state", "given", "paid", "due")
    list_display_links = ("name",)
    list_filter = ("is_active",)
    search_fields = ("code", "names__fi", "names__sv", "names__en", "recipient")
    ordering = ("code",)
    change_form_outer_before_template = "admin/rewards/cause_panel.html"

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("code",) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Cause, form: CauseForm, change: bool) -> None:
        take_picture(obj, form)
        super().save_model(request, obj, form, change)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.payout_view)
        return [path("<int:cause_id>/pay/", view, name="rewards_cause_pay"), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Cause]:
        rows: QuerySet[Cause] = super().get_queryset(request).select_related("picture")
        gifts = Donation.objects.filter(cause=OuterRef("pk"), cancelled_at=None)
        paid = Payout.objects.filter(cause=OuterRef("pk"), withdrawn_at=None)
        return rows.annotate(given_sum=_sum_of(gifts), paid_sum=_sum_of(paid))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        cause, extra = self.get_object(request, object_id), dict(extra_context or {})
        if isinstance(cause, Cause):
            totals = totals_of([cause])[cause.pk]
            extra |= {
                "cause": cause,
                "cause_state": self.state(cause),
                "totals": totals,
                "sums": [
                    (_("given"), _money(totals.given)),
                    (_("paid on"), _money(totals.paid)),
                    (_("still to be paid"), _money(totals.due)),
                    (_("points"), number_format(totals.points, force_grouping=True)),
                    (_("members"), number_format(totals.givers, force_grouping=True)),
                ],
                "least": giving.least_of(cause),
                "may_pay": request.user.has_perm(MAY_PAY),
            }
        return super().change_view(request, object_id, form_url, extra)

    def payout_view(self, request: HttpRequest, cause_id: int) -> HttpResponse:
        """Write down a payment; the same form sent twice writes one."""
        cause = Cause.objects.filter(pk=cause_id).first()
        if cause is None:
            raise Http404
        if not request.user.has_perm(MAY_PAY) or request.user.pk is None:
            raise PermissionDenied
        at, back = clock.now(), reverse("admin:rewards_cause_change", args=[cause_id])
        today, due = clock.local_date(at, programme.current().time_zone), totals_of([cause])[cause_id].due
        form = PayoutForm(
            request.POST or None, initial={"token": uuid.uuid4(), "paid_on": today, "amount": due or None}
        )
        if request.method == "POST" and form.is_valid():
            try:
                row, is_new = payouts.record(
                    cause_id=cause_id, staff_id=request.user.pk, at=at, today=today, **form.cleaned_data
                )
            except PayoutRefused as refused:
                form.add_error(refused.field, str(refused))
            else:
                if is_new:
                    self.log_change(request, cause, f"Paid on {row.amount} ({row.reference})")
                    messages.success(request, gettext("Written down; everybody sees it now."))
                return HttpResponseRedirect(back)
        return form_page(
            self,
            request,
            form=form,
            title=gettext("Write down a payment to %(cause)s") % {"cause": cause},
            submit=gettext("Write it down"),
            back=back,
        )

    @admin.display(description=_("name"))
    def name(self, cause: Cause) -> str:
        return cause.name or cause.code

    @admin.display(description=_("state"))
    def state(self, cause: Cause) -> SafeString:
        if giving.is_open(cause, at=clock.now()):
            return badge(gettext("takes gifts"), "good")
        return badge(gettext("opens later") if cause.is_active and _is_ahead(cause) else gettext("closed"))

    @admin.display(description=_("given"), ordering="given_sum")
    def given(self, cause: Any) -> SafeString:
        return _money(cause.given_sum)

    @admin.display(description=_("paid on"), ordering="paid_sum")
    def paid(self, cause: Any) -> SafeString:
        return _money(cause.paid_sum)

    @admin.display(description=_("still to be paid"))
    def due(self, cause: Any) -> SafeString:
        return _money(max(cause.given_sum - cause.paid_sum, 0))


def _sum_of(rows: QuerySet[Any]) -> Coalesce:
    """The sum of the amounts of a cause's rows, as a column of the cause."""
    sums = rows.order_by().values("cause").annotate(sum=Sum("amount")).values("sum")
    return Coalesce(Subquery(sums), Decimal(0), output_field=DecimalField())


def _is_ahead(cause: Cause) -> bool:
    return cause.opens_at is not None and cause.opens_at > clock.now()


@admin.register(Donation)
class DonationAdmin(MemberScopedAdmin, ExportMixin, ReadOnlyAdmin):
    """Every gift. One is taken back by cancelling its redemption."""

    list_display = ("given_at", "member_name", "cause", "points", "worth", "state", "redemption_link")
    list_display_links = ("given_at",)
    list_select_related = ("member", "cause", "redemption")
    list_filter = (("cause", RelatedDropdownFilter), ("given_at", RangeDateFilter))
    search_fields = ("member__card_number",)
    search_help_text = _("The member's card number")
    ordering = ("-id",)
    fields = ("member_name", "cause", "points", "worth", "given_at", "cancelled_at", "redemption_link")
    readonly_fields = ("member_name", "worth", "redemption_link")
    export_columns = (
        (_("given at"), lambda row: row.given_at),
        (_("card number"), lambda row: row.member.card_number),
        (_("cause"), lambda row: row.cause.code),
        (_("recipient"), lambda row: row.cause.recipient),
        (_("points"), lambda row: row.points),
        (_("amount"), lambda row: row.amount),
        (_("taken back at"), lambda row: row.cancelled_at),
        (_("redemption"), lambda row: row.redemption.public_id),
    )

    @admin.display(description=_("member"))
    def member_name(self, row: Donation) -> SafeString:
        return member_link(row.member)

    @admin.display(description=_("amount"), ordering="amount")
    def worth(self, row: Donation) -> SafeString:
        return _money(row.amount)

    @admin.display(description=_("state"))
    def state(self, row: Donation) -> SafeString:
        return badge(gettext("taken back"), "warn") if row.cancelled_at else badge(gettext("given"), "good")

    @admin.display(description=_("redemption"))
    def redemption_link(self, row: Donation) -> SafeString:
        url = reverse("admin:rewards_redemption_change", args=[row.redemption_id])
        return format_html('<a class="k-link" href="{}">#{}</a>', url, row.redemption_id)


@admin.register(Payout)
class PayoutAdmin(ExportMixin, ReadOnlyAdmin):
    """What was paid on. A wrong one is taken back with a reason, never changed."""

    list_display = ("paid_on", "cause", "worth", "reference", "staff", "state")
    list_select_related = ("cause", "staff", "withdrawn_by")
    list_filter = (("cause", RelatedDropdownFilter), ("paid_on", RangeDateFilter))
    search_fields = ("reference",)
    ordering = ("-paid_on", "-id")
    fields = (
        *("cause", "worth", "paid_on", "reference", "staff", "recorded_at"),
        *("withdrawn_at", "withdrawn_by", "withdrawn_note"),
    )
    readonly_fields = ("worth",)
    change_form_outer_after_template = "admin/rewards/payout_panel.html"
    export_columns = (
        (_("paid on"), lambda row: row.paid_on),
        (_("cause"), lambda row: row.cause.code),
        (_("recipient"), lambda row: row.cause.recipient),
        (_("amount"), lambda row: row.amount),
        (_("reference"), lambda row: row.reference),
        (_("staff member"), lambda row: row.staff.email),
        (_("recorded at"), lambda row: row.recorded_at),
        (_("taken back at"), lambda row: row.withdrawn_at),
        (_("why it was taken back"), lambda row: row.withdrawn_note),
    )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.withdraw_view)
        return [path("<int:payout_id>/withdraw/", view, name="rewards_payout_withdraw"), *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row, extra = self.get_object(request, object_id), dict(extra_context or {})
        if row is not None and row.withdrawn_at is None and request.user.has_perm(MAY_WITHDRAW):
            extra["payout"] = row
        return super().change_view(request, object_id, form_url, extra)

    def withdraw_view(self, request: HttpRequest, payout_id: int) -> HttpResponse:
        """Take a payment back that was written down wrongly."""
        row = Payout.objects.select_related("cause").filter(pk=payout_id).first()
        if row is None:
            raise Http404
        if not request.user.has_perm(MAY_WITHDRAW) or request.user.pk is None:
            raise PermissionDenied
        back, form = (
            reverse("admin:rewards_payout_change", args=[payout_id]),
            WithdrawForm(request.POST or None),
        )
        if request.method == "POST" and form.is_valid():
            done = payouts.withdraw(
                payout_id=payout_id, staff_id=request.user.pk, note=form.cleaned_data["note"], at=clock.now()
            )
            if done:
                self.log_change(request, row, "Taken back")
                messages.success(request, gettext("Taken back; it no longer counts."))
            return HttpResponseRedirect(back)
        return form_page(
            self,
            request,
            form=form,
            title=gettext("Take the payment back"),
            submit=gettext("Take it back"),
            back=back,
        )

    @admin.display(description=_("amount"), ordering="amount")
    def worth(self, row: Payout) -> SafeString:
        return _money(row.amount)

    @admin.display(description=_("state"))
    def state(self, row: Payout) -> SafeString:
        return badge(gettext("taken back"), "warn") if row.withdrawn_at else badge(gettext("counts"), "good")
