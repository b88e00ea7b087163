"""Refunds in the admin: what was refunded, refunding by staff with a preview, deciding those held, and the policy.

Also what the points floor puts below an activity: why these points, and its refunds.
"""

import functools
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter, RelatedDropdownFilter
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
)

from loyalty import clock
from loyalty.admin_base import ExportMixin, ReadOnlyAdmin, badge
from loyalty.form_page import form_page
from loyalty.translated import in_language
from members import admin_parts
from members.admin import member_link
from members.admin_scoped import MemberScopedAdmin
from members.models import Activity
from rewards.admin.terms import TermsAdmin
from rewards.explanations import explain
from rewards.models import Refund, RefundLine, RefundPolicy
from rewards.refund_parts import Left, Order, Returned, is_empty
from rewards.refunds import (
    NotHeld,
    RefundConflict,
    RefundOutcome,
    RefundRefused,
    decide,
    foreseen,
    left_of,
    policy_at,
    refund,
)
from rewards.revisions import revise_refunds
from rewards.rule_form import DatedForm
from rewards.statement_reasons import refunds_of
from rewards.wording import number

MAY_REFUND, MAY_DECIDE = "rewards.add_refund", "rewards.change_refund"
MOST_SKUS = 60


def money(amount: Decimal, currency: str) -> str:
    return f"{number_format(amount, 2, force_grouping=True)} {currency}"


# --- The policy -------------------------------------------------------------------------------------------------------


class RefundPolicyForm(DatedForm):
    """What is to happen to points that were spent already."""

    spent = forms.ChoiceField(
        label=_("Points already spent"), choices=RefundPolicy.Spent.choices, widget=UnfoldAdminSelectWidget()
    )
    field_order: ClassVar[list[str]] = ["spent", "valid_from"]


@admin.register(RefundPolicy)
class RefundPolicyAdmin(TermsAdmin):
    """What happens to points spent of a purchase that is refunded, through time."""

    revise_title = _("New refund policy")
    list_display = ("begins", "spent", "state")
    fields = ("valid_from", "spent")

    def new_form(self, request: HttpRequest) -> forms.Form:
        return RefundPolicyForm(request.POST or None, initial={"spent": policy_at(clock.now())})

    def revise(self, form: Any, at: datetime) -> RefundPolicy:
        return revise_refunds(
            spent=form.cleaned_data["spent"], at=at, valid_from=form.cleaned_data["valid_from"]
        )


# --- Refunds and the decision on those held ---------------------------------------------------------------------------


class RefundLineInline(TabularInline):
    """What came back."""

    model = RefundLine
    fields = ("product", "quantity", "total")
    readonly_fields = fields
    extra = 0
    can_delete = False
    show_change_link = False
    verbose_name_plural = _("what came back")

    @admin.display(description=_("product"))
    def product(self, row: RefundLine) -> str:
        return str(row.line.product or row.line.category or "–")

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request)
        return rows.select_related("line__product", "line__category").order_by("line__position")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("rewards.view_refund")


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
        def own(route: str, view: Callable[..., HttpResponse], name: str) -> URLPattern:
            return path(
                route,
                self.admin_site.admin_view(functools.partial(view, self)),
                name=f"rewards_refund_{name}",
            )

        return [
            own("of/<int:activity_id>/", refund_page, "of"),
            own("<int:refund_id>/decide/", decide_page, "decide"),
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
            messages.success(request, _done(outcome))
    return HttpResponseRedirect(reverse("admin:rewards_refund_change", args=[refund_id]))


def _done(outcome: RefundOutcome) -> str:
    if outcome.status == Refund.Status.HELD:
        return gettext(
            "Refunded. Points of the purchase were spent already, so the refund waits for a decision."
        )
    text = ngettext(
        "Refunded; %(points)s point was taken back.",
        "Refunded; %(points)s points were taken back.",
        outcome.points,
    )
    return text % {"points": number(outcome.points)}


# --- Refunding by staff -----------------------------------------------------------------------------------------------


class RefundForm(forms.Form):
    """What comes back of an activity. ``token`` makes the form good for one refund."""

    ALL, AMOUNT, LINES = "all", "amount", "lines"

    way = forms.ChoiceField(label=_("What is refunded"), widget=UnfoldAdminRadioSelectWidget())
    amount = forms.DecimalField(
        label=_("Amount"),
        required=False,
        max_digits=12,
        decimal_places=2,
        min_value=Decimal("0.01"),
        widget=UnfoldAdminDecimalFieldWidget(),
    )
    token = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, data: Any, *, left: Left, currency: str) -> None:
        super().__init__(data, initial={"token": uuid.uuid4(), "way": self.ALL})
        self.skus = _skus_left(left)
        ways = [
            (self.ALL, gettext("All that is left: %(left)s") % {"left": money(left.total, currency)}),
            (self.AMOUNT, gettext("An amount of money")),
        ]
        if self.skus:
            ways.append((self.LINES, gettext("Some of the goods")))
        self.fields["way"].choices = ways  # type: ignore[attr-defined]
        for place, (sku, (label, quantity)) in enumerate(self.skus.items()):
            self.fields[f"quantity_{place}"] = forms.DecimalField(
                label=gettext("%(product)s: how many come back") % {"product": label},
                required=False,
                min_value=Decimal(0),
                max_value=quantity,
                decimal_places=3,
                help_text=gettext("%(sku)s, %(left)s left")
                % {"sku": sku, "left": f"{quantity.normalize():f}"},
                widget=UnfoldAdminDecimalFieldWidget(),
            )

    def order(self) -> Order:
        data = self.cleaned_data
        if data["way"] == self.AMOUNT:
            return Order(amount=data["amount"])
        if data["way"] == self.LINES:
            return Order(lines=tuple(self._returned()))
        return Order(everything=True)

    def _returned(self) -> list[Returned]:
        given = ((sku, self.cleaned_data[f"quantity_{place}"]) for place, sku in enumerate(self.skus))
        return [Returned(sku, quantity) for sku, quantity in given if quantity]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if data.get("way") == self.AMOUNT and not data.get("amount") and "amount" not in self.errors:
            self.add_error("amount", gettext("Give the amount that is refunded."))
        if data.get("way") == self.LINES and not self.errors and not self._returned():
            self.add_error("way", gettext("Say how many of which product come back."))
        return data


