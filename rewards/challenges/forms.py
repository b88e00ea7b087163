"""The form in which a marketer makes a challenge: texts, what counts, for whom, when, and its steps."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.models import BaseInlineFormSet
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldBooleanSwitchWidget

from loyalty.conditions.forms import ConditionField
from rewards.catalogue import pictures
from rewards.catalogue.pictures import Drawn, PictureRefused, PictureTooLarge
from rewards.challenges import opening
from rewards.challenges.opening import ChallengeRefused
from rewards.challenges.taking_part import has_begun
from rewards.models import Badge, Challenge, ChallengeStep

SECTIONS: tuple[tuple[Any, dict[str, Any]], ...] = (
    (None, {"fields": ("code", "names", "descriptions", "picture_file", "no_picture", "position")}),
    (_("What counts"), {"fields": ("measure", "conditions", "lines", "grace")}),
    (_("When"), {"fields": ("starts_at", "ends_at", ("window", "days"), "recurs")}),
    (_("For whom"), {"fields": ("by_choice", "minimum_tier", "audience")}),
)


class PictureForm(forms.ModelForm):  # type: ignore[type-arg]
    """Something with a picture; ``drawn`` is the new one once the form is valid."""

    picture_file = forms.FileField(
        label=_("A new picture"),
        required=False,
        widget=UnfoldAdminFileFieldWidget({"accept": "image/jpeg,image/png,image/webp"}),
        help_text=_("JPEG, PNG or WebP. Its metadata is not kept."),
    )
    no_picture = forms.BooleanField(
        label=_("Take the picture away"), required=False, widget=UnfoldBooleanSwitchWidget()
    )

    drawn: Drawn | None = None

    def clean_picture_file(self) -> Any:
        """Draw the picture at once, so that what cannot be shown is refused beside its field."""
        upload = self.cleaned_data.get("picture_file")
        if upload is None:
            return None
        try:
            if (upload.size or 0) > pictures.MOST_BYTES:
                raise PictureTooLarge
            self.drawn = pictures.draw(upload.read())
        except PictureRefused as refused:
            raise ValidationError(str(refused), code="picture") from refused
        return upload


class ChallengeForm(PictureForm):
    """A challenge. Fields that stand still are not among its own then."""

    conditions = ConditionField(
        subject="activity", label=_("Which activities count"), always=_("Every activity.")
    )
    lines = ConditionField(
        subject="line",
        label=_("Which products count"),
        always=_("Everything bought."),
        help_text=_("Where it is about products or money. None: the whole purchase."),
    )
    audience = ConditionField(
        subject="audience", label=_("For members of whom"), always=_("For every member.")
    )

    class Meta:
        model = Challenge
        fields = ("code", "names", "descriptions", "position", *opening.TERMS)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if self.errors or "measure" not in self.fields:
            return data
        given = Challenge(**{name: data[name] for name in opening.TERMS if name in data})
        try:
            opening.check(given)
        except ChallengeRefused as refused:
            self.add_error(refused.field if refused.field in self.fields else None, str(refused))
        return data


class StepsFormSet(BaseInlineFormSet):  # type: ignore[type-arg]
    """The steps of a challenge: those of an open one have to make sense together at once."""

    def clean(self) -> None:
        super().clean()
        if any(self.errors) or (self.instance.pk and has_begun(self.instance)):
            return  # what stands still is not taken from the form
        kept = [form for form in self.forms if form.cleaned_data and not form.cleaned_data.get("DELETE")]
        targets = [form.cleaned_data["target"] for form in kept if form.cleaned_data.get("target")]
        if not targets and not self.instance.is_active:
            return
        try:
            opening.check_steps(self.instance, targets)
        except ChallengeRefused as refused:
            raise ValidationError(str(refused), code="steps") from refused


class StepForm(forms.ModelForm):  # type: ignore[type-arg]
    """A step with its prizes."""

    class Meta:
        model = ChallengeStep
        fields = (
            *("target", "names", "points", "badge", "badge_level", "voucher_family", "draw", "draw_chances"),
        )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        badge: Badge | None = data.get("badge")
        level = data.get("badge_level")
        if badge is not None and level and level > badge.levels:
            self.add_error(
                "badge_level",
                ValidationError(_("This badge has %(levels)s levels."), params={"levels": badge.levels}),
            )
        return data


class BadgeForm(PictureForm):
    """A badge."""

    class Meta:
        model = Badge
        fields = ("code", "names", "descriptions", "levels")
