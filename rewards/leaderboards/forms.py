"""What members and staff write into about nicknames."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from rewards.leaderboards.nicknames import LONGEST, SHORTEST
from rewards.models import Leaderboard


class NicknameForm(forms.Form):
    """The nickname a member wants; what it may be is ``nicknames``' to say."""

    nickname = forms.CharField(
        label=_("Nickname"),
        min_length=SHORTEST,
        max_length=LONGEST,
        help_text=_("Everybody in the programme can see it. Better not your own name."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )


class RenameForm(forms.Form):
    """The nickname that staff give a member instead."""

    nickname = forms.CharField(
        label=_("New nickname"), max_length=LONGEST, widget=UnfoldAdminTextInputWidget()
    )


class LeaderboardForm(forms.ModelForm[Leaderboard]):
    """A leaderboard: of a challenge exactly when it compares progress."""

    class Meta:
        model = Leaderboard
        fields = ("code", "names", "basis", "period", "challenge", "settling_days", "position", "is_active")

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = super().clean() or self.cleaned_data
        basis = found.get("basis", self.instance.basis)
        challenge = found.get("challenge", self.instance.challenge)
        if basis == Leaderboard.Basis.CHALLENGE and challenge is None:
            self.add_error("challenge", _("Say which challenge's progress is compared."))
        if basis == Leaderboard.Basis.EARNED and challenge is not None:
            self.add_error("challenge", _("Points earned are compared without a challenge."))
        return found
