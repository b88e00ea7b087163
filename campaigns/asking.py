"""Campaigns that a partner sets off for members by the API. Staff open a campaign to that by its occasion.

The members are decided about at once, by the policy that holds for every campaign; the answer says for each what was
decided. The partner's own id of the occasion makes a repeated asking harmless.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from campaigns import audience, awards, lifecycle, trigger_events
from campaigns.deciding import Candidate, decide
from campaigns.models import Campaign, Message
from loyalty.conditions import ConditionError, NotQueryableError
from loyalty.partners.models import Partner

NOT_MEANT = "not_meant"
NOT_IN_AUDIENCE = "not_in_audience"


class NotOpen(Exception):
    """The campaign does not wait for partners' asking."""


class NotRunning(Exception):
    """The campaign is not running (any more, or for now)."""


class CannotGive(Exception):
    """The campaign cannot give what it promises; the message says why and may be shown."""


class AskedBefore(Exception):
    """The same occasion was asked for before, with other facts."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was decided about one member. ``message`` is None for those that the campaign does not mean at all
    (``left_out`` says why) and for one that could not be decided about; ``is_new`` tells from an earlier decision."""

    message: Message | None
    left_out: str = ""
    is_new: bool = False


def is_open(campaign: Campaign) -> bool:
    """Whether partners may set the campaign off."""
    return campaign.occasion == Campaign.Occasion.EVENT and campaign.event == trigger_events.ASKED_FOR


def occasion_of(partner: Partner, external_id: str) -> str:
    """The key of the occasion: each partner's ids are its own."""
    return f"api:{partner.pk}:{external_id}"


def ask(
    *,
    campaign_id: int,
    member_ids: Sequence[int],
    partner: Partner,
    external_id: str,
    facts: Mapping[str, Any],
    at: dt.datetime,
) -> dict[int, Answer]:
    """Decide about the members, in one transaction; the answers by member.

    Asked again with the same id and facts, the answers are what was decided then. The campaign's row is locked, so that
    a pause that has returned lets nothing more through. Raises NotOpen, NotRunning, CannotGive and AskedBefore; nothing
    is written then.
    """
    with transaction.atomic():
        campaign = lifecycle.hold(campaign_id)
        if campaign is None or (campaign.ends_at is not None and campaign.ends_at <= at):
            raise NotRunning
        if not is_open(campaign):
            raise NotOpen
        told = {**facts, "partner": partner.slug}
        occasion = occasion_of(partner, external_id)
        known = _messages(campaign, occasion, member_ids)
        if any(_told_with(message) != told for message in known.values()):
            raise AskedBefore
        left_out = _left_out(campaign, set(member_ids) - known.keys(), told, at=at)
        meant = sorted(set(member_ids) - known.keys() - left_out.keys())
        if problem := awards.obstacle(campaign, needed=len(meant), at=at):
            raise CannotGive(problem)
        due_at = at + dt.timedelta(minutes=campaign.delay_minutes)
        decide(campaign, [Candidate(member_id, occasion, due_at, told) for member_id in meant], at=at)
        new = _messages(campaign, occasion, meant)
    return {
        **{member_id: Answer(message) for member_id, message in known.items()},
        **{member_id: Answer(None, reason) for member_id, reason in left_out.items()},
        **{member_id: Answer(new.get(member_id), is_new=member_id in new) for member_id in meant},
    }


def _messages(campaign: Campaign, occasion: str, member_ids: Sequence[int]) -> dict[int, Message]:
    rows = Message.objects.filter(campaign=campaign, step="", occasion=occasion, member__in=member_ids)
    return {message.member_id: message for message in rows.select_related("campaign")}


def _told_with(message: Message) -> dict[str, Any]:
    """The facts as they were told, without what the campaign gave."""
    return {name: value for name, value in message.facts.items() if name != "voucher"}


def _left_out(
    campaign: Campaign, member_ids: set[int], told: Mapping[str, Any], *, at: dt.datetime
) -> dict[int, str]:
    """Whom the campaign does not mean: its conditions on what was told, then its audience."""
    if not member_ids:
        return {}
    try:
        condition = trigger_events.condition_of(campaign)
        event = trigger_events.EVENTS[trigger_events.ASKED_FOR]
        [is_meant] = trigger_events.judge(event, condition, [(told, at)])
        if not is_meant:
            return dict.fromkeys(member_ids, NOT_MEANT)
        inside = audience.among(campaign, member_ids, at=at)
    except (ConditionError, NotQueryableError) as unreadable:
        raise CannotGive(str(unreadable)) from unreadable
    return dict.fromkeys(member_ids - inside, NOT_IN_AUDIENCE)
