"""Whom a campaign would reach and by which ways, counted while it is being built: bounded in time."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_

from django.db.models import Count, Exists, Func, IntegerField, OuterRef, Q, QuerySet

from campaigns.models import Campaign, ChannelCode, PushSubscription, Suppression
from loyalty.conditions import Condition
from members.models import Consent, Member
from members.segments import reach
from members.segments.definition import candidates
from members.segments.reach import TooLong


@dataclass(frozen=True, slots=True)
class CampaignReach:
    """How many are in the audience, how many any of the ways reaches, and how many each: (channel, members)."""

    count: int
    reached: int
    ways: Sequence[tuple[str, int]]
    of: int
    sample: Sequence[Member] = ()


def look(
    condition: Condition, *, channels: Sequence[str], purpose: str, at: dt.datetime
) -> CampaignReach | TooLong:
    """The reach of these conditions now: by address, consent for the purpose, and no suppression known of the member.

    ``channels`` names at least one way. A member's pause, caps and hold-outs are decided when the time comes; they do
    not count here.
    """
    found = condition.filter(candidates(condition), at=at, many=True)

    def counted(found: QuerySet[Member]) -> CampaignReach:
        ways = {code: _by(code, purpose) for code in channels}
        figures = found.order_by().aggregate(
            count=Count("pk"),
            reached=Count("pk", filter=reduce(or_, ways.values())),
            **{f"way_{code}": Count("pk", filter=way) for code, way in ways.items()},
        )
        shuffled = Func("pk", function="hashint8", output_field=IntegerField())
        return CampaignReach(
            count=figures["count"],
            reached=figures["reached"],
            ways=[(code, figures[f"way_{code}"]) for code in ways],
            of=Member.objects.filter(status=Member.Status.ACTIVE).count(),
            sample=list(found.select_related("tier").order_by(shuffled, "pk")[: reach.SAMPLE]),
        )

    return reach.bounded(found, counted)


def _by(channel: str, purpose: str) -> Q:
    """Who can be written to by a channel, for a purpose: as ``policy.verdicts`` will decide it."""
    way = Q(status=Member.Status.ACTIVE)
    match channel:
        case ChannelCode.INBOX:
            return way
        case ChannelCode.EMAIL:
            way &= ~Q(email="")
        case ChannelCode.SMS:
            way &= ~Q(phone="")
        case ChannelCode.PUSH:
            way &= Q(Exists(PushSubscription.objects.filter(member=OuterRef("pk"), gone_at__isnull=True)))
    put_down = Suppression.objects.filter(member=OuterRef("pk"), channel=channel, lifted_at__isnull=True)
    way &= ~Q(Exists(put_down))
    if purpose != Campaign.Purpose.SERVICE:
        agreed = Consent.objects.filter(member=OuterRef("pk"), purpose=purpose, granted=True)
        way &= Q(Exists(agreed if channel == ChannelCode.WEBHOOK else agreed.filter(channel=channel)))
    return way
