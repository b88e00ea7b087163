"""Telling members that a reward they marked can be theirs: announced by the floor below each time it comes true."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from campaigns import wording
from campaigns.models import Campaign, Message
from campaigns.outbox import insert, way_to
from loyalty.translated import in_language
from members.models import Member
from rewards.models import Reward


@dataclass(frozen=True, slots=True)
class WithinReach:
    """A marked reward that a member can get now; ``occasion`` names this coming true for good."""

    member_id: int
    reward_id: int
    occasion: str
    at: dt.datetime


def tell(found: Sequence[WithinReach]) -> int:
    """Write a message for each, by every active campaign on this occasion; says how many were new.

    To the portal's inbox, or by e-mail to those who agreed to that. The same again writes nothing: the row decides.
    """
    campaigns = list(Campaign.objects.filter(occasion=Campaign.Occasion.AFFORDABLE, is_active=True))
    if not campaigns:
        return 0
    members = Member.objects.filter(status=Member.Status.ACTIVE).in_bulk({each.member_id for each in found})
    rewards = Reward.objects.filter(is_active=True).in_bulk({each.reward_id for each in found})
    told = 0
    for each in found:
        member, reward = members.get(each.member_id), rewards.get(each.reward_id)
        if member is not None and reward is not None:
            told += sum(insert(_message(campaign, member, reward, each)) for campaign in campaigns)
    return told


def _message(campaign: Campaign, member: Member, reward: Reward, found: WithinReach) -> Message:
    subject, body = wording.greeting(
        campaign,
        language=member.language,
        first_name=member.first_name,
        points=reward.points,
        reward=in_language(reward.names, member.language) or reward.code,
    )
    channel, reason = way_to(member)
    return Message(
        member=member,
        campaign=campaign,
        occasion=found.occasion,
        language=member.language,
        subject=subject,
        body=body,
        created_at=found.at,
        due_at=found.at,
        channel=channel,
        reason=reason,
        status=Message.Status.DUE,
    )
