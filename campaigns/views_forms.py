"""The portal's forms about messages: wishes, and consents to messages behind a link in one."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, cast

from django import forms
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from campaigns.models import ChannelCode
from campaigns.preferences import Wishes
from members.forms import consent_fields, consent_name
from members.models.consent import Purpose
from members.queries import ASKED

WAYS = (ChannelCode.EMAIL, ChannelCode.SMS, ChannelCode.PUSH)
PER_WEEK = (1, 2, 3, 5)
PAUSES: tuple[tuple[str, Any, dt.timedelta], ...] = (
    ("week", _("For a week"), dt.timedelta(days=7)),
    ("month", _("For a month"), dt.timedelta(days=30)),
    ("quarter", _("For three months"), dt.timedelta(days=91)),
)
_AS_IT_IS = "as-it-is"
_PURPOSES = frozenset({Purpose.MARKETING, Purpose.SURVEYS})
MESSAGE_QUESTIONS = tuple((purpose, channel) for purpose, channel in ASKED if purpose in _PURPOSES)


class WishesForm(forms.Form):
    """How messages may come: by which way first, how many a week, none for a time, and whether we count clicks.

    ``today`` is the member's own date; a pause that is already over is none.
    """

    preferred_channel = forms.ChoiceField(
        label=_("Rather by"),
        required=False,
        help_text=_("We write this way whenever you have allowed it. Otherwise we choose."),
    )
    per_week = forms.TypedChoiceField(
        label=_("How many messages a week"), required=False, coerce=int, empty_value=None
    )
    pause = forms.ChoiceField(
        label=_("No messages for a time"),
        required=False,
        help_text=_("Messages about your account and your points come in any case."),
    )
    no_tracking = forms.BooleanField(
        label=_("Do not count what I open and which links I follow"), required=False
    )

    def __init__(self, *args: Any, wishes: Wishes, today: dt.date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today
        until = wishes.paused_until if wishes.paused_until and wishes.paused_until > today else None
        self._until = until
        choices: dict[str, list[tuple[Any, Any]]] = {
            "preferred_channel": [
                ("", _("No preference")),
                *((way.value, way.label.capitalize()) for way in WAYS),
            ],
            "per_week": [("", _("As many as there are")), *_per_week(wishes.per_week)],
            "pause": [("", _("No pause")), *((key, label) for key, label, _length in PAUSES)],
        }
        if until is not None:
            day = date_format(until, "SHORT_DATE_FORMAT")
            choices["pause"].insert(0, (_AS_IT_IS, _("Until %(day)s") % {"day": day}))
        for name, listed in choices.items():
            cast(forms.ChoiceField, self.fields[name]).choices = listed
        self.initial = {
            "preferred_channel": wishes.preferred_channel,
            "per_week": wishes.per_week or "",
            "pause": _AS_IT_IS if until else "",
            "no_tracking": wishes.no_tracking,
            **self.initial,
        }

    def wishes(self) -> Wishes:
        """What was chosen."""
        said = self.cleaned_data
        lengths = {key: length for key, _label, length in PAUSES}
        until = self._until if said["pause"] == _AS_IT_IS else None
        if said["pause"] in lengths:
            until = self.today + lengths[said["pause"]]
        return Wishes(
            preferred_channel=said["preferred_channel"],
            per_week=said["per_week"],
            paused_until=until,
            no_tracking=said["no_tracking"],
        )


class MessageConsentForm(forms.Form):
    """Consents to messages, behind a link in one. All can be withdrawn; only those by ``given_by`` can be given.

    Whoever reads a message has shown that its address is theirs, and nothing of the member's other addresses.
    """

    def __init__(
        self, *args: Any, answers: Mapping[tuple[str, str], bool], given_by: str, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields.update(consent_fields(MESSAGE_QUESTIONS, answers))
        for purpose, channel in MESSAGE_QUESTIONS:
            if channel != given_by and not answers.get((purpose, channel), False):
                self.fields[consent_name(purpose, channel)].disabled = True

    def answers(self) -> dict[tuple[str, str], bool]:
        """The answers to the questions that could be answered."""
        return {
            (purpose, channel): self.cleaned_data[consent_name(purpose, channel)]
            for purpose, channel in MESSAGE_QUESTIONS
            if not self.fields[consent_name(purpose, channel)].disabled
        }


def _per_week(present: int | None) -> list[tuple[int, str]]:
    """The figures to choose from, and the member's own where it is another."""
    figures = sorted({*PER_WEEK, *([present] if present else [])})
    return [
        (number, ngettext("%(number)s at most", "%(number)s at most", number) % {"number": number})
        for number in figures
    ]
