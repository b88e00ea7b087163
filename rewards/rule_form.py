"""The form in which a marketer says what an earning rule gives. Used to revise a rule, and to write one in a draft."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from loyalty.conditions.forms import ConditionField
from rewards.models import RuleRevision, Wallet
from rewards.rule_terms import DEFAULT_PRIORITY, RuleTerms

_NUMBERS = ("points", "pending_days", "priority", "cooldown_days")
"""Left empty these mean what they mean by default."""


class DatedForm(forms.Form):
    """New terms and the moment they begin."""

    valid_from = forms.SplitDateTimeField(
        label=_("Valid from"),
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget(),
        help_text=_("Leave empty for “from now on”. What happened before keeps the terms of its time."),
    )


@dataclass(frozen=True, slots=True)
class Group:
    """Fields that stand together under a heading."""

    title: StrOrPromise
    hint: StrOrPromise
    fields: Sequence[forms.BoundField]


def _whole(label: StrOrPromise, *, least: int = 1, help_text: StrOrPromise = "", **options: Any) -> Any:
    return forms.IntegerField(
        label=label,
        required=False,
        min_value=least,
        max_value=options.pop("most", 1_000_000_000),
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text=help_text,
        **options,
    )


def _choice(
    label: StrOrPromise, choices: Any, help_text: StrOrPromise = "", *, required: bool = False
) -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label, choices=choices, widget=UnfoldAdminSelectWidget(), help_text=help_text, required=required
    )


def _switch(label: StrOrPromise, help_text: StrOrPromise = "") -> forms.BooleanField:
    return forms.BooleanField(
        label=label, required=False, widget=UnfoldBooleanSwitchWidget(), help_text=help_text
    )


class RuleForm(DatedForm):
    """The terms of an earning rule. What an effect has no use for is hidden by the page and left out of the terms."""

    effect = _choice(_("It gives"), RuleRevision.Effect.choices, required=True)
    points = _whole(_("Points"), most=1_000_000, initial=1)
    amount = forms.DecimalField(
        label=_("For each amount of"),
        min_value=Decimal("0.01"),
        max_digits=12,
        decimal_places=2,
        required=False,
        widget=UnfoldAdminDecimalFieldWidget(),
        help_text=_("In the base currency."),
    )
    factor = forms.DecimalField(
        label=_("Times the base points"),
        min_value=Decimal("1.01"),
        max_value=Decimal(100),
        max_digits=6,
        decimal_places=2,
        required=False,
        widget=UnfoldAdminDecimalFieldWidget(),
        help_text=_("2 doubles the base points: as many again are given."),
    )
    rounding = _choice(
        _("Rounded"),
        RuleRevision.Rounding.choices,
        _("Down: only full amounts count."),
    )
    lines = ConditionField(
        label=_("For which products"),
        subject="line",
        always=_("For everything bought."),
        required=False,
        help_text=_("Only purchase lines that match count. None: the whole purchase."),
    )
    conditions = ConditionField(
        label=_("Conditions"), subject="activity", always=_("For every activity."), required=False
    )
    needs_activation = _switch(
        _("Personal offer"), _("Counts only for members who have activated it in the portal.")
    )
    cap_per_activity = _whole(_("At most, per purchase or other activity"), help_text=_("Points."))
    over_cap = _choice(_("When it would be more"), RuleRevision.OverCap.choices)
    cap_per_member = _whole(_("At most, per member"), help_text=_("Points. What goes beyond is left out."))
    cap_period = _choice(_("The member's limit is for"), RuleRevision.Period.choices)
    budget = _whole(
        _("Budget in points"),
        help_text=_("For all members together; the rule gives nothing once it is used up."),
        most=10**15,
    )
    cooldown_days = _whole(
        _("Not again for a member within days"), least=0, most=3650, initial=0, help_text=_("0: no limit.")
    )
    stacking = _choice(
        _("Beside other rules its points are"),
        RuleRevision.Stacking.choices,
        _("All rules of one group compete in the same way."),
    )
    stack_group = forms.CharField(
        label=_("Group"),
        max_length=50,
        required=False,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("A name of your own, such as “spring”. Rules of one group compete with each other."),
    )
    priority = _whole(
        _("Priority"),
        least=-1000,
        most=1000,
        initial=DEFAULT_PRIORITY,
        help_text=_("Lower numbers are judged first; what multiplies base points comes after them."),
    )
    wallet = forms.ModelChoiceField(
        label=_("Wallet"), queryset=Wallet.objects.all(), empty_label=None, widget=UnfoldAdminSelectWidget()
    )
    qualifying = _switch(_("Counts towards tiers"))
    pending_days = _whole(
        _("Pending for days"), least=0, most=3650, initial=0, help_text=_("0: available at once.")
    )
    pending_until = forms.SplitDateTimeField(
        label=_("Pending until"),
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget(),
        help_text=_("Points wait until this moment at the earliest."),
    )
    pending_confirmation = _switch(
        _("Pending until confirmed"), _("Points wait until the partner confirms or cancels them.")
    )
    valid_to = forms.SplitDateTimeField(
        label=_("Valid to"),
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget(),
        help_text=_("Leave empty for “until further notice”."),
    )

    grouped = (
        (_("What it gives"), "", ("effect", "points", "amount", "factor", "rounding", "lines")),
        (_("When and for whom"), "", ("conditions", "needs_activation")),
        (
            _("How much at most"),
            _("Empty: no limit."),
            ("cap_per_activity", "over_cap", "cap_per_member", "cap_period", "budget", "cooldown_days"),
        ),
        (_("Beside other rules"), "", ("stacking", "stack_group", "priority")),
        (
            _("What becomes of the points"),
            "",
            ("wallet", "qualifying", "pending_days", "pending_until", "pending_confirmation"),
        ),
        (_("From when to when"), _("Judged by the time of the purchase."), ("valid_from", "valid_to")),
    )

    def groups(self) -> list[Group]:
        """The fields under their headings."""
        return [
            Group(title, hint, [self[name] for name in names if name in self.fields])
            for title, hint, names in self.grouped
        ]

    def rule_terms(self) -> RuleTerms:
        """The terms as they stand in the valid form."""
        names = {each.name for each in fields(RuleTerms)}
        data = {name: value for name, value in self.cleaned_data.items() if name in names and value != ""}
        data = {name: value for name, value in data.items() if value is not None or name not in _NUMBERS}
        return RuleTerms(wallet_id=self.cleaned_data["wallet"].pk, **({"priority": DEFAULT_PRIORITY} | data))


def initial_of(latest: RuleRevision | None) -> dict[str, Any]:
    """What the form starts from: the rule's latest revision, or a new rule in the default wallet."""
    if latest is None:
        wallet_id = Wallet.objects.values_list("pk", flat=True).get(is_default=True)
        start = RuleTerms(
            wallet_id=wallet_id, effect="per_amount", amount=Decimal("1.00"), priority=DEFAULT_PRIORITY
        )
    else:
        start = RuleTerms.of(latest)
    values = {each.name: getattr(start, each.name) for each in fields(RuleTerms)}
    return {"wallet": values.pop("wallet_id"), **values}
