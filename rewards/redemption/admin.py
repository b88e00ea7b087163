"""Redemptions in the admin: the queue to hand over, search by member or code, redeeming for a member, the terms."""

import functools
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter, RelatedDropdownFilter
from unfold.decorators import action

from loyalty import clock
from loyalty.admin_base import ExportMixin, ReadOnlyAdmin, badge
from loyalty.form_page import form_page
from members import admin_parts
from members.admin import member_link
from members.admin_scoped import MemberScopedAdmin
from members.models import Member
from members.search import search
from rewards.admin.terms import TermsAdmin
from rewards.catalogue.listing import catalogue
from rewards.models import Redemption, RedemptionStep, RedemptionTerms
from rewards.redemption import ending, placing, queries
from rewards.redemption.forms import ReasonForm, RedeemForm, RedemptionTermsForm
from rewards.redemption.queries import code_of, name_of
from rewards.redemption.refusals import RedemptionConflict, Refused, Unavailable
from rewards.redemption.terms import terms_at
from rewards.revisions import revise_redemptions

MAY_FULFIL, MAY_CANCEL = "rewards.fulfil_redemption", "rewards.cancel_redemption"
MAY_REDEEM = "rewards.redeem_for_member"
State, Via = Redemption.State, Redemption.Via
_TONES = {State.RESERVED: "warn", State.ISSUED: "note", State.FULFILLED: "good"}
_TERMS = ("grace_days", "cancel_days", "point_value", "least_points", "point_step")


@admin.register(RedemptionTerms)
class RedemptionTermsAdmin(TermsAdmin):
    """Grace, cancelling and points as money, through time."""

    revise_title = _("New terms of redemptions")
    list_display = ("begins", *_TERMS, "state")
    fields = ("valid_from", *_TERMS)

    def new_form(self, request: HttpRequest) -> forms.Form:
        latest = RedemptionTerms.objects.order_by("-valid_from").first() or terms_at(clock.now())
        initial = {name: getattr(latest, name) for name in _TERMS}
        return RedemptionTermsForm(request.POST or None, initial=initial)

    def revise(self, form: RedemptionTermsForm, at: datetime) -> RedemptionTerms:
        data = form.cleaned_data
        terms = {name: data[name] for name in _TERMS}
        return revise_redemptions(at=at, valid_from=data["valid_from"], **terms)


class StepInline(TabularInline):
    """What happened, by whom and why."""

    model = RedemptionStep
    fields = ("at", "to_state", "via", "partner", "staff", "note")
    readonly_fields = fields
    extra = 0
    can_delete = False
    show_change_link = False
    verbose_name_plural = _("what happened")

    def get_queryset(self, request: HttpRequest) -> QuerySet[RedemptionStep]:
        return super().get_queryset(request).select_related("partner", "staff")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("rewards.view_redemption")


