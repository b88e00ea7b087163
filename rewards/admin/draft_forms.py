"""The forms of a draft: its rules, tiers and expiry, its backtest and its publishing."""

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextInputWidget,
)

from loyalty.translated import in_language
from loyalty.translated_forms import TranslatedTextFormField
from rewards.admin.terms import ExpiryForm
from rewards.models import EarningRule, TierDraft
from rewards.rule_form import RuleForm
from rewards.tier_drafts import DraftLevel, NewTerms


class DraftRuleForm(RuleForm):
    """What a rule is to give; from when on is said at publishing."""

    valid_from = None
    valid_to = None
    grouped = RuleForm.grouped[:-1]


class NewDraftRuleForm(DraftRuleForm):
    """A rule that is still to be made."""

    code = forms.SlugField(
        label=_("Code"),
        max_length=50,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("A lasting name for machines, such as “double-pastry”."),
    )
    names = TranslatedTextFormField(label=_("Names"), required=True)
    grouped = ((_("The new rule"), "", ("code", "names")), *DraftRuleForm.grouped)

    def clean_code(self) -> str:
        code = str(self.cleaned_data["code"])
        if EarningRule.objects.filter(code=code).exists():
            raise forms.ValidationError(gettext("There is a rule with this code already. Change that one."))
        return code


class DraftTiersForm(forms.Form):
    """Tier terms for the draft: those of a tier draft, or those in force with other numbers."""

    taken = forms.ModelChoiceField(
        label=_("Take them from a draft of tier terms"),
        queryset=TierDraft.objects.filter(status=TierDraft.Status.DRAFT),
        required=False,
        empty_label=_("No, these numbers:"),
        widget=UnfoldAdminSelectWidget(),
        help_text=_("New tiers, other ways of counting and of keeping a tier are written there."),
    )

    def __init__(self, *args: Any, present: NewTerms, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.present = present
        for place, level in enumerate(present.levels):
            name = in_language(level.names) or level.code
            self.fields[f"threshold_{place}"] = forms.IntegerField(
                label=gettext("%(tier)s: takes") % {"tier": name},
                min_value=0,
                max_value=10**12,
                initial=level.threshold,
                widget=UnfoldAdminIntegerFieldWidget(),
            )
            self.fields[f"multiplier_{place}"] = forms.DecimalField(
                label=gettext("%(tier)s: multiplier") % {"tier": name},
                min_value=Decimal(1),
                max_digits=5,
                decimal_places=2,
                initial=level.multiplier,
                widget=UnfoldAdminDecimalFieldWidget(),
            )

    def terms(self) -> NewTerms:
        data = self.cleaned_data
        if data["taken"]:
            return NewTerms.of(data["taken"].content)
        levels = tuple(
            DraftLevel(
                code=level.code,
                names=level.names,
                threshold=data[f"threshold_{place}"],
                multiplier=data[f"multiplier_{place}"],
                birthday_points=level.birthday_points,
                benefits=level.benefits,
            )
            for place, level in enumerate(self.present.levels)
        )
        return NewTerms(policy=self.present.policy, levels=levels)


class DraftExpiryForm(ExpiryForm):
    """When points are to expire; from when on is said at publishing."""

    valid_from = None


class BacktestForm(forms.Form):
    starts_at = forms.SplitDateTimeField(label=_("From"), widget=UnfoldAdminSplitDateTimeWidget())
    ends_at = forms.SplitDateTimeField(label=_("Until"), widget=UnfoldAdminSplitDateTimeWidget())
    point_value = forms.DecimalField(
        label=_("Cost of a point"),
        min_value=Decimal(0),
        max_digits=8,
        decimal_places=4,
        widget=UnfoldAdminDecimalFieldWidget(),
        help_text=_("In the base currency: what a point costs you when it is redeemed."),
    )

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if data.get("starts_at") and data.get("ends_at") and data["ends_at"] <= data["starts_at"]:
            self.add_error("ends_at", gettext("The period has to end after it begins."))
        return data


class PublishForm(forms.Form):
    valid_from = forms.SplitDateTimeField(
        label=_("Valid from"),
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget(),
        help_text=_("Leave empty for “from now on”. What happened before keeps the terms of its time."),
    )
