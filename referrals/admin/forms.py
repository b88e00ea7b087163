"""The forms in which staff make programmes, revise their terms, set milestones and decide what is held."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeWidget,
)

from loyalty.conditions.forms import ConditionField
from members.models import ActivityKind
from referrals import milestones, programmes
from referrals.milestones import Milestone
from referrals.models import ProgrammeTerms, ReferralProgramme
from referrals.programmes import COLUMNS, ProgrammeRefused
from rewards.models import VoucherFamily
from rewards.rule_form import Group

_FOREIGN = ("referrer_voucher", "friend_voucher", "referrer_badge")
_WHOLE = (
    "purchases", "within_days", "waiting_days", "attribution_days", "referrer_points", "friend_points", "cap",
    "cap_per_period", "cap_period_days", "budget_points", "hold_from",
)  # fmt: skip
_GROUPS: tuple[tuple[Any, Any, tuple[str, ...]], ...] = (
    (
        _("What both sides get"),
        "",
        ("referrer_points", "friend_points", "referrer_voucher", "friend_voucher", "referrer_badge"),
    ),
    (
        _("What the friend has to do"),
        _("Fields that the chosen way has no use for count for nothing."),
        ("trigger", "minimum_purchase", "purchases", "spend", "activity_kind", "within_days"),
    ),
    (_("When"), "", ("waiting_days", "attribution_days", "touch")),
    (
        _("How much at most"),
        _("Left empty: no limit. A friend who is left over because of the budget waits for room in it."),
        ("cap", "cap_per_period", "cap_period_days", "budget_points"),
    ),
    (_("Checked by staff"), "", ("hold_from",)),
    (_("From when"), "", ("valid_from",)),
)


class ProgrammeForm(forms.ModelForm):  # type: ignore[type-arg]
    """A programme's texts, whom it is meant for and when it runs. Its terms have a form of their own."""

    audience = ConditionField(subject="audience", label=_("Who may invite"), always=_("Every member."))

    class Meta:
        model = ReferralProgramme
        fields = (
            *("code", "names", "descriptions", "share_texts", "priority", "has_leaderboard"),
            *("audience", "starts_at", "ends_at"),
        )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if self.errors or "starts_at" not in self.fields:
            return data
        try:
            programmes.check_programme(
                ReferralProgramme(
                    starts_at=data["starts_at"], ends_at=data["ends_at"], audience=data["audience"] or {}
                )
            )
        except ProgrammeRefused as refused:
            self.add_error(refused.field if refused.field in self.fields else None, str(refused))
        return data


class TermsForm(forms.ModelForm):  # type: ignore[type-arg]
    """The terms of a programme from a moment on; it starts from those before."""

    valid_from = forms.SplitDateTimeField(
        label=_("Valid from"),
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget(),
        help_text=_("Leave empty for “from now on”. Friends who joined before keep the terms of their time."),
    )
    activity_kind = forms.ModelChoiceField(
        queryset=ActivityKind.objects.filter(is_active=True),
        label=_("Kind of activity"),
        required=False,
        widget=UnfoldAdminSelectWidget(),
    )

    class Meta:
        model = ProgrammeTerms
        fields = (
            *("trigger", "purchases", "spend", "minimum_purchase", "within_days", "waiting_days"),
            *("attribution_days", "touch", "referrer_points", "friend_points", *_FOREIGN, "cap"),
            *("cap_per_period", "cap_period_days", "budget_points", "hold_from"),
        )
        widgets = {
            **dict.fromkeys(_WHOLE, UnfoldAdminIntegerFieldWidget),
            **dict.fromkeys(("trigger", "touch", *_FOREIGN), UnfoldAdminSelectWidget),
            **dict.fromkeys(("spend", "minimum_purchase"), UnfoldAdminDecimalFieldWidget),
        }

    def groups(self) -> list[Group]:
        """The fields under their headings."""
        return [Group(title, hint, [self[name] for name in names]) for title, hint, names in _GROUPS]

    def said(self) -> dict[str, Any]:
        """The columns as the valid form has them, but for the milestones."""
        data = self.cleaned_data
        kind = data["activity_kind"]
        columns = {name: data[name] for name in COLUMNS if name in data and name != "activity_kind"}
        foreign = {f"{name}_id": data[name].pk if data[name] else None for name in _FOREIGN}
        return columns | foreign | {"activity_kind": kind.pk if kind else ""}

    def refuse(self, refused: ProgrammeRefused) -> None:
        """Say what the programme refused beside the field to mend."""
        field = refused.field.removesuffix("_id")
        self.add_error(field if field in self.fields else None, str(refused))


class MilestoneForm(forms.Form):
    """One milestone; without a number of friends it is none."""

    friends = forms.IntegerField(
        label=_("Friends"),
        required=False,
        min_value=1,
        max_value=10_000,
        widget=UnfoldAdminIntegerFieldWidget(),
    )
    points = forms.IntegerField(
        label=_("Points"),
        required=False,
        min_value=0,
        max_value=1_000_000,
        widget=UnfoldAdminIntegerFieldWidget(),
    )
    voucher = forms.ModelChoiceField(
        queryset=VoucherFamily.objects.all(),
        label=_("Voucher"),
        required=False,
        widget=UnfoldAdminSelectWidget(),
    )

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if (
            not data.get("friends")
            and "friends" not in self.errors
            and (data.get("points") or data.get("voucher"))
        ):
            self.add_error("friends", _("Say how many friends it takes."))
        return data

    def milestone(self) -> Milestone | None:
        data = self.cleaned_data
        if not data.get("friends"):
            return None
        voucher = data.get("voucher")
        return Milestone(data["friends"], data.get("points") or 0, voucher.pk if voucher else None)


MilestonesFormSet = forms.formset_factory(MilestoneForm, extra=2, max_num=20, absolute_max=30)


def stored_milestones(formset: Any) -> list[dict[str, int | None]]:
    """What the valid rows come to, as it stands in the terms."""
    found = [milestone for form in formset.forms if (milestone := form.milestone())]
    return [each.stored() for each in sorted(found, key=lambda each: each.friends)]


def milestone_rows(terms: ProgrammeTerms | None) -> list[dict[str, Any]]:
    """What the rows of milestones start from."""
    found = milestones.of(terms) if terms else ()
    return [
        {"friends": each.friends, "points": each.points or None, "voucher": each.voucher_family_id}
        for each in found
    ]


class DecisionForm(forms.Form):
    """What staff decide about a referral that is held, or waits, and why."""

    decision = forms.ChoiceField(choices=[("approve", "approve"), ("reject", "reject"), ("hold", "hold")])
    note = forms.CharField(required=False, max_length=500, strip=True)
