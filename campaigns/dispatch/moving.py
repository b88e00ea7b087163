"""Messages that go out on another day than was decided: retried, held, or late. That day may be full by now.

Caps count by the day of ``due_at``, so a message that moves takes its ``due_at`` along, under the lock that decisions
take: whoever decides next sees where it went.
"""

import datetime as dt
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.db import transaction

from campaigns.deciding import serialise
from campaigns.dispatch.claiming import Claim
from campaigns.dispatch.outcomes import mark
from campaigns.models import Campaign, ChannelCode, ChannelPolicy, Message, SendingPolicy
from campaigns.policy import caps, facts
from campaigns.policy.rules import limits_for
from loyalty import clock

_LEEWAY = dt.timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Moved:
    """A claimed message, its member's time zone, and how many a week they want at most."""

    message: Message
    time_zone: str
    per_week: int | None


def has_moved(message: Message, time_zone: str, *, at: dt.datetime) -> bool:
    """Whether nobody has made sure yet that the member's day of ``at`` has room for it."""
    if message.reason in {Message.Reason.RETRYING, Message.Reason.QUIET_HOURS}:
        return True
    return clock.local_date(message.due_at, time_zone) != clock.local_date(at, time_zone)


def settle(
    claim: Claim, moved: Sequence[Moved], campaign: Campaign, policy: ChannelPolicy, *, at: dt.datetime
) -> set[int]:
    """Count the messages on the day of ``at``, and skip those it has no room for; returns their ids."""
    if not moved or campaign.ignores_caps or policy.channel == ChannelCode.INBOX:
        return set()
    limits = limits_for(policy, SendingPolicy.objects.get(pk=1))
    with transaction.atomic():
        serialise()
        full = _without_room(moved, limits, at=at)
        mark(claim, full, Message.Status.SKIPPED, reason=Message.Reason.CAPPED)
        skipped = {message.pk for message in full}
        kept = [each.message.pk for each in moved if each.message.pk not in skipped]
        Message.objects.filter(pk__in=kept, claim=claim.id).update(due_at=at)
    return skipped


def _without_room(moved: Sequence[Moved], limits: Sequence[caps.Limit], *, at: dt.datetime) -> list[Message]:
    """One after the other, so that of two that would share the last place one gets it."""
    zones = {each.message.member_id: each.time_zone for each in moved}
    reach = caps.SPAN[caps.Window.MONTH] + _LEEWAY
    counted = facts.counted_of(zones, since=at - reach, until=at + reach)
    full = []
    for each in moved:
        day = at.astimezone(zoneinfo.ZoneInfo(each.time_zone)).date()
        own = [] if each.per_week is None else [caps.Limit(caps.Window.WEEK, each.per_week)]
        theirs = counted.get(each.message.member_id, [])
        others = [other for other in theirs if other.message_id != each.message.pk]
        room = caps.room_for(day, priority=0, limits=caps.narrow_first([*limits, *own]), counted=others)
        if room is None:
            full.append(each.message)
            counted[each.message.member_id] = others
        else:
            counted[each.message.member_id] = [
                replace(other, day=day) if other.message_id == each.message.pk else other for other in theirs
            ]
    return full
