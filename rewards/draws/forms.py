"""Staff's forms about draws: a draw with its prizes while it is a draft, calling one off, handing a prize over."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from rewards.models import Draw, DrawPrize, VoucherFamily

SECTIONS: tuple[tuple[Any, dict[str, Any]], ...] = (
    (None, {"fields": ("code", "names", "descriptions", "rules")}),
    (gettext_lazy("When"), {"fields": (("opens_at", "closes_at"), "draws_at")}),
    (gettext_lazy("How many"), {"fields": ("entries_per_member",)}),
)
TEXTS = ("names", "descriptions", "rules")
STANDING = ("code", "opens_at", "closes_at", "draws_at", "entries_per_member")
"""What stands from the opening on."""


class DrawForm(forms.ModelForm):  # type: ignore[type-arg]
    """A draw."""

    class Meta:
        model = Draw
        fields = ("code", *TEXTS, "opens_at", "closes_at", "draws_at", "entries_per_member")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        opens, closes, draws = (data.get(name) for name in ("opens_at", "closes_at", "draws_at"))
        if opens and closes and closes <= opens:
            self.add_error("closes_at", _("It has to end after it begins."))
        if closes and draws and draws < closes:
            self.add_error("draws_at", _("It is drawn after it has closed."))
        return data


class PrizeForm(forms.ModelForm):  # type: ignore[type-arg]
    """A prize: points, a voucher of one's own, or something that staff hand over."""

    class Meta:
        model = DrawPrize
        fields = ("position", "names", "quantity", "points", "voucher_family")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "voucher_family" in self.fields:
            own = VoucherFamily.objects.exclude(source=VoucherFamily.Source.SHARED)
            self.fields["voucher_family"].queryset = own  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("points") and data.get("voucher_family"):
            self.add_error("points", _("Points or a voucher, not both."))
        return data


class CancelForm(forms.Form):
    """Why a draw is called off."""

    note = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=300,
        help_text=gettext_lazy("Members read it."),
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
    )


class HandOverForm(forms.Form):
    """What there is to note about a prize that is handed over."""

    note = forms.CharField(
        label=gettext_lazy("Note"), max_length=300, required=False, widget=UnfoldAdminTextInputWidget()
    )
