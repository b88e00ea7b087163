"""A member's tier set by hand in the admin: set and lifted on the member's page, listed for everybody to read."""

import datetime as dt
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminDateWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
)

from loyalty import clock, programme
from loyalty.admin_base import ReadOnlyAdmin
from loyalty.form_page import form_page
from members import admin_parts
from members.admin import member_link
from members.admin_member_pages import head
from members.admin_scoped import MemberScopedAdmin
from members.models import Member, Tier, TierHold
from rewards import terms, tier_holds
from rewards.tier_holds import HoldRefused

SET_TIER = "members.set_tier"


class SetTierForm(forms.Form):
    """Which tier, as a floor or a lock, until when, and why."""

    tier = forms.ModelChoiceField(
        label=_("Tier"), queryset=Tier.objects.all(), empty_label=None, widget=UnfoldAdminSelectWidget()
    )
    kind = forms.ChoiceField(
        label=_("It holds"),
        choices=TierHold.Kind.choices,
        widget=UnfoldAdminSelectWidget(),
        help_text=_("At least: the member may rise, not fall. Exactly: the tier stays."),
    )
    last_day = forms.DateField(
        label=_("Up to and including"),
        required=False,
        widget=UnfoldAdminDateWidget(),
        help_text=_("Empty: until staff lift it."),
    )
    note = forms.CharField(
        label=_("Reason"), max_length=300, widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text=_("Staff read it in the member's history."),
    )  # fmt: skip

    def until(self) -> dt.datetime | None:
        """The midnight after the last day, in the programme's time zone."""
        day = self.cleaned_data["last_day"]
        return clock.start_of_day(day + dt.timedelta(days=1), programme.current().time_zone) if day else None


@admin.register(TierHold)
class TierHoldAdmin(MemberScopedAdmin, ReadOnlyAdmin):  # type: ignore[misc]
    """Tiers set by hand, with who set them and why; set and lifted on the member's page."""

    list_display = ("member_name", "tier", "kind", "set_at", "until", "ended_at", "staff", "note")
    list_select_related = ("member", "tier", "staff")
    list_filter = ("kind", "tier")

    def get_urls(self) -> list[URLPattern]:
        return [
            self.own_page("set/<int:member_id>/", self.set_page, "set"),
            self.own_page("lift/<int:member_id>/", self.lift_view, "lift"),
            *super().get_urls(),
        ]

    @admin.display(description=_("member"))
    def member_name(self, row: TierHold) -> Any:
        return member_link(row.member)

    def set_page(self, request: HttpRequest, member_id: int) -> HttpResponse:
        """Set the tier, or lift what was set."""
        member = self._member(request, member_id)
        at = clock.now()
        form = SetTierForm(request.POST or None, initial={"tier": member.tier_id})
        offered = [level.tier_id for level in terms.current().tiers_at(at).levels]
        form.fields["tier"].queryset = Tier.objects.filter(pk__in=offered)  # type: ignore[attr-defined]
        if request.method == "POST" and form.is_valid():
            data = form.cleaned_data
            try:
                with transaction.atomic():
                    tier_holds.set_tier(
                        member_id=member.pk, tier_id=data["tier"].pk, kind=data["kind"], note=data["note"],
                        staff_id=_staff_id(request), at=at, until=form.until(),
                    )  # fmt: skip
                    self.log_change(request, member, f"Tier set by hand: {data['tier'].code}, {data['kind']}")  # type: ignore[arg-type]
            except HoldRefused as refused:
                form.add_error({"until": "last_day"}.get(refused.field, refused.field), str(refused))
            else:
                messages.success(request, gettext("The tier was set."))
                return HttpResponseRedirect(_overview(member.pk))
        return form_page(
            self,
            request,
            form=form,
            title=gettext("Set the tier by hand"),
            submit=gettext("Set the tier"),
            back=_overview(member.pk),
            template="admin/rewards/set_tier.html",
            context=head(request, member, tab="tier")
            | {"member_actions": [], "hold": tier_holds.hold_of(member.pk, at=at)},
        )

    def lift_view(self, request: HttpRequest, member_id: int) -> HttpResponse:
        member = self._member(request, member_id)
        if request.method == "POST":
            with transaction.atomic():
                if tier_holds.lift(member_id=member.pk, staff_id=_staff_id(request), at=clock.now()):
                    self.log_change(request, member, "Tier set by hand lifted")  # type: ignore[arg-type]
                    messages.success(request, gettext("The tier is no longer set by hand."))
        return HttpResponseRedirect(_overview(member.pk))

    def _member(self, request: HttpRequest, member_id: int) -> Member:
        if not request.user.has_perm(SET_TIER) or not request.user.has_perm("members.view_member"):
            raise PermissionDenied
        member = Member.objects.select_related("tier").filter(pk=member_id).first()
        if member is None:
            raise Http404
        if member.status != Member.Status.ACTIVE:
            raise PermissionDenied
        return member


def _staff_id(request: HttpRequest) -> int:
    if request.user.pk is None:
        raise PermissionDenied
    return request.user.pk


def _overview(member_id: int) -> str:
    return reverse("admin:members_member_overview", args=[member_id])


admin_parts.add_action(
    admin_parts.Link(
        key="tier",
        label=_("Set the tier"),
        url=lambda member: reverse("admin:members_tierhold_set", args=[member.pk]),
        permission=SET_TIER,
        icon="front_hand",
    )
)