@admin.register(Redemption)
class RedemptionAdmin(MemberScopedAdmin, ExportMixin, ReadOnlyAdmin):
    """What was redeemed. What waits to be handed over is one click away."""

    member_tab = "redemptions"
    list_display = ("redeemed", "member_name", "what", "points", "shown_code", "state_badge", "collect_by")
    list_display_links = ("redeemed",)
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("reward", RelatedDropdownFilter),
        ("via", ChoicesDropdownFilter),
        ("partner", RelatedDropdownFilter),
        ("redeemed_at", RangeDateFilter),
    )
    search_fields = ("code",)
    search_help_text = _("The code shown, or the member: card number, e-mail address, name")
    ordering = ("-id",)
    inlines = (StepInline,)
    actions_list = ("hand_over_queue", "redeem_for_member", "download_csv")
    change_form_outer_after_template = "admin/rewards/redemption_steps.html"
    readonly_fields = ("member_name", "what", "shown_code", "state_badge")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("member_name", "what"),
                    ("state_badge", "shown_code"),
                    ("points", "money"),
                    ("redeemed_at", "collect_by", "ended_at"),
                    ("via", "partner", "external_id"),
                    ("public_id",),
                )
            },
        ),
    )
    export_columns = (
        (_("id"), lambda row: row.public_id),
        (_("redeemed at"), lambda row: row.redeemed_at),
        (_("card number"), lambda row: row.member.card_number),
        (_("reward"), lambda row: row.reward.code if row.reward else ""),
        (_("state"), lambda row: row.state),
        (_("points"), lambda row: row.points),
        (_("money"), lambda row: row.money),
        (_("by way of"), lambda row: row.via),
        (_("partner"), lambda row: row.partner.slug if row.partner else ""),
        (_("external id"), lambda row: row.external_id if row.partner else ""),
        (_("to be collected by"), lambda row: row.collect_by),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Redemption]:
        return queries.full(super().get_queryset(request))

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        if not (wanted := search_term.strip().replace("\x00", "")):
            return queryset, False
        members = search(Member.objects.all(), wanted).values("pk")
        return queryset.filter(
            Q(pk__in=queries.with_code(wanted).values("pk")) | Q(member__in=members)
        ), False

    def get_urls(self) -> list[URLPattern]:
        def own(route: str, view: Callable[..., HttpResponse], name: str) -> URLPattern:
            wrapped = self.admin_site.admin_view(functools.partial(view, self))
            return path(route, wrapped, name=f"rewards_redemption_{name}")

        return [
            own("for-member/", redeem_page, "for_member"),
            own("<int:redemption_id>/fulfil/", fulfil_page, "fulfil"),
            own("<int:redemption_id>/cancel/", cancel_page, "cancel"),
            *super().get_urls(),
        ]

    @action(description=_("To be handed over"), url_path="queue", icon="hand_package")
    def hand_over_queue(self, request: HttpRequest) -> HttpResponse:
        url = reverse("admin:rewards_redemption_changelist")
        return HttpResponseRedirect(f"{url}?state__exact={State.RESERVED}&o=7")

    @action(description=_("Redeem for a member"), url_path="redeem", icon="redeem")
    def redeem_for_member(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:rewards_redemption_for_member"))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        extra = dict(extra_context or {})
        row = self.get_object(request, object_id)
        if row is not None:
            extra["redemption"] = row
            extra["may_fulfil"] = row.state == State.RESERVED and request.user.has_perm(MAY_FULFIL)
            extra["may_cancel"] = row.state in ending.HOLDING and request.user.has_perm(MAY_CANCEL)
        return super().change_view(request, object_id, form_url, extra)

    @admin.display(description=_("redeemed at"), ordering="redeemed_at")
    def redeemed(self, row: Redemption) -> Any:
        return row.redeemed_at

    @admin.display(description=_("member"))
    def member_name(self, row: Redemption) -> SafeString:
        return member_link(row.member)

    @admin.display(description=_("reward"))
    def what(self, row: Redemption) -> str:
        return name_of(row)

    @admin.display(description=_("code"))
    def shown_code(self, row: Redemption) -> SafeString | str:
        code = code_of(row)[0]
        return format_html('<span class="k-number">{}</span>', code) if code else "–"

    @admin.display(description=_("state"), ordering="state")
    def state_badge(self, row: Redemption) -> Any:
        return badge(row.get_state_display(), _TONES.get(State(row.state), ""))


def fulfil_page(model_admin: RedemptionAdmin, request: HttpRequest, redemption_id: int) -> HttpResponse:
    """Note that it was handed over; of two staff members at once the first does."""
    if not request.user.has_perm(MAY_FULFIL) or request.user.pk is None:
        raise PermissionDenied
    row = _row(redemption_id)
    if request.method == "POST":
        try:
            ending.fulfil(redemption_id=row.pk, via=Via.STAFF, staff_id=request.user.pk, at=clock.now())
        except Refused as refused:
            messages.error(request, str(refused))
        else:
            model_admin.log_change(request, row, "Handed over")
            messages.success(request, gettext("Handed over."))
    return _back_to(row)


def cancel_page(model_admin: RedemptionAdmin, request: HttpRequest, redemption_id: int) -> HttpResponse:
    """Ask for the reason, then cancel: the points go back to where they came from."""
    if not request.user.has_perm(MAY_CANCEL) or request.user.pk is None:
        raise PermissionDenied
    row = _row(redemption_id)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        note = form.cleaned_data["note"]
        try:
            ending.cancel(
                redemption_id=row.pk, via=Via.STAFF, staff_id=request.user.pk, at=clock.now(), note=note
            )
        except Refused as refused:
            form.add_error(None, str(refused))
        else:
            model_admin.log_change(request, row, f"Cancelled: {note}")
            messages.success(request, gettext("Cancelled; the points are back where they came from."))
            return _back_to(row)
    return form_page(
        model_admin,
        request,
        form=form,
        title=gettext("Cancel “%(reward)s”") % {"reward": name_of(row)},
        submit=gettext("Cancel the redemption"),
        back=reverse("admin:rewards_redemption_change", args=[row.pk]),
    )


def redeem_page(model_admin: RedemptionAdmin, request: HttpRequest) -> HttpResponse:
    """Redeem a reward for a member who asks at the desk or on the phone; a form sent twice redeems once."""
    if not request.user.has_perm(MAY_REDEEM) or not request.user.has_perm("members.view_member"):
        raise PermissionDenied
    rewards = catalogue().order_by("points", "code")
    form = RedeemForm(request.POST or None, rewards=rewards, member=request.GET.get("member", ""))
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            placed = placing.place(
                member_id=data["member"].pk,
                reward_id=data["reward"].pk,
                via=Via.STAFF,
                staff_id=request.user.pk,
                external_id=f"staff-{data['token']}",
                at=clock.now(),
            )
        except Unavailable as refused:
            for each in refused.obstacles:
                form.add_error("reward", each.text)
        except (Refused, RedemptionConflict) as refused:
            form.add_error(None, str(refused))
        else:
            if not placed.replayed:
                model_admin.log_addition(request, placed.redemption, "Redeemed for the member")
            messages.success(request, gettext("Redeemed."))
            return _back_to(placed.redemption)
    return form_page(
        model_admin,
        request,
        form=form,
        title=gettext("Redeem for a member"),
        submit=gettext("Redeem"),
        back=reverse("admin:rewards_redemption_changelist"),
    )


def _row(redemption_id: int) -> Redemption:
    row = queries.full(Redemption.objects.all()).filter(pk=redemption_id).first()
    if row is None:
        raise Http404
    return row


def _back_to(row: Redemption) -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:rewards_redemption_change", args=[row.pk]))


def _redemptions_url(member: Member) -> str:
    return f"{reverse('admin:rewards_redemption_changelist')}?member__id__exact={member.pk}"


def _redeem_url(member: Member) -> str:
    return f"{reverse('admin:rewards_redemption_for_member')}?member={member.card_number}"


admin_parts.add_tab(
    admin_parts.Link(
        key="redemptions", label=_("Redemptions"), url=_redemptions_url, permission="rewards.view_redemption"
    )
)
admin_parts.add_action(
    admin_parts.Link(
        key="redeem", label=_("Redeem a reward"), url=_redeem_url, permission=MAY_REDEEM, icon="redeem"
    )
)
