"""The form in which staff make a kind of voucher: what it takes off, for what, its codes, how often and how long."""

from typing import Any

from django import forms
from django.contrib.postgres.forms import SimpleArrayField
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from rewards.models import VoucherFamily
from rewards.vouchers import codes, families, pool_file
from rewards.vouchers.batches import MOST

Kind, Source = VoucherFamily.Kind, VoucherFamily.Source

SECTIONS: tuple[tuple[Any, dict[str, Any]], ...] = (
    (None, {"fields": (("code", "is_active"), "names", "partner")}),
    (
        gettext_lazy("What it takes off"),
        {"fields": ("kind", ("value", "at_most"), "in_parts")},
    ),
    (
        gettext_lazy("For which purchases"),
        {
            "fields": ("minimum_purchase", "departments", "categories", "skus"),
            "description": gettext_lazy("Empty: for every purchase. One of the products named is enough."),
        },
    ),
    (gettext_lazy("Its codes"), {"fields": ("source", ("prefix", "shared_code"))}),
    (gettext_lazy("How often"), {"fields": (("uses", "uses_per_member"),)}),
    (
        gettext_lazy("How long"),
        {
            "fields": ("valid_from", "valid_to", "valid_days"),
            "description": gettext_lazy("Each voucher keeps what held when it was issued."),
        },
    ),
)


def _words(label: Any) -> SimpleArrayField:
    return SimpleArrayField(
        forms.CharField(max_length=100),
        label=label,
        required=False,
        help_text=gettext_lazy("Separated by commas."),
        widget=UnfoldAdminTextInputWidget(),
    )


class FamilyForm(forms.ModelForm):  # type: ignore[type-arg]
    """A kind of voucher. What vouchers already issued rest on can no longer be changed."""

    departments = _words(gettext_lazy("Departments"))
    categories = _words(gettext_lazy("Categories"))
    skus = _words(gettext_lazy("SKUs"))
    shared_code = forms.CharField(
        label=gettext_lazy("The code for everybody"),
        required=False,
        max_length=codes.LONGEST,
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off"}),
        help_text=gettext_lazy("Letters A to Z and digits, such as KESA2026. For a shared code only."),
    )

    class Meta:
        model = VoucherFamily
        fields = (
            *(
                "code",
                "is_active",
                "names",
                "partner",
                "kind",
                "value",
                "at_most",
                "in_parts",
                "minimum_purchase",
            ),
            *("departments", "categories", "skus", "source", "prefix", "uses", "uses_per_member"),
            *("valid_from", "valid_to", "valid_days"),
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and "shared_code" in self.fields:
            self.initial["shared_code"] = families.shared_code(self.instance)
        if self.instance.pk and families.is_used(self.instance):
            for name in families.FROZEN & self.fields.keys():
                self.fields[name].disabled = True

    def clean_prefix(self) -> str:
        prefix = str(self.cleaned_data["prefix"]).upper()
        if prefix and (not prefix.isascii() or not prefix.isalnum()):
            raise forms.ValidationError(_("Letters A to Z and digits only."))
        return prefix

    def clean_shared_code(self) -> str:
        given = self.cleaned_data["shared_code"]
        if given and not codes.canonical(given):
            raise forms.ValidationError(_("Letters A to Z and digits only."))
        return codes.canonical(given)

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        for field, message in _contradictions(data):
            if field in self.fields:
                self.add_error(field, message)
        shared = data.get("shared_code", "")
        if data.get("source") == Source.SHARED and shared and families.is_taken(shared, by=self.instance):
            self.add_error("shared_code", _("There is a voucher with this code already."))
        return data


def _contradictions(data: dict[str, Any]) -> list[tuple[str, str]]:
    """What does not go together: the field to mend, and why."""
    kind, source, value = data.get("kind"), data.get("source"), data.get("value") or 0
    named = any(data.get(name) for name in ("skus", "categories", "departments"))
    rules = (
        (kind == Kind.AMOUNT and value <= 0, "value", _("Say how much it takes off.")),
        (kind == Kind.PERCENT and not 0 < value <= 100, "value", _("A percentage from more than 0 to 100.")),
        (value < 0, "value", _("Not less than 0.")),
        (
            kind == Kind.PRODUCT and not named,
            "skus",
            _("Say which products: by SKU, category or department."),
        ),
        (
            kind != Kind.PERCENT and data.get("at_most") is not None,
            "at_most",
            _("Only a percentage needs this."),
        ),
        (
            bool(data.get("in_parts")) and kind != Kind.AMOUNT,
            "in_parts",
            _("Only an amount can be used in parts."),
        ),
        (
            bool(data.get("in_parts")) and (source == Source.SHARED or data.get("uses") != 1),
            "in_parts",
            _("A voucher used in parts belongs to one person and has one use: until nothing is left."),
        ),
        (
            data.get("uses_per_member") is not None and source != Source.SHARED,
            "uses_per_member",
            _("Only a shared code needs this."),
        ),
        (source == Source.SHARED and not data.get("shared_code"), "shared_code", _("Say which code.")),
        (
            bool(data.get("valid_from") and data.get("valid_to") and data["valid_to"] <= data["valid_from"]),
            "valid_to",
            _("It ends before it begins."),
        ),
    )
    return [(field, message) for is_wrong, field, message in rules if is_wrong]


class GenerationForm(forms.Form):
    """How many codes a worker shall make."""

    count = forms.IntegerField(
        label=gettext_lazy("How many codes"),
        min_value=1,
        max_value=MOST,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text=gettext_lazy("Up to a million. They are issued at once, to whoever holds them."),
    )


class PoolForm(forms.Form):
    """A file of codes for the pool."""

    file = forms.FileField(
        label=gettext_lazy("CSV file"),
        help_text=gettext_lazy(
            "First line: code, or code,expires (the last good day, 2027-12-31). At most 32 MB and a million codes."
        ),
    )

    def clean_file(self) -> bytes:
        given = self.cleaned_data["file"]
        if given.size > pool_file.MOST_BYTES:
            raise forms.ValidationError(_("The file is larger than 32 MB. Split it."))
        return bytes(given.read())


class ReasonForm(forms.Form):
    """Why vouchers are cancelled."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"), max_length=300, widget=UnfoldAdminTextareaWidget({"rows": 2})
    )
