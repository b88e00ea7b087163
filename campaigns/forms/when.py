"""The form in which a marketer says when a campaign goes out: once, on a rhythm, or when something happens."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.datastructures import MultiValueDict
from django.utils.dates import MONTHS, WEEKDAYS
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminDateWidget, UnfoldAdminTextInputWidget

from campaigns import rhythm, trigger_events
from campaigns.forms.base import Step, choice, moment, switch, whole
from campaigns.models import Campaign
from loyalty import clock
from loyalty.conditions.forms import ConditionField

Kind, Occasion = Campaign.Kind, Campaign.Occasion
OCCASIONS: Mapping[str, tuple[Campaign.Occasion, ...]] = {
    Kind.RECURRING: (Occasion.SCHEDULE, Occasion.BIRTHDAY, Occasion.ANNIVERSARY),
    Kind.TRIGGERED: (Occasion.EVENT, Occasion.INACTIVE, Occasion.REPLENISH, Occasion.AFFORDABLE),
}
"""What makes a campaign of each kind due."""

OTHER = "other"
EVERY = (
    ("day", _("every day")),
    ("week", _("every week")),
    ("month", _("every month")),
    ("year", _("every year")),
)
UNITS: Mapping[str, int] = {"minutes": 1, "hours": 60, "days": 24 * 60}
UNIT_NAMES = (("minutes", _("minutes")), ("hours", _("hours")), ("days", _("days")))
LONGEST_DELAY = 365 * 24 * 60
NOW, LATER = "now", "later"

_ONE_OFF = ("send", "send_at")
_RHYTHM = ("every", "weekdays", "day", "month", "clock_time", "interval", "first_day")
_EVENT = ("event", "partner_event", "delay", "delay_unit", "event_conditions")
_SHOWN: Mapping[str, str] = {
    **dict.fromkeys(_RHYTHM, "schedule"),
    **dict.fromkeys(_EVENT, "event"),
    "send_at": "later",
    "in_member_zone": "later schedule",
    "days": "inactive replenish",
}


class WhenForm(Step):
    """Only the fields of the campaign's kind; ``event`` is the one whose conditions are shown."""

    send = forms.ChoiceField(
        label=_("It goes out"),
        choices=[(NOW, _("as soon as it is submitted and approved")), (LATER, _("at a time:"))],
        widget=forms.RadioSelect,
    )
    send_at = moment(_("Send at"))
    occasion = choice(_("It goes out for"), ())
    every = choice(_("How often"), EVERY, required=False)
    weekdays = forms.TypedMultipleChoiceField(
        label=_("On"),
        choices=(),
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    day = whole(
        _("On day"), least=-1, most=31, required=False, help_text=_("Of the month; -1 is the last day.")
    )
    month = choice(_("In"), (), required=False)
    clock_time = forms.TimeField(
        label=_("At"),
        required=False,
        widget=UnfoldAdminTextInputWidget(
            {"type": "time"},
        ),
    )
    interval = whole(
        _("Every so many"),
        least=1,
        most=rhythm.LONGEST_INTERVAL,
        required=False,
        help_text=_("2 is every second day, week, month or year."),
    )
    first_day = forms.DateField(
        label=_("Not before"),
        required=False,
        widget=UnfoldAdminDateWidget(),
        help_text=_("Intervals are counted from here."),
    )
    event = choice(_("What happens"), (), required=False)
    partner_event = forms.CharField(
        label=_("Name of the partner's event"),
        max_length=90,
        required=False,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("As partners send it to the API, such as “cart_abandoned”."),
    )
    delay = whole(_("Wait"), most=LONGEST_DELAY, required=False, help_text=_("0: at once."))
    delay_unit = choice(_("Unit"), UNIT_NAMES, required=False)
    event_conditions = ConditionField(
        label=_("Only if"), subject="activity", always=_("Whenever it happens.")
    )
    days = whole(
        _("Days"),
        least=1,
        most=3650,
        required=False,
        help_text=_("Without a purchase, or since the product was bought."),
    )
    in_member_zone = switch(
        _("At that time of each member's own clock"),
        _("Members further east get it earlier, members further west later."),
    )
    look_back_days = whole(
        _("Still send what was missed by up to days"),
        most=300,
        required=False,
        help_text=_("After a pause or a standstill. What is older is noted as too late."),
    )
    ends_at = moment(_("Ends at"), _("Leave empty for “until further notice”."))
    priority = whole(
        _("Priority"),
        most=100,
        help_text=_("When members may get only so many messages, the higher one goes first. Usually 50."),
    )
    ignores_caps = switch(_("Not counted and not held back by frequency caps"))
    ignores_quiet_hours = switch(_("Goes out in quiet hours too"))

    grouped = (
        (_("When it goes out"), "", (*_ONE_OFF, "occasion", *_RHYTHM, *_EVENT, "days", "in_member_zone")),
        (_("How long"), "", ("ends_at", "look_back_days")),
        (_("Beside other messages"), "", ("priority", "ignores_caps", "ignores_quiet_hours")),
    )

    def __init__(self, *args: Any, campaign: Campaign, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.campaign = campaign
        self.were_dropped = False
        unused: tuple[str, ...] = _ONE_OFF
        if campaign.kind == Kind.ONE_OFF:
            unused = ("occasion", *_RHYTHM, *_EVENT, "days", "ends_at", "look_back_days")
        elif campaign.kind == Kind.RECURRING:
            unused = (*_ONE_OFF, *_EVENT, "days")
        else:
            unused = (*_ONE_OFF, *_RHYTHM, "in_member_zone")
        for name in unused:
            del self.fields[name]
        for name, field in self.fields.items():
            field.shown_for = _SHOWN.get(name, "")  # type: ignore[attr-defined]
        if "occasion" in self.fields:
            self._choices("occasion", [(each.value, each.label) for each in OCCASIONS[campaign.kind]])
        if "every" in self.fields:
            self._choices("weekdays", [(day, capfirst(WEEKDAYS[day - 1])) for day in range(1, 8)])
            self._choices("month", [(month, capfirst(name)) for month, name in MONTHS.items()])
        if "event" in self.fields:
            self._events()

    def _choices(self, name: str, choices: Any) -> None:
        self.fields[name].choices = choices  # type: ignore[attr-defined]

    def _events(self) -> None:
        """The events to choose from, and the conditions of the one that is chosen."""
        self._choices("event", [*trigger_events.choices(), (OTHER, _("a partner's own event"))])
        source = self.data if self.is_bound else self.initial
        name = str(source.get("event") or "")
        if name == OTHER:
            name = f"{trigger_events.PARTNER_PREFIX}{source.get('partner_event') or 'event'}"
        found = trigger_events.find(name) or next(iter(trigger_events.EVENTS.values()), None)
        if found is not None:
            self._forget_conditions_of_another(found.subject)
            about = ConditionField(
                label=_("Only if"), subject=found.subject, always=_("Whenever it happens.")
            )
            about.shown_for = "event"  # type: ignore[attr-defined]
            self.fields["event_conditions"] = about

    def _forget_conditions_of_another(self, subject: str) -> None:
        """Posted conditions on another event's facts mean nothing for this one."""
        posted_of = self.data.get("conditions_of") or subject
        self.fields["conditions_of"] = forms.CharField(
            required=False, initial=subject, widget=forms.HiddenInput
        )
        if posted_of == subject or not isinstance(self.data, MultiValueDict):
            return
        kept = {
            name: self.data.getlist(name) for name in self.data if not name.startswith("event_conditions-")
        }
        self.were_dropped = any(name.startswith("event_conditions-0-") for name in self.data)
        self.data = MultiValueDict({**kept, "conditions_of": [subject]})

    # --- From a campaign ----------------------------------------------------------------------------------------------

    @staticmethod
    def initial_of(campaign: Campaign) -> dict[str, Any]:
        names = (
            *("occasion", "event_conditions", "days", "in_member_zone", "look_back_days", "ends_at"),
            *("send_at", "priority", "ignores_caps", "ignores_quiet_hours"),
        )
        found = {name: getattr(campaign, name) for name in names}
        found["send"] = LATER if campaign.send_at else NOW
        return {**found, **_initial_rhythm(campaign.rhythm), **_initial_event(campaign)}

    # --- To a campaign ------------------------------------------------------------------------------------------------

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        match data.get("occasion", ""):
            case "":
                self._clean_one_off(data)
            case Occasion.SCHEDULE:
                self._clean_rhythm(data)
            case Occasion.EVENT:
                self._clean_event(data)
            case Occasion.INACTIVE | Occasion.REPLENISH if not data.get("days"):
                self.add_error("days", gettext("Say how many days."))
        if (data.get("ends_at") or dt.datetime.max.replace(tzinfo=dt.UTC)) <= clock.now():
            self.add_error("ends_at", gettext("This moment is over."))
        return data

    def _clean_one_off(self, data: dict[str, Any]) -> None:
        if self.campaign.kind != Kind.ONE_OFF or data.get("send") != LATER:
            data["send_at"] = None
        elif "send_at" not in self.errors and not data.get("send_at"):
            self.add_error("send_at", gettext("Say when."))
        elif data.get("send_at") and data["send_at"] <= clock.now():
            self.add_error("send_at", gettext("This moment is over."))

    def _clean_rhythm(self, data: dict[str, Any]) -> None:
        given: dict[str, Any] = {"every": data.get("every")}
        if data.get("clock_time") is not None:
            given["at"] = f"{data['clock_time']:%H:%M}"
        if given["every"] == "week":
            given["weekdays"] = data.get("weekdays") or []
        if given["every"] in {"month", "year"}:
            given["day"] = data.get("day") or 1
        if given["every"] == "year":
            given["month"] = int(data.get("month") or 1)
        if (data.get("interval") or 1) > 1:
            given["interval"] = data["interval"]
        if data.get("first_day"):
            given["start"] = data["first_day"].isoformat()
        try:
            data["rhythm"] = rhythm.parse(given).as_json()
        except rhythm.RhythmError as error:
            self.add_error("every", str(error))

    def _clean_event(self, data: dict[str, Any]) -> None:
        if data.get("event") == OTHER:
            name = (data.get("partner_event") or "").strip()
            if not name:
                self.add_error("partner_event", gettext("Say what the event is called."))
            data["event"] = f"{trigger_events.PARTNER_PREFIX}{name}"
        elif not data.get("event"):
            self.add_error("event", gettext("Choose what it waits for."))
        if self.were_dropped:
            self.add_error(
                "event_conditions", gettext("This event has conditions of its own: say them anew.")
            )
        minutes = (data.get("delay") or 0) * UNITS.get(data.get("delay_unit") or "minutes", 1)
        if minutes > LONGEST_DELAY:
            self.add_error("delay", gettext("A year is the longest wait."))
        data["delay_minutes"] = minutes

    def answers(self) -> dict[str, Any]:
        """Everything that the kind has; what belongs to another occasion is emptied."""
        data = self.cleaned_data
        found: dict[str, Any] = {
            "priority": data["priority"],
            "ignores_caps": data["ignores_caps"],
            "ignores_quiet_hours": data["ignores_quiet_hours"],
        }
        if self.campaign.kind == Kind.ONE_OFF:
            zone = bool(data["send_at"]) and data["in_member_zone"]
            return {**found, "send_at": data["send_at"], "in_member_zone": zone}
        occasion = data["occasion"]
        of_event = occasion == Occasion.EVENT
        look_back = data["look_back_days"]
        return {
            **found,
            "occasion": occasion,
            "rhythm": data.get("rhythm", {}),
            "in_member_zone": bool(data.get("in_member_zone")) and occasion == Occasion.SCHEDULE,
            "event": data["event"] if of_event else "",
            "event_conditions": data.get("event_conditions") or {} if of_event else {},
            "delay_minutes": data.get("delay_minutes", 0),
            "days": data.get("days") if occasion in {Occasion.INACTIVE, Occasion.REPLENISH} else None,
            "look_back_days": self.campaign.look_back_days if look_back is None else look_back,
            "ends_at": data["ends_at"],
        }


def _initial_rhythm(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a stored schedule by the form's names; a weekly one on Mondays where there is none."""
    return {
        "every": stored.get("every", "week"),
        "weekdays": stored.get("weekdays", [1]),
        "day": stored.get("day", 1),
        "month": stored.get("month", 1),
        "clock_time": stored.get("at", "09:00"),
        "interval": stored.get("interval", 1),
        "first_day": stored.get("start"),
    }


def _initial_event(campaign: Campaign) -> dict[str, Any]:
    minutes = campaign.delay_minutes
    unit = next((name for name in ("days", "hours") if minutes and minutes % UNITS[name] == 0), "minutes")
    found = {"event": campaign.event, "delay": minutes // UNITS[unit], "delay_unit": unit}
    if campaign.event.startswith(trigger_events.PARTNER_PREFIX):
        own = campaign.event.removeprefix(trigger_events.PARTNER_PREFIX)
        found |= {"event": OTHER, "partner_event": own}
    return found
