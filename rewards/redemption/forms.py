"""Forms of redemptions in the admin."""

import uuid
from typing import Any, ClassVar

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from members.models import Member
from members.search import search
from rewards.models import RedemptionTerms, Reward
from rewards.rule_form import DatedForm


class ReasonForm(forms.Form):
    """Why a redemption is cancelled."""

    note = forms.CharField(
        label=_("Reason"),
        max_length=300,
        help_text=_("Why, in words that the member may read."),
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
    )


class RedeemForm(forms.Form):
    """What is redeemed for whom. ``token`` makes the form good for one redemption."""

    member = forms.CharField(
        label=_("Member"),
        max_length=254,
        help_text=_("Card number, e-mail address, phone number or another identifier."),
        widget=UnfoldAdminTextInputWidget({"autofocus": True, "autocomplete": "off"}),
    )
    reward = forms.ModelChoiceField(
        label=_("Reward"), queryset=Reward.objects.none(), empty_label=None, widget=UnfoldAdminSelectWidget()
    )
    token = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, data: Any, *, rewards: QuerySet[Reward], member: str = "") -> None:
        super().__init__(data, initial={"token": uuid.uuid4(), "member": member})
        self.fields["reward"].queryset = rewards  # type: ignore[attr-defined]
        self.fields["reward"].label_from_instance = _priced  # type: ignore[attr-defined]

    def clean_member(self) -> Member:
        active = Member.objects.filter(status=Member.Status.ACTIVE)
        found = list(search(active, self.cleaned_data["member"])[:2])
        if len(found) != 1:
            text = (
                gettext("Several members are meant by this. Use the card number.")
                if found
                else gettext("No active member is known by this.")
            )
            raise forms.ValidationError(text)
        return found[0]


def _priced(reward: Reward) -> str:
    return gettext("%(reward)s (%(points)s points)") % {"reward": reward.name, "points": reward.points}


class RedemptionTermsForm(DatedForm):
    """The next terms of redemptions."""

    grace_days = forms.IntegerField(min_value=0, max_value=3660, widget=UnfoldAdminIntegerFieldWidget())
    cancel_days = forms.IntegerField(min_value=0, max_value=3660, widget=UnfoldAdminIntegerFieldWidget())
    point_value = forms.DecimalField(
        required=False,
        min_value=0,
        max_digits=8,
        decimal_places=4,
        widget=UnfoldAdminDecimalFieldWidget(),
    )
    least_points = forms.IntegerField(min_value=1, max_value=10**9, widget=UnfoldAdminIntegerFieldWidget())
    point_step = forms.IntegerField(min_value=1, max_value=10**9, widget=UnfoldAdminIntegerFieldWidget())
    field_order: ClassVar[list[str]] = [
        "grace_days",
        "cancel_days",
        "point_value",
        "least_points",
        "point_step",
        "valid_from",
    ]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for name in self.field_order[:-1]:
            column = RedemptionTerms._meta.get_field(name)
            self.fields[name].label = str(column.verbose_name)[:1].upper() + str(column.verbose_name)[1:]
            self.fields[name].help_text = column.help_text

    def clean_point_value(self) -> Any:
        """Worth nothing means: not money."""
        return self.cleaned_data["point_value"] or None
