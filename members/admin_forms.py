"""The admin's forms about a member: enrolling one, and correcting what is known of them."""

import datetime as dt
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldBooleanSwitchWidget

from loyalty import clock
from loyalty.programme import current
from members.contacts import InvalidPhone, normal_email, normal_phone
from members.enrolment import NewMember
from members.forms import OLDEST_BIRTH_YEAR, QUESTIONS, _zone_choices, consent_name
from members.identification import with_email
from members.models import Member
from members.queries import ASKED


class MemberForm(forms.ModelForm):  # type: ignore[type-arg]
    """What staff may correct. The card number, the tier and the points are not among it."""

    class Meta:
        model = Member
        fields = (
            "first_name",
            "last_name",
            "email",
            "phone",
            "birth_date",
            "language",
            "time_zone",
            "acquisition_channel",
            "status",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zone = self.instance.time_zone if self.instance.pk else current().time_zone
        if "time_zone" in self.fields:
            self.fields["time_zone"] = forms.ChoiceField(
                label=_("Time zone"),
                choices=_zone_choices(zone),
                initial=zone,
                widget=UnfoldAdminSelectWidget(),
                help_text=_("Decides when the member's birthday begins."),
            )
        if "phone" in self.fields:
            self.fields["phone"].help_text = _("For example 040 123 4567 or +46 70 123 45 67.")
        if "email" in self.fields and self.instance.user_id:
            self.fields["email"].disabled = True
            self.fields["email"].help_text = _("The member logs in with it and changes it in the portal.")
        if "status" in self.fields:
            self.fields["status"].choices = [  # type: ignore[attr-defined]
                (value, label)
                for value, label in Member.Status.choices
                if value != Member.Status.ERASED or value == self.instance.status
            ]

    def clean_email(self) -> str:
        email = normal_email(self.cleaned_data["email"])
        taken = with_email([email]).exclude(pk=self.instance.pk).first() if email else None
        if taken is not None:
            raise ValidationError(
                format_html(
                    "{} <a class='k-link' href='{}'>{}</a>",
                    _("Another member has this e-mail address:"),
                    reverse("admin:members_member_overview", args=[taken.pk]),
                    taken,
                )
            )
        return email

    def clean_phone(self) -> str:
        try:
            return normal_phone(self.cleaned_data["phone"])
        except InvalidPhone as error:
            raise ValidationError(
                _("Nobody can call this number. Check the digits, and the country code if it is not Finnish.")
            ) from error

    def clean_birth_date(self) -> dt.date | None:
        day: dt.date | None = self.cleaned_data["birth_date"]
        if day and (day.year < OLDEST_BIRTH_YEAR or day > clock.now().date()):
            raise ValidationError(_("Give a date of birth that is in the past."))
        return day


ENROLLED_WITH = tuple(name for name in MemberForm.Meta.fields if name != "status")


class EnrolForm(MemberForm):
    """Somebody new, with what they agreed to. Enrolment itself is ``members.enrolment``'s."""

    class Meta(MemberForm.Meta):
        fields = ENROLLED_WITH

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["acquisition_channel"].initial = Member.AcquisitionChannel.STORE

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if (
            not any(data.get(name) for name in ("first_name", "last_name", "email", "phone"))
            and not self.errors
        ):
            raise ValidationError(_("Give at least a name, an e-mail address or a phone number."))
        return data

    def new_member(self) -> NewMember:
        return NewMember(**{name: self.cleaned_data[name] for name in ENROLLED_WITH})

    def consents(self) -> list[tuple[str, str]]:
        """What the member said yes to; noted down one by one, with the name of who asked."""
        return [
            (purpose, channel)
            for purpose, channel in ASKED
            if self.cleaned_data.get(consent_name(purpose, channel))
        ]


def _consent_field(purpose: str, channel: str) -> forms.BooleanField:
    label, explanation = QUESTIONS[purpose, channel]
    return forms.BooleanField(
        label=label, help_text=explanation, required=False, widget=UnfoldBooleanSwitchWidget()
    )


# Declared as fields of the class, so that the admin's fieldsets can name them.
for _purpose, _channel in ASKED:
    _name = consent_name(_purpose, _channel)
    EnrolForm.base_fields[_name] = EnrolForm.declared_fields[_name] = _consent_field(_purpose, _channel)


class StaffConsentForm(forms.Form):
    """Every question with the member's present answer, as staff note it down on the member's word."""

    def __init__(self, *args: Any, answers: dict[tuple[str, str], bool], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for purpose, channel in ASKED:
            field = _consent_field(purpose, channel)
            field.initial = answers.get((purpose, channel), False)
            self.fields[consent_name(purpose, channel)] = field

    def answers(self) -> dict[tuple[str, str], bool]:
        return {
            (purpose, channel): self.cleaned_data[consent_name(purpose, channel)]
            for purpose, channel in ASKED
        }
