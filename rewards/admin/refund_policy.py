"""The refund policy in the admin: what happens to points spent already, through time."""

from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminSelectWidget,
)

from loyalty import clock
from rewards.admin.terms import TermsAdmin
from rewards.models import RefundPolicy
from rewards.refunds import (
    policy_at,
)
from rewards.revisions import revise_refunds
from rewards.rule_form import DatedForm


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
