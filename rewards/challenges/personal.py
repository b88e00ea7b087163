"""What a member did in challenges and the badges they earned, for their own copy of their data."""

import datetime as dt
from collections import defaultdict
from typing import Any

from members.models import Member
from members.personal_data import Holder
from rewards.challenges import progress
from rewards.models import ChallengeRound, MemberBadge, Participation


def _challenges(member: Member) -> list[dict[str, Any]]:
    rounds: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in ChallengeRound.objects.filter(member=member).order_by("pk"):
        rounds[row.challenge_id].append(
            {"starts_at": row.starts_at, "progress": row.progress, "completed_at": row.completed_at}
        )
    parts = Participation.objects.filter(member=member).select_related("challenge").order_by("pk")
    return [
        {
            "challenge": part.challenge.name or part.challenge.code,
            "joined_at": part.joined_at,
            "left_at": part.left_at,
            "rounds": rounds[part.challenge_id],
        }
        for part in parts
    ]


def _badges(member: Member) -> list[dict[str, Any]]:
    rows = MemberBadge.objects.filter(member=member).select_related("badge").order_by("pk")
    return [
        {"badge": row.badge.name or row.badge.code, "level": row.level, "earned_at": row.earned_at}
        for row in rows
    ]


def give_up(*, member_id: int, at: dt.datetime) -> int:
    """Let a member who has left take no further part in any challenge; in how many they did. Idempotent."""
    progress.lock([member_id])
    return Participation.objects.filter(member=member_id, left_at=None).update(left_at=at)


CHALLENGES = Holder(key="challenges", copy=_challenges)
BADGES = Holder(key="badges", copy=_badges)
