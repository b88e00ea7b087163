"""Gifts between members and notices of expiry in the admin: the terms that staff set, and the gifts, read only."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldBooleanSwitchWidget

from loyalty.admin_base import ExportMixin, HistoryAdmin, ReadOnlyAdmin
from members.admin import member_link
from rewards.admin.terms import TermsAdmin
from rewards.models import ExpiryNotice, Gift, GiftTerms
from rewards.revisions import revise_gifts
from rewards.rule_form import DatedForm


class GiftTermsForm(DatedForm):
    is_open = forms.BooleanField(
        label=_("Members may give points"), required=False, widget=UnfoldBooleanSwitchWidget()
    )
    minimum = forms.IntegerField(
        label=_("Least points of a gift"),
        min_value=1,
        max_value=10**9,
        widget=UnfoldAdminIntegerFieldWidget(),
    )
    per_day = forms.IntegerField(
        label=_("At most, a day"),
        required=False,
        min_value=1,
        max_value=10**9,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text=_("Points a member may give on one day. Empty: no limit."),
    )
    per_month = forms.IntegerField(
        label=_("At most, a month"),
        required=False,
        min_value=1,
        max_value=10**9,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text=_("Points a member may give in one calendar month. Empty: no limit."),
    )
    field_order = ("is_open", "minimum", "per_day", "per_month", "valid_from")


_NAMES = ("is_open", "minimum", "per_day", "per_month")


@admin.register(GiftTerms)
class GiftTermsAdmin(TermsAdmin):
    """Whether and how much members may give each other, through time."""

    revise_title = _("New terms of gifts")
    list_display = ("begins", *_NAMES, "state")
    fields = ("valid_from", *_NAMES)

    def new_form(self, request: HttpRequest) -> forms.Form:
        latest = GiftTerms.objects.order_by("-valid_from").first()
        initial = {name: getattr(latest, name) for name in _NAMES} if latest else {}
        return GiftTermsForm(request.POST or None, initial=initial)

    def revise(self, form: GiftTermsForm, at: datetime) -> GiftTerms:
        data = form.cleaned_data
        with transaction.atomic():
            return revise_gifts(at=at, valid_from=data["valid_from"], **{name: data[name] for name in _NAMES})


@admin.register(Gift)
class GiftAdmin(ExportMixin, ReadOnlyAdmin):
    """Points that went from one member to another."""

    list_display = ("given_at", "giver_name", "receiver_name", "points")
    list_select_related = ("giver", "receiver")
    list_filter = (("given_at", RangeDateFilter),)
    search_fields = ("giver__card_number", "receiver__card_number")
    search_help_text = _("Card number")
    readonly_fields = ("giver_name", "receiver_name")
    fields = ("given_at", "giver_name", "receiver_name", "points", "public_id")
    export_columns = (
        (_("given at"), lambda row: row.given_at),
        (_("giver"), lambda row: row.giver.card_number),
        (_("receiver"), lambda row: row.receiver.card_number),
        (_("points"), lambda row: row.points),
    )

    @admin.display(description=_("giver"))
    def giver_name(self, row: Gift) -> Any:
        return member_link(row.giver)

    @admin.display(description=_("receiver"))
    def receiver_name(self, row: Gift) -> Any:
        return member_link(row.receiver)


@admin.register(ExpiryNotice)
class ExpiryNoticeAdmin(HistoryAdmin):
    """How many days ahead members hear that points expire."""

    list_display = ("days",)
    fields = ("days",)
