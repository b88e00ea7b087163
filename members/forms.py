"""The portal's forms: joining, the member's own details, and consents."""

import datetime as dt
import zoneinfo
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from allauth.account.forms import SignupForm as AllauthSignupForm
from django import forms
from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from loyalty import clock
from members.contacts import InvalidPhone, normal_phone
from members.models import Member, User
from members.models.consent import ConsentChannel, Purpose
from members.models.signup import SignUp
from members.queries import ASKED

# How each question is put to the member, and what the answer means.
QUESTIONS: dict[tuple[str, str], tuple[Any, Any]] = {
    (Purpose.MARKETING, ConsentChannel.EMAIL): (
        _("Offers and news by e-mail"),
        _("A few times a month at most. Every message has a link to stop them."),
    ),
    (Purpose.MARKETING, ConsentChannel.SMS): (
        _("Offers by text message"),
        _("Only when there is something that will not wait."),
    ),
    (Purpose.MARKETING, ConsentChannel.PUSH): (
        _("Offers as notifications"),
        _("On the devices that you let us send notifications to."),
    ),
    (Purpose.SURVEYS, ConsentChannel.EMAIL): (
        _("Surveys by e-mail"),
        _("Short questions about how we are doing, a few times a year."),
    ),
    (Purpose.SURVEYS, ConsentChannel.SMS): (
        _("Surveys by text message"),
        _("A question or two, seldom."),
    ),
    (Purpose.SURVEYS, ConsentChannel.PUSH): (
        _("Surveys as notifications"),
        _("A question or two, seldom."),
    ),
    (Purpose.PROFILING, ConsentChannel.ANY): (
        _("Offers chosen by my purchases"),
        _("We look at what you buy to choose offers that suit you."),
    ),
    (Purpose.PURCHASE_LINES, ConsentChannel.ANY): (
        _("Show my receipts item by item"),
        _(
            "You see here what each purchase held, and we may use it to choose offers. "
            "The items are stored in any case, for points and returns."
        ),
    ),
}
# What the questions are about, in the order of the page.
TOPICS: tuple[tuple[Any, frozenset[str]], ...] = (
    (_("Offers and news"), frozenset({Purpose.MARKETING})),
    (_("Surveys"), frozenset({Purpose.SURVEYS})),
    (_("Your purchases"), frozenset({Purpose.PROFILING, Purpose.PURCHASE_LINES})),
)
# Asked when joining: the few that matter from the first day. The rest wait in the profile.
ASKED_AT_FIRST = (
    (Purpose.MARKETING, ConsentChannel.EMAIL),
    (Purpose.PROFILING, ConsentChannel.ANY),
    (Purpose.PURCHASE_LINES, ConsentChannel.ANY),
)
FIRST_ZONES = ("Europe/Helsinki", "Europe/Mariehamn", "Europe/Stockholm", "Europe/Tallinn", "Europe/London")
OLDEST_BIRTH_YEAR = 1900


def consent_name(purpose: str, channel: str) -> str:
    """The form's name for one question."""
    return f"consent-{purpose}-{channel}"


def consent_fields(
    asked: Iterable[tuple[str, str]], answers: Mapping[tuple[str, str], bool] | None = None
) -> dict[str, forms.BooleanField]:
    """A box for every question, unticked unless the answer is known to be yes."""
    fields = {}
    for purpose, channel in asked:
        label, explanation = QUESTIONS[purpose, channel]
        fields[consent_name(purpose, channel)] = forms.BooleanField(
            label=label,
            help_text=explanation,
            required=False,
            initial=(answers or {}).get((purpose, channel), False),
        )
    return fields


class SignupForm(AllauthSignupForm):
    """Joining: a first name, an e-mail address, a password, a language and free choices about contact."""

    field_order = ("first_name", "email", "password1", "language")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["first_name"] = forms.CharField(
            label=_("First name"),
            max_length=100,
            widget=forms.TextInput(attrs={"autocomplete": "given-name"}),
        )
        self.fields["language"] = forms.ChoiceField(
            label=_("Language"),
            choices=[("fi", "Suomi"), ("sv", "Svenska"), ("en", "English")],
            initial=(get_language() or settings.LANGUAGE_CODE).split("-")[0],
            help_text=_("We write to you in this language."),
        )
        self.fields["email"].label = _("E-mail address")
        self.fields["password1"].help_text = _(
            "At least 10 characters. A few words in a row make a good one."
        )
        for field in self.fields.values():
            field.widget.attrs.pop("placeholder", None)
        self.order_fields(self.field_order)
        self.fields.update(consent_fields(ASKED_AT_FIRST))

    @property
    def consent_names(self) -> list[str]:
        return [consent_name(purpose, channel) for purpose, channel in ASKED_AT_FIRST]

    @property
    def consent_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.consent_names]

    def custom_signup(self, request: HttpRequest, user: User) -> None:  # type: ignore[override]
        """Keep the choices until the address is verified (then :mod:`members.adapter` enrols)."""
        super().custom_signup(request, user)
        SignUp.objects.create(
            user=user,
            language=self.cleaned_data["language"],
            consents=[
                [purpose, channel]
                for purpose, channel in ASKED_AT_FIRST
                if self.cleaned_data[consent_name(purpose, channel)]
            ],
            referral_code=self.came_by_code(request),
            visitor=self.came_as_visitor(request),
            created_at=clock.now(),
        )

    def came_by_code(self, request: HttpRequest) -> str:
        """The code of the friend who sent them; what is no code does no harm. Upper floors may know more."""
        return request.POST.get("ref", "").replace("\0", "")[:20]

    def came_as_visitor(self, request: HttpRequest) -> UUID | None:
        """The number of the browser, where links that it followed are remembered."""
        return None


