"""The portal's page about tiers: what each takes and gives, where the member stands, and how they came there."""

import datetime as dt
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from loyalty import clock
from loyalty.translated import in_language
from members.models import Member
from members.portal import member_page
from members.tier_history import explained, history_of
from rewards import queries, terms, tier_holds, tier_wording
from rewards.tier_rules import Level


@dataclass(frozen=True)
class Step:
    """A tier as a step of the ladder."""

    level: Level
    name: str
    takes: str
    benefits: list[str]
    is_mine: bool
    is_next: bool


@require_safe
@member_page
def tier_ladder(request: HttpRequest, member: Member) -> HttpResponseBase:
    """The tiers with what they take and give, where the member stands, and how they came there."""
    at = clock.now()
    rules = terms.current().tiers_at(at)
    mine = rules.level_of(member.tier_id)
    following = rules.after(mine)
    steps = [
        Step(
            level=level,
            name=in_language(level.names),
            takes=tier_wording.level_text(level, rules),
            benefits=tier_wording.benefits(level),
            is_mine=level is mine,
            is_next=level is following,
        )
        for level in rules.levels
    ]
    hold = tier_holds.hold_of(member.pk, at=at)
    context = {
        "member": member,
        "policy": tier_wording.policy_text(rules),
        "steps": steps,
        "progress": queries.tier_progress(member, at),
        "history": explained(history_of(member)),
        "hold": hold,
        "hold_until": last_day(hold.until) if hold and hold.until else None,
    }
    return render(request, "rewards/tiers.html", context)


def last_day(until: dt.datetime) -> dt.datetime:
    """The last moment of what ends at midnight: its date is the one that people read."""
    return timezone.localtime(queries.last_moment(until))
