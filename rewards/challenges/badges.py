"""Badges given outside challenges (for friends brought), once each. Call under the lock of the member's accounts."""

import datetime as dt

from loyalty.events import bus
from rewards.models import Badge, MemberBadge


def give(*, member_id: int, badge_id: int, at: dt.datetime, source: str, level: int = 1) -> bool:
    """Give a member a badge at a level and announce ``badge.earned``; False when they had it so, by whatever way."""
    if MemberBadge.objects.filter(member_id=member_id, badge_id=badge_id, level=level, award=None).exists():
        return False
    is_known = MemberBadge.objects.filter(member_id=member_id, badge_id=badge_id, level=level).exists()
    MemberBadge.objects.create(member_id=member_id, badge_id=badge_id, level=level, earned_at=at)
    if not is_known:
        code = Badge.objects.values_list("code", flat=True).get(pk=badge_id)
        bus.announce("badge.earned", member_id=member_id, at=at, badge=code, level=level, source=source)
    return not is_known


def take(*, member_id: int, badge_id: int, level: int = 1) -> bool:
    """Take back a badge given outside challenges; one won in a challenge stays. Whether there was one."""
    return bool(
        MemberBadge.objects.filter(member_id=member_id, badge_id=badge_id, level=level, award=None).delete()[
            0
        ]
    )