class ProfileForm(forms.ModelForm[Member]):
    """The member's own details. A birthday can be given once; corrections go through customer service."""

    class Meta:
        model = Member
        fields = ("first_name", "last_name", "birth_date", "phone")
        widgets = {
            "first_name": forms.TextInput(attrs={"autocomplete": "given-name"}),
            "last_name": forms.TextInput(attrs={"autocomplete": "family-name"}),
            "birth_date": forms.DateInput(format="%Y-%m-%d", attrs={"type": "date", "autocomplete": "bday"}),
            "phone": forms.TextInput(attrs={"type": "tel", "autocomplete": "tel", "inputmode": "tel"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["first_name"].label = _("First name")
        self.fields["last_name"].label = _("Last name")
        self.fields["phone"].label = _("Phone number")
        self.fields["phone"].help_text = _("For example 040 123 4567 or +46 70 123 45 67.")
        birthday = self.fields["birth_date"]
        birthday.label = _("Date of birth")
        if self.instance.birth_date:
            birthday.disabled = True
            birthday.help_text = _("Wrong? Customer service can correct it.")
        else:
            birthday.help_text = _(
                "For a birthday greeting. It can be given once, so check it before you save."
            )

    def clean_birth_date(self) -> dt.date | None:
        day: dt.date | None = self.cleaned_data["birth_date"]
        if day is None or self.instance.birth_date:
            return self.instance.birth_date or day
        if day.year < OLDEST_BIRTH_YEAR or day > clock.local_date(clock.now(), self.instance.time_zone):
            raise forms.ValidationError(_("Give a date of birth that is in the past."))
        return day

    def clean_phone(self) -> str:
        try:
            return normal_phone(self.cleaned_data["phone"])
        except InvalidPhone as error:
            raise forms.ValidationError(
                _("This is not a phone number we can call. Check the digits and the country code.")
            ) from error


class PlacesForm(forms.ModelForm[Member]):
    """Language and time zone."""

    class Meta:
        model = Member
        fields = ("language", "time_zone")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["language"] = forms.ChoiceField(
            label=_("Language"),
            choices=[("fi", "Suomi"), ("sv", "Svenska"), ("en", "English")],
            help_text=_("These pages and our messages to you."),
        )
        self.fields["time_zone"] = forms.ChoiceField(
            label=_("Time zone"),
            choices=_zone_choices(self.instance.time_zone),
            help_text=_("Decides when your birthday begins and how times are shown."),
        )


def _zone_choices(present: str) -> list[tuple[str, str]]:
    """The zones people here use first, then the rest by name; a present zone outside the list stays choosable."""
    rest = sorted(
        name
        for name in zoneinfo.available_timezones()
        if name not in FIRST_ZONES
        and "/" in name
        and not name.startswith(("Etc/", "posix/", "right/", "SystemV/"))
    )
    names = [*FIRST_ZONES, *rest]
    if present not in names:
        names.insert(0, present)
    return [(name, name.replace("_", " ").replace("/", " – ")) for name in names]


class LeaveForm(forms.Form):
    """The member means it."""

    sure = forms.BooleanField(
        label=_("Yes, I want to leave"),
        error_messages={"required": _("Tick the box if you want to leave.")},
    )


class ConsentForm(forms.Form):
    """Every question with a switch."""

    def __init__(self, *args: Any, answers: dict[tuple[str, str], bool], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields.update(consent_fields(ASKED, answers))

    def answers(self) -> dict[tuple[str, str], bool]:
        """The answer to every question as it was sent."""
        return {
            (purpose, channel): self.cleaned_data[consent_name(purpose, channel)]
            for purpose, channel in ASKED
        }
