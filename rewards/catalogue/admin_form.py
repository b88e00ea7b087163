"""The form in which a marketer makes a reward: texts, a picture, what it costs and gives, for whom, when, how many."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.postgres.forms import SimpleArrayField
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from loyalty.conditions.forms import ConditionField
from rewards.catalogue import pictures
from rewards.catalogue.pictures import Drawn, PictureRefused, PictureTooLarge
from rewards.models import Reward, RewardStock, VoucherFamily

Kind, Fulfilment = Reward.Kind, Reward.Fulfilment

SECTIONS: tuple[tuple[Any, dict[str, Any]], ...] = (
    (None, {"fields": (("code", "kind"), "names", "descriptions", "instructions", ("category", "tags"), "partner")}),
    (gettext_lazy("Picture"), {"fields": ("picture_file", "no_picture", "picture_texts")}),
    (gettext_lazy("What it costs"), {"fields": (("points", "money"),)}),
    (
        gettext_lazy("What is given"),
        {"fields": (("fulfilment", "collect_days"), "voucher_family", ("cause", "draw"), "skus")},
    ),
    (
        gettext_lazy("When and for whom"),
        {
            "fields": (
                "is_active",
                "opens_at",
                "closes_at",
                "minimum_tier",
                "early_opens_at",
                "early_tier",
                "conditions",
            )
        },
    ),
    (
        gettext_lazy("How many"),
        {
            "fields": (
                "pieces",
                ("limit_per_member", "limit_per_member_period"),
                ("limit_in_all", "limit_in_all_period"),
            ),
            "description": gettext_lazy("Empty: no limit."),
        },
    ),
)  # fmt: skip


def _words(label: Any, help_text: Any, length: int) -> SimpleArrayField:
    return SimpleArrayField(
        forms.CharField(max_length=length),
        label=label,
        required=False,
        help_text=help_text,
        widget=UnfoldAdminTextInputWidget(),
    )


class RewardForm(forms.ModelForm):  # type: ignore[type-arg]
    """A reward with its picture and its stock. ``drawn`` is the new picture once the form is valid."""

    picture_file = forms.FileField(
        label=gettext_lazy("A new picture"),
        required=False,
        widget=UnfoldAdminFileFieldWidget({"accept": "image/jpeg,image/png,image/webp"}),
        help_text=gettext_lazy(
            "JPEG, PNG or WebP, best in 4:3 and at least 1280 pixels wide. Its metadata is not kept."
        ),
    )
    no_picture = forms.BooleanField(
        label=gettext_lazy("Take the picture away"), required=False, widget=UnfoldBooleanSwitchWidget()
    )
    pieces = forms.IntegerField(
        label=gettext_lazy("Pieces in all"),
        required=False,
        min_value=0,
        max_value=2_000_000_000,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text=gettext_lazy("With those that are taken. Empty: it never runs out."),
    )
    tags = _words(gettext_lazy("Tags"), gettext_lazy("Separated by commas."), 50)
    skus = _words(
        gettext_lazy("SKUs"),
        gettext_lazy(
            "The products that it is about, separated by commas. Suggestions leave out what a member would never want."
        ),
        100,
    )
    conditions = ConditionField(
        subject="audience",
        label=gettext_lazy("For members of whom"),
        always=gettext_lazy("For every member."),
        help_text=gettext_lazy("Others do not see the reward at all."),
    )

    drawn: Drawn | None = None

    class Meta:
        model = Reward
        fields = (
            *("code", "kind", "names", "descriptions", "instructions", "picture_texts", "category", "tags"),
            *("skus", "partner", "points", "money", "is_active", "opens_at", "closes_at", "minimum_tier"),
            *("early_opens_at", "early_tier", "conditions", "limit_per_member", "limit_per_member_period"),
            *("limit_in_all", "limit_in_all_period", "fulfilment", "collect_days", "voucher_family"),
            *("cause", "draw"),
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stock = RewardStock.objects.filter(reward=self.instance.pk).first() if self.instance.pk else None
        if "voucher_family" in self.fields:  # a code for everybody cannot be had for points
            families = VoucherFamily.objects.exclude(source=VoucherFamily.Source.SHARED)
            self.fields["voucher_family"].queryset = families  # type: ignore[attr-defined]
        if self.stock is not None:
            self.initial["pieces"] = self.stock.total
            self.fields["pieces"].help_text = _("%(taken)s of them are taken. Empty: it never runs out.") % {
                "taken": self.stock.taken
            }

    def clean_picture_file(self) -> UploadedFile[bytes] | None:
        """Draw the picture at once, so that what cannot be shown is refused beside its field."""
        upload: UploadedFile[bytes] | None = self.cleaned_data.get("picture_file")
        if upload is None:
            return None
        try:
            if (upload.size or 0) > pictures.MOST_BYTES:
                raise PictureTooLarge
            self.drawn = pictures.draw(upload.read())
        except PictureRefused as refused:
            raise ValidationError(str(refused), code="picture") from refused
        return upload

    def clean_pieces(self) -> int | None:
        pieces: int | None = self.cleaned_data.get("pieces")
        if pieces is not None and self.stock is not None and pieces < self.stock.taken:
            raise ValidationError(
                _("Members have taken %(taken)s already: there cannot be fewer in all."),
                params={"taken": self.stock.taken},
            )
        return pieces

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        self._check_what_is_given(data)
        self._check_when(data)
        if data.get("is_active") and self.instance.archived_at is not None:
            self.add_error("is_active", _("It is in the archive. Take it out of there first."))
        return data

    def _check_what_is_given(self, data: dict[str, Any]) -> None:
        kind, given = data.get("kind"), data.get("fulfilment")
        at_once = {
            Kind.DONATION: ("cause", _("Choose the cause.")),
            Kind.DRAW_ENTRY: ("draw", _("Choose the draw.")),
        }
        if kind in at_once:
            field, message = at_once[Kind(kind)]
            if not data.get(field):
                self.add_error(field, message)
            if given and given != Fulfilment.AT_ONCE:
                self.add_error("fulfilment", _("A donation or a draw entry is done at once."))
        elif given == Fulfilment.AT_ONCE:
            self.add_error("fulfilment", _("Only a donation or a draw entry is done at once."))
        if given == Fulfilment.VOUCHER and not data.get("voucher_family"):
            self.add_error("voucher_family", _("Choose the voucher that members get."))

    def _check_when(self, data: dict[str, Any]) -> None:
        opens, closes = data.get("opens_at"), data.get("closes_at")
        if opens and closes and closes <= opens:
            self.add_error("closes_at", _("It has to end after it begins."))
        early, tier = data.get("early_opens_at"), data.get("early_tier")
        if early and not tier:
            self.add_error("early_tier", _("Choose whose early access it is."))
        if tier and not early:
            self.add_error("early_opens_at", _("Say from when they have it."))
        if early and (not opens or early >= opens):
            self.add_error("early_opens_at", _("Early access begins before the reward opens for everybody."))


class PreviewForm(forms.Form):
    """As whom to look: a member by card number or e-mail address, or a made-up one."""

    who = forms.CharField(required=False, max_length=254)
    tier = forms.CharField(required=False, max_length=30)
    points_of_member = forms.IntegerField(required=False, min_value=0, max_value=10**9)
    language = forms.CharField(required=False, max_length=2)
