"""The forms of the steps about who is written to and what they get, and of confirmations."""

from typing import Any

from django import forms
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from campaigns.forms.base import Step, choice, whole
from campaigns.models import Campaign, ChannelCode
from loyalty.conditions.forms import ConditionField
from loyalty.translated_forms import TranslatedTextFormField
from members.models import Segment
from members.segments.definition import SUBJECT
from rewards.models import VoucherFamily

EVERYBODY = _("Every member.")
MOST_POINTS = 100_000


# --- 1 Who ------------------------------------------------------------------------------------------------------------


class WhoForm(Step):
    """The audience, what it is about, and by which ways, in order."""

    audience = ConditionField(label=_("Who it is for"), subject=SUBJECT, always=EVERYBODY)
    purpose = choice(
        _("What it is about"),
        Campaign.Purpose.choices,
        _(
            "Members are written to by the ways for which they agreed to this; service messages take no consent."
        ),
    )
    names = TranslatedTextFormField(
        label=_("Name of the campaign"), max_length=100, help_text=_("For staff; members do not see it.")
    )
    note = forms.CharField(
        label=_("Note"),
        required=False,
        max_length=2000,
        widget=UnfoldAdminTextareaWidget({"rows": 2}),
        help_text=_("For staff: what it is for."),
    )

    grouped = (
        ("", "", ("audience",)),
        (
            _("By which way"),
            _("A member's own preference comes first, then the first of these that reaches them."),
            tuple(f"way_{place}" for place in range(1, len(ChannelCode.values) + 1)),
        ),
        (_("About the campaign"), "", ("purpose", "names", "note")),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for place in range(1, len(ChannelCode.values) + 1):
            none = [] if place == 1 else [("", gettext("– no other way –"))]
            self.fields[f"way_{place}"] = choice(
                gettext("First by") if place == 1 else gettext("otherwise by"),
                [*none, *ChannelCode.choices],
                required=place == 1,
            )

    @staticmethod
    def initial_of(campaign: Campaign) -> dict[str, Any]:
        ways = {f"way_{place}": code for place, code in enumerate(campaign.channels, start=1)}
        return {
            "audience": campaign.audience,
            "purpose": campaign.purpose,
            "names": campaign.names,
            "note": campaign.note,
            **ways,
        }

    def ways(self) -> list[str]:
        """The channels in their order, each once."""
        chosen = (self.cleaned_data.get(f"way_{place}") for place in range(1, len(ChannelCode.values) + 1))
        return list(dict.fromkeys(code for code in chosen if code))

    def answers(self) -> dict[str, Any]:
        return {**super().answers(), "channels": self.ways()}


# --- 4 What they get, and how it is measured --------------------------------------------------------------------------


class GiftForm(Step):
    """What members are given, and how it will be seen whether the campaign made a difference."""

    bonus_points = whole(
        _("Bonus points"), most=MOST_POINTS, required=False, initial=0, help_text=_("0: none.")
    )
    voucher_family = forms.ModelChoiceField(
        label=_("Voucher"),
        queryset=VoucherFamily.objects.none(),
        required=False,
        empty_label=_("– none –"),
        widget=UnfoldAdminSelectWidget(),
        help_text=_("Its code can be put into the text."),
    )
    add_to_list = forms.ModelChoiceField(
        label=_("Add to the list"),
        queryset=Segment.objects.filter(kind=Segment.Kind.LIST, is_active=True),
        required=False,
        empty_label=_("– none –"),
        widget=UnfoldAdminSelectWidget(),
    )
    goal = choice(_("It has worked when there is"), Campaign.Goal.choices)
    goal_days = whole(_("Within days"), least=1, most=365)
    goal_conditions = ConditionField(
        label=_("Purchases that count"), subject="purchase", always=_("Every purchase counts.")
    )
    hold_out_percent = forms.DecimalField(
        label=_("Held out (percent)"),
        min_value=0,
        max_value=100,
        max_digits=5,
        decimal_places=2,
        widget=UnfoldAdminDecimalFieldWidget(),
        help_text=_(
            "So many of the audience are not written to, so that the difference can be seen. 0: nobody. Service "
            "messages are kept from nobody, whatever it says here."
        ),
    )
    winner_by = choice(
        _("The winner is chosen by"),
        [("", _("– no winner: every variant to its share –")), *Campaign.WinnerBy.choices],
        _("Only where there are several variants."),
        required=False,
    )
    test_percent = whole(
        _("Try the variants on (percent)"),
        least=1,
        most=100,
        required=False,
        help_text=_("The others get the winner. 100: everybody gets their variant at once."),
    )
    winner_after_hours = whole(_("Choose the winner after hours"), least=1, most=24 * 60, required=False)

    grouped = (
        (_("What they get"), "", ("bonus_points", "voucher_family", "add_to_list")),
        (
            _("How it is measured"),
            "",
            ("goal", "goal_days", "hold_out_percent", "goal_conditions"),
        ),
        (
            _("Which variant wins"),
            _("The rule is fixed before sending, so that nobody is misled by an early lead."),
            ("winner_by", "test_percent", "winner_after_hours"),
        ),
    )

    def __init__(self, *args: Any, campaign: Campaign, several: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kept = Q(is_active=True) | Q(pk=campaign.voucher_family_id)
        self.fields["voucher_family"].queryset = VoucherFamily.objects.filter(kept)  # type: ignore[attr-defined]
        if not several:
            for name in ("winner_by", "test_percent", "winner_after_hours"):
                del self.fields[name]
        elif campaign.kind != Campaign.Kind.ONE_OFF:
            del self.fields["test_percent"]

    @staticmethod
    def initial_of(campaign: Campaign) -> dict[str, Any]:
        names = (
            *("bonus_points", "voucher_family", "add_to_list", "goal", "goal_days", "goal_conditions"),
            *("hold_out_percent", "winner_by", "test_percent", "winner_after_hours"),
        )
        return {name: getattr(campaign, name) for name in names}

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if data.get("winner_by") and not data.get("winner_after_hours"):
            self.add_error("winner_after_hours", gettext("Say after how many hours the winner is chosen."))
        if not data.get("winner_by") and (data.get("test_percent") or 100) < 100:
            self.add_error("winner_by", gettext("Say by what the winner is chosen that the others get."))
        return data

    def answers(self) -> dict[str, Any]:
        data = self.cleaned_data
        found = {
            **super().answers(),
            "bonus_points": data.get("bonus_points") or 0,
            "voucher_family": data["voucher_family"],
            "add_to_list": data["add_to_list"],
        }
        if "winner_by" in self.fields:
            found["winner_after_hours"] = data["winner_after_hours"] if data["winner_by"] else None
            if "test_percent" in self.fields:
                found["test_percent"] = data["test_percent"] or 100
        else:
            found |= {"winner_by": "", "test_percent": 100, "winner_after_hours": None}
        return found


# --- 5 Check and send -------------------------------------------------------------------------------------------------


class ConfirmForm(forms.Form):
    """The size of the audience, typed, where it is large."""

    typed = forms.CharField(
        label=_("Type the number of members to confirm"),
        max_length=20,
        widget=UnfoldAdminTextInputWidget({"inputmode": "numeric", "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, wanted: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.wanted = wanted

    def clean_typed(self) -> str:
        typed = "".join(letter for letter in self.cleaned_data["typed"] if letter.isdigit())
        if typed != str(self.wanted):
            raise forms.ValidationError(gettext("That is not the number of members."))
        return typed


class LiftForm(forms.Form):
    """Why an address may be written to again."""

    reason = forms.CharField(
        label=_("Why it may be written to again"),
        max_length=200,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("Kept with your name, such as “the member called and gave the address anew”."),
    )