def _skus_left(left: Left) -> dict[str, tuple[str, Decimal]]:
    """By SKU, what it is and how much of it is left; none for receipts longer than a page can ask about."""
    found: dict[str, tuple[str, Decimal]] = {}
    for part, facts in left.lines:
        if facts.sku and part.quantity:
            label, quantity = found.get(facts.sku, (facts.category or facts.sku, Decimal(0)))
            found[facts.sku] = (label, quantity + part.quantity)
    return found if len(found) <= MOST_SKUS else {}


def refund_page(model_admin: RefundAdmin, request: HttpRequest, activity_id: int) -> HttpResponse:
    """Ask what comes back; show what becomes of the points; refund when that is confirmed."""
    if not request.user.has_perm(MAY_REFUND) or not request.user.has_perm("members.view_activity"):
        raise PermissionDenied
    activity = (
        Activity.objects.select_related("store", "channel", "member__tier").filter(pk=activity_id).first()
    )
    if activity is None:
        raise Http404
    left = left_of(activity)
    form = RefundForm(request.POST or None, left=left, currency=activity.currency)
    preview: RefundOutcome | None = None
    if request.method == "POST" and form.is_valid() and "edit" not in request.POST:
        work = functools.partial(
            refund,
            activity_id=activity.pk,
            external_id=f"staff-{form.cleaned_data['token']}",
            order=form.order(),
            at=clock.now(),
            staff_id=request.user.pk,
        )
        try:
            if "confirm" in request.POST:
                return _made(model_admin, request, activity, work())
            preview = foreseen(work)
            for field in form.fields.values():  # what is confirmed is what was seen
                field.widget = forms.HiddenInput()
        except (RefundRefused, RefundConflict) as refused:
            _blame(form, refused)
    return form_page(
        model_admin,
        request,
        form=form,
        title=gettext("Refund"),
        submit=gettext("Continue"),
        back=reverse("admin:members_activity_change", args=[activity.pk]),
        template="admin/rewards/refund.html",
        context={
            "activity": activity,
            "preview": preview,
            "reasons": _reasons(preview) if preview else [],
            "amount": money(preview.amount, activity.currency) if preview else "",
            "policy": RefundPolicy.Spent(policy_at(clock.now())).label,
            "nothing_left": is_empty(left) and activity.refunds.exists(),
        },
    )


def _blame(form: RefundForm, refused: RefundRefused | RefundConflict) -> None:
    field = getattr(refused, "field", "")
    form.add_error("amount" if field == "amount" else "way", str(refused))


def _reasons(outcome: RefundOutcome) -> list[tuple[str, int]]:
    return [(in_language(each.names) or each.rule, each.points) for each in outcome.taken_back]


def _made(
    model_admin: RefundAdmin, request: HttpRequest, activity: Activity, outcome: RefundOutcome
) -> HttpResponse:
    """Note it in the log and go back to the activity."""
    if outcome.replayed:
        messages.info(request, gettext("This refund was made already; nothing was done twice."))
    else:
        row = Refund.objects.get(public_id=outcome.refund_id)
        model_admin.log_addition(
            request, row, f"Refunded {outcome.amount} {activity.currency}: {outcome.points} points taken back"
        )
        messages.success(request, _done(outcome))
    return HttpResponseRedirect(reverse("admin:members_activity_change", args=[activity.pk]))


# --- Below an activity ------------------------------------------------------------------------------------------------


def _why(activity: Activity, request: HttpRequest) -> Mapping[str, Any]:
    return {"explanations": explain(activity)}


def _refunds(activity: Activity, request: HttpRequest) -> Mapping[str, Any]:
    rows = refunds_of([activity.pk]).get(activity.pk, [])
    may = request.user.has_perm(MAY_REFUND)
    return {
        "activity": activity,
        "refunds": rows,
        "refund_url": reverse("admin:rewards_refund_of", args=[activity.pk])
        if may and not (rows and is_empty(left_of(activity)))
        else "",
    }


admin_parts.add_activity_panel(
    admin_parts.Panel(
        key="why",
        permission="rewards.view_transfer",
        template="admin/rewards/why.html",
        context=_why,
    )
)
admin_parts.add_activity_panel(
    admin_parts.Panel(
        key="refunds",
        permission="rewards.view_refund",
        template="admin/rewards/refunds.html",
        context=_refunds,
    )
)
