"""What counts as fraud, and how much: the weights of signals, and throw-away domains."""

import re
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from loyalty.admin_base import HistoryAdmin, KantisAdmin
from referrals.models import DisposableDomain, SignalWeight

_DOMAIN = re.compile(r"(?!-)[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})+")


@admin.register(SignalWeight)
class SignalWeightAdmin(HistoryAdmin):
    """One row for each signal; staff set the weight. What was found before keeps the weight it was found with."""

    list_display = ("name", "weight")
    list_display_links = ("name",)
    fields = ("kind", "weight")
    readonly_fields = ("kind",)
    ordering = ("-weight", "kind")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=_("signal"), ordering="kind")
    def name(self, row: SignalWeight) -> str:
        return row.get_kind_display()


class DomainForm(forms.ModelForm):  # type: ignore[type-arg]
    """A domain as somebody pastes it, an address included."""

    class Meta:
        model = DisposableDomain
        fields = ("domain",)
        widgets = {"domain": UnfoldAdminTextInputWidget}

    def clean_domain(self) -> str:
        domain = str(self.cleaned_data["domain"]).rpartition("@")[2].strip().strip(".").lower()
        if not _DOMAIN.fullmatch(domain):
            raise forms.ValidationError(_("Give a domain, for example “mailinator.com”."))
        return domain


@admin.register(DisposableDomain)
class DisposableDomainAdmin(KantisAdmin):
    """The domains of throw-away addresses."""

    form = DomainForm
    list_display = ("domain",)
    search_fields = ("domain",)
