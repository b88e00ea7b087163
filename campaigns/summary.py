"""A campaign in sentences, for staff: when it goes out, by which ways, what members get and how it is measured."""

import datetime as dt

from django.conf import settings
from django.utils.formats import date_format, number_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns import audience, rhythm, trigger_events
from campaigns.experiments.assignment import hold_out_percent_of
from campaigns.models import Campaign, ChannelCode
from loyalty.conditions import ConditionError

Kind, Occasion = Campaign.Kind, Campaign.Occasion


def moment(at: dt.datetime) -> str:
    """A moment as the active language writes it, in the programme's time zone."""
    return date_format(localtime(at), "SHORT_DATETIME_FORMAT")


def who(campaign: Campaign) -> str:
    """Who the audience is; what is wrong with its conditions where they cannot be read."""
    try:
        return str(audience.condition_of(campaign).sentence(always=_("Every member.")))
    except ConditionError as error:
        return str(error)


def ways(campaign: Campaign) -> str:
    """“By e-mail, otherwise by text message.”"""
    names = [str(ChannelCode(code).label) for code in campaign.channels]
    if not names:
        return _("By no way yet.")
    listed = _(", otherwise by ").join(names)
    return _("By %(ways)s.") % {"ways": listed}


def when(campaign: Campaign) -> str:
    """When it goes out, in a sentence."""
    if campaign.kind == Kind.ONE_OFF:
        told = _once(campaign)
    elif campaign.occasion == Occasion.SCHEDULE:
        told = _schedule(campaign)
    elif campaign.occasion == Occasion.EVENT:
        told = _event(campaign)
    else:
        told = _occasion(campaign)
    if campaign.ends_at is not None:
        told = f"{told} {_('Until %(moment)s.') % {'moment': moment(campaign.ends_at)}}"
    return told


def _once(campaign: Campaign) -> str:
    if campaign.started_at is not None and campaign.send_at is None:
        return _("Went out on %(moment)s.") % {"moment": moment(campaign.started_at)}
    if campaign.send_at is None:
        return _("Goes out as soon as it is submitted and approved.")
    if campaign.in_member_zone:
        return _("Goes out on %(moment)s on each member's own clock.") % {"moment": moment(campaign.send_at)}
    return _("Goes out on %(moment)s.") % {"moment": moment(campaign.send_at)}


def _schedule(campaign: Campaign) -> str:
    try:
        told = rhythm.sentence(rhythm.parse(campaign.rhythm))
    except rhythm.RhythmError as error:
        return str(error)
    if campaign.in_member_zone:
        return _("%(rhythm)s, on each member's own clock.") % {"rhythm": told}
    return f"{told}."


def _event(campaign: Campaign) -> str:
    event = trigger_events.find(campaign.event)
    name = str(event.label) if event else campaign.event or _("something that is still to be chosen")
    if not campaign.delay_minutes:
        return _("Goes out when this happens: %(event)s.") % {"event": name}
    return _("Goes out %(delay)s after this: %(event)s.") % {
        "delay": delay(campaign.delay_minutes),
        "event": name,
    }


def _occasion(campaign: Campaign) -> str:
    days = campaign.days or 0
    match campaign.occasion:
        case Occasion.BIRTHDAY:
            return _("Goes out on each member's birthday.")
        case Occasion.ANNIVERSARY:
            return _("Goes out on each anniversary of a member's joining.")
        case Occasion.INACTIVE:
            return ngettext(
                "Goes out when a member has bought nothing for %(days)s day.",
                "Goes out when a member has bought nothing for %(days)s days.",
                days,
            ) % {"days": days}
        case Occasion.REPLENISH:
            return ngettext(
                "Goes out %(days)s day after a product was bought.",
                "Goes out %(days)s days after a product was bought.",
                days,
            ) % {"days": days}
    return _("Goes out when a favourite reward comes within a member's reach.")


def delay(minutes: int) -> str:
    """“2 hours”, in the largest unit that goes in evenly."""
    if minutes % (24 * 60) == 0:
        return ngettext("%(count)s day", "%(count)s days", minutes // 1440) % {"count": minutes // 1440}
    if minutes % 60 == 0:
        return ngettext("%(count)s hour", "%(count)s hours", minutes // 60) % {"count": minutes // 60}
    return ngettext("%(count)s minute", "%(count)s minutes", minutes) % {"count": minutes}


def gift(campaign: Campaign) -> str:
    """What members get besides the message."""
    points = campaign.bonus_points
    parts = []
    if points:
        shown = number_format(points, force_grouping=True)
        parts.append(ngettext("%(points)s point", "%(points)s points", points) % {"points": shown})
    if campaign.voucher_family is not None:
        parts.append(_("the voucher “%(voucher)s”") % {"voucher": campaign.voucher_family})
    if campaign.add_to_list is not None:
        parts.append(_("a place on the list “%(list)s”") % {"list": campaign.add_to_list})
    if not parts:
        return _("They get the message and nothing else.")
    return _("They get %(gifts)s.") % {"gifts": ", ".join(parts)}


def measure(campaign: Campaign) -> str:
    """How the campaign is measured, and against whom."""
    percent = number_format(hold_out_percent_of(campaign).normalize() + 0, use_l10n=True)
    told = _("It has worked when there is %(goal)s within %(days)s days.") % {
        "goal": campaign.get_goal_display(),
        "days": campaign.goal_days,
    }
    if campaign.purpose == Campaign.Purpose.SERVICE:
        return f"{told} {_('Nobody is held out of service messages.')}"
    if not campaign.hold_out_percent:
        return f"{told} {_('Nobody is held out, so the difference it makes cannot be measured.')}"
    return f"{told} {_('%(percent)s %% are held out.') % {'percent': percent}}"


def next_at(campaign: Campaign, *, after: dt.datetime) -> dt.datetime | None:
    """When it next goes out by the calendar; None for what is not scheduled or waits for members' occasions."""
    if campaign.archived_at is not None:
        return None
    if campaign.status == Campaign.Status.SCHEDULED:
        return campaign.send_at
    if campaign.status == Campaign.Status.RUNNING and campaign.occasion == Occasion.SCHEDULE:
        try:
            due = rhythm.next_due(
                rhythm.parse(campaign.rhythm), time_zone=settings.TIME_ZONE, after=after, years=5
            )
        except rhythm.RhythmError:
            return None
        if due is not None and (campaign.ends_at is None or due.at < campaign.ends_at):
            return due.at
    return None
