"""Reads about who brought whom."""

from members.models import Member
from referrals.models import Referral


def joined_by(member: Member) -> int:
    """How many have joined by the member's code."""
    return Referral.objects.filter(referrer=member).count()
