"""Reads about who brought whom."""

from typing import Any

from members.models import Member
from referrals.models import Referral, ReferralCode


def joined_by(member: Member) -> int:
    """How many have joined by the member's code."""
    return Referral.objects.filter(referrer=member).count()


def copy_of(member: Member) -> dict[str, Any]:
    """The member's code and how many came by it, for their own copy of their data; nothing about the friends."""
    code = ReferralCode.objects.filter(member=member).values_list("code", flat=True).first()
    return {"code": code, "friends_joined": joined_by(member)}
