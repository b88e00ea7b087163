"""Staff's forms about causes: a cause, a payment to it, and taking a wrong one back."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminDateWidget,
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldAdminURLInputWidget,
    UnfoldBooleanSwitchWidget,
)

from rewards.challenges.forms import PictureForm
from rewards.models import Cause

SECTIONS: tuple[tuple[Any, dict[str, Any]], ...] = (
    (None, {"fields": (("code", "is_active"), "names", "descriptions", "thanks", ("recipient", "website"))}),
    (gettext_lazy("Picture"), {"fields": ("picture_file", "no_picture")}),
    (gettext_lazy("Points and money"), {"fields": (("point_value", "least_points"), "goal")}),
    (gettext_lazy("When"), {"fields": (("opens_at", "closes_at"),)}),
)


class CauseForm(PictureForm):
    """A cause with its picture."""

    website = forms.URLField(
        label=gettext_lazy("Website"),
        required=False,
        max_length=200,
        assume_scheme="https",
        widget=UnfoldAdminURLInputWidget(),
    )

    class Meta:
        model = Cause
        fields = (
            *("code", "names", "descriptions", "thanks", "recipient", "website", "point_value"),
            *("least_points", "goal", "opens_at", "closes_at", "is_active"),
        )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        opens, closes = data.get("opens_at"), data.get("closes_at")
        if opens and closes and closes <= opens:
            self.add_error("closes_at", _("It has to end after it begins."))
        if (goal := data.get("goal")) is not None and goal <= 0:
            self.add_error("goal", _("Give an amount above 0."))
        return data


class PayoutForm(forms.Form):
    """What was paid on. ``token`` makes the form good for one payment."""

    amount = forms.DecimalField(
        label=gettext_lazy("Amount"),
        max_digits=12,
        decimal_places=2,
        widget=UnfoldAdminDecimalFieldWidget({"inputmode": "decimal"}),
    )
    paid_on = forms.DateField(label=gettext_lazy("Paid on"), widget=UnfoldAdminDateWidget())
    reference = forms.CharField(
        label=gettext_lazy("Reference"),
        max_length=100,
        required=False,
        help_text=gettext_lazy("Everybody sees it: no names of persons."),
        widget=UnfoldAdminTextInputWidget(),
    )
    beyond = forms.BooleanField(
        label=gettext_lazy("It is more than is still to be paid, on purpose"),
        required=False,
        widget=UnfoldBooleanSwitchWidget(),
    )
    token = forms.UUIDField(widget=forms.HiddenInput)


class WithdrawForm(forms.Form):
    """Why a payment is taken back."""

    note = forms.CharField(
        label=gettext_lazy("What was wrong"),
        max_length=300,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
    )
