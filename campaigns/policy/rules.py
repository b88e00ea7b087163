"""What a campaign and the programme's policies ask of every candidate, loaded once for a page of them."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings

from campaigns.experiments.assignment import Assignment, assignment_of, chosen_at, has_test
from campaigns.models import Campaign, ChannelCode, ChannelPolicy, SendingPolicy, Text, Variant
from campaigns.policy import caps
from loyalty.translated import LANGUAGES


@dataclass(frozen=True, slots=True)
class Way:
    """A channel of the campaign that is in use. ``languages`` tells in which language a member of each is written to,
    where the campaign has texts for this channel at all; ``is_counted`` says whether caps hold, ``limits`` which,
    narrow ones first."""

    channel: str
    languages: Mapping[str, str]
    is_counted: bool = False
    limits: tuple[caps.Limit, ...] = ()
    quiet_from: dt.time | None = None
    quiet_to: dt.time | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """``ways`` in the campaign's order; ``first_channel`` stands in rows of those who never got as far as a channel.

    ``waits_until`` is when those outside a test are written to; ``consent`` is "" where none is needed.
    """

    campaign_id: int
    consent: str
    ways: Mapping[str, Way]
    first_channel: str
    priority: int
    points: int
    assignment: Assignment
    waits_until: dt.datetime | None = None

    @property
    def is_capped(self) -> bool:
        """Whether any way counts towards the members' caps."""
        return any(way.is_counted for way in self.ways.values())


def rules_of(campaign: Campaign, *, at: dt.datetime) -> Rules:
    """The rules as they stand, in three statements."""
    overall = SendingPolicy.objects.get(pk=1)
    policies = ChannelPolicy.objects.filter(is_active=True).in_bulk()
    variants = list(Variant.objects.filter(campaign=campaign, weight__gt=0).prefetch_related("texts"))
    return Rules(
        campaign_id=campaign.pk,
        consent="" if campaign.purpose == Campaign.Purpose.SERVICE else campaign.purpose,
        ways={
            channel: _way(campaign, policies[channel], overall, variants)
            for channel in campaign.channels
            if channel in policies
        },
        first_channel=campaign.channels[0] if campaign.channels else ChannelCode.INBOX,
        priority=campaign.priority,
        points=campaign.bonus_points,
        assignment=assignment_of(campaign, overall, variants),
        waits_until=chosen_at(campaign, at=at) if has_test(campaign) else None,
    )


def _way(campaign: Campaign, policy: ChannelPolicy, overall: SendingPolicy, variants: list[Variant]) -> Way:
    is_counted = policy.channel != ChannelCode.INBOX and not campaign.ignores_caps
    quiet = not campaign.ignores_quiet_hours
    return Way(
        channel=policy.channel,
        languages=_languages(policy.channel, variants),
        is_counted=is_counted,
        limits=limits_for(policy, overall) if is_counted else (),
        quiet_from=policy.quiet_from if quiet else None,
        quiet_to=policy.quiet_to if quiet else None,
    )


def limits_for(policy: ChannelPolicy, overall: SendingPolicy) -> tuple[caps.Limit, ...]:
    """What holds for a message by the policy's channel: its own limits and those of all channels together."""
    own = caps.limits_of(
        per_day=policy.per_day,
        per_week=policy.per_week,
        per_month=policy.per_month,
        channel=policy.channel,
    )
    of_all = caps.limits_of(per_day=overall.per_day, per_week=overall.per_week, per_month=overall.per_month)
    return caps.narrow_first((*own, *of_all))


def _languages(channel: str, variants: list[Variant]) -> Mapping[str, str]:
    """Which language each member's is answered in: one that every variant speaks, so that variants stay comparable."""
    spoken = [
        {text.language for text in variant.texts.all() if is_enough_for(text, channel)}
        for variant in variants
    ]
    shared = set.intersection(*spoken) if spoken else set()
    if not shared:
        return {}
    return {
        wanted: next(code for code in (wanted, settings.LANGUAGE_CODE, "en", *LANGUAGES) if code in shared)
        for wanted in LANGUAGES
    }


def is_enough_for(text: Text, channel: str) -> bool:
    """Whether the text says as much as a message by this channel needs."""
    if channel in {ChannelCode.SMS, ChannelCode.PUSH}:
        return bool(text.short_text.strip() or text.subject.strip())
    if channel == ChannelCode.EMAIL:
        return bool(text.subject.strip() and (text.body.strip() or text.mjml.strip()))
    return bool(text.subject.strip() and text.body.strip())
