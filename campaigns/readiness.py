"""What stands between a draft and its sending: each objection names the field to mend and says how.

``lifecycle`` asks when a campaign is submitted, approved and resumed; the admin shows all of them while it is written.
"""

import datetime as dt
from collections.abc import Iterator

from django.utils.translation import gettext as _

from campaigns import awards, occasions, rhythm, trigger_events
from campaigns.models import Campaign, ChannelPolicy
from campaigns.models.campaign import ChannelCode
from campaigns.rendering import checks
from loyalty import conditions
from members.segments.definition import SUBJECT

Kind, Occasion = Campaign.Kind, Campaign.Occasion
STALE = dt.timedelta(hours=24)
"""A time of sending that lies further back than this was forgotten, not meant."""

OF_KIND = {
    Kind.ONE_OFF: frozenset({""}),
    Kind.RECURRING: frozenset({Occasion.BIRTHDAY, Occasion.ANNIVERSARY, Occasion.SCHEDULE}),
    Kind.TRIGGERED: frozenset({Occasion.EVENT, Occasion.INACTIVE, Occasion.REPLENISH, Occasion.AFFORDABLE}),
}
"""Which occasions each kind of campaign has."""


class CampaignRefused(Exception):
    """The campaign cannot be so, or not now. ``field`` is what to mend; the message says how and may be shown."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


def check(campaign: Campaign, *, at: dt.datetime) -> None:
    """Raises CampaignRefused with the first thing that keeps the campaign from being sent."""
    for objection in _all(campaign, at=at):
        raise objection


def objections(campaign: Campaign, *, at: dt.datetime) -> list[CampaignRefused]:
    """Everything that keeps the campaign from being sent, in the order of its form."""
    return list(_all(campaign, at=at))


def _all(campaign: Campaign, *, at: dt.datetime) -> Iterator[CampaignRefused]:
    if not campaign.name:
        yield CampaignRefused("names", _("Give the campaign a name."))
    yield from _of_occasion(campaign)
    yield from _of_time(campaign, at=at)
    yield from _of_audience(campaign)
    yield from _of_channels(campaign)
    yield from _of_awards(campaign, at=at)
    yield from _of_experiment(campaign)
    yield from _of_texts(campaign)


def _of_occasion(campaign: Campaign) -> Iterator[CampaignRefused]:
    if campaign.occasion not in OF_KIND[Kind(campaign.kind)]:
        yield CampaignRefused("occasion", _("Choose what makes the campaign due for a member."))
        return
    match campaign.occasion:
        case Occasion.SCHEDULE | Occasion.BIRTHDAY | Occasion.ANNIVERSARY:
            yield from _of_rhythm(campaign)
        case Occasion.EVENT if trigger_events.find(campaign.event) is None:
            yield CampaignRefused("event", _("Choose the event that the campaign waits for."))
        case Occasion.EVENT | Occasion.AFFORDABLE:
            yield from _of_event_conditions(campaign)
        case Occasion.INACTIVE | Occasion.REPLENISH if not campaign.days:
            yield CampaignRefused("days", _("Say after how many days."))
        case Occasion.REPLENISH:
            yield from _of_event_conditions(campaign)
    longest = occasions.LONGEST_LOOK_BACK
    if campaign.look_back_days > longest:
        message = _("The look-back can be %(days)s days at most.") % {"days": longest}
        yield CampaignRefused("look_back_days", message)


def _of_rhythm(campaign: Campaign) -> Iterator[CampaignRefused]:
    """A schedule; of a day that comes round by itself the time of the clock, if any."""
    try:
        if campaign.occasion == Occasion.SCHEDULE:
            rhythm.parse(campaign.rhythm)
        elif campaign.rhythm.get("at"):
            rhythm.time_of(campaign.rhythm["at"])
    except rhythm.RhythmError as wrong:
        yield CampaignRefused("rhythm", str(wrong))


def _of_event_conditions(campaign: Campaign) -> Iterator[CampaignRefused]:
    try:
        condition = trigger_events.condition_of(campaign)
    except conditions.ConditionError as wrong:
        yield CampaignRefused("event_conditions", str(wrong))
        return
    if campaign.occasion == Occasion.REPLENISH and condition.is_always:
        yield CampaignRefused("event_conditions", _("Say which product is bought again and again."))


def _of_time(campaign: Campaign, *, at: dt.datetime) -> Iterator[CampaignRefused]:
    if campaign.kind == Kind.ONE_OFF:
        if campaign.in_member_zone and campaign.send_at is None:
            yield CampaignRefused("send_at", _("Say at what time of each member's clock it goes out."))
        if campaign.send_at is not None and campaign.send_at < at - STALE:
            yield CampaignRefused("send_at", _("The time of sending has gone by: choose a later one."))
    if campaign.ends_at is not None and campaign.ends_at <= max(at, campaign.send_at or at):
        yield CampaignRefused("ends_at", _("The campaign would end before it begins: choose a later end."))


def _of_audience(campaign: Campaign) -> Iterator[CampaignRefused]:
    try:
        condition = conditions.parse(campaign.audience or {}, SUBJECT)
        condition.q(at=campaign.created_at)
    except (conditions.ConditionError, conditions.NotQueryableError) as wrong:
        yield CampaignRefused("audience", str(wrong))


def _of_channels(campaign: Campaign) -> Iterator[CampaignRefused]:
    if not campaign.channels:
        yield CampaignRefused("channels", _("Choose at least one way of sending."))
    in_use = set(ChannelPolicy.objects.filter(is_active=True).values_list("channel", flat=True))
    for code in campaign.channels:
        if code not in ChannelCode.values:
            yield CampaignRefused("channels", _("There is no way of sending called “%s”.") % code)
        elif code not in in_use:
            message = _("“%s” is not in use: take it into use in the sending policy, or leave it out.")
            yield CampaignRefused("channels", message % ChannelCode(code).label)


def _of_awards(campaign: Campaign, *, at: dt.datetime) -> Iterator[CampaignRefused]:
    if reason := awards.obstacle(campaign, needed=1, at=at):
        yield CampaignRefused("voucher_family", reason)
    if campaign.add_to_list is not None and not campaign.add_to_list.is_active:
        yield CampaignRefused("add_to_list", _("The list is archived: choose another, or restore it."))


def _of_experiment(campaign: Campaign) -> Iterator[CampaignRefused]:
    weights = list(campaign.variants.values_list("weight", flat=True))
    if not weights:
        yield CampaignRefused("variants", _("Write at least one variant."))
    elif not sum(weights):
        yield CampaignRefused("variants", _("At least one variant needs a weight above 0."))
    try:
        conditions.parse(campaign.goal_conditions or {}, "purchase")
    except conditions.ConditionError as wrong:
        yield CampaignRefused("goal_conditions", str(wrong))
    if campaign.test_percent < 100:
        if campaign.kind != Kind.ONE_OFF:
            yield CampaignRefused("test_percent", _("Only a one-off campaign can be tried on a part first."))
        elif not campaign.winner_by or not campaign.winner_after_hours:
            yield CampaignRefused(
                "winner_by", _("Say by what, and after how many hours, the winner is chosen.")
            )
        elif sum(1 for weight in weights if weight) < 2:
            yield CampaignRefused("variants", _("A trial needs two variants at least."))


def _of_texts(campaign: Campaign) -> Iterator[CampaignRefused]:
    for problem in checks.problems(campaign):
        if problem.level == "error":
            where = " ".join(part for part in (problem.variant, problem.language) if part)
            message = f"{where}: {problem.message}" if where else problem.message
            yield CampaignRefused(problem.field or "variants", message)
