"""What referrals hold that tells who somebody is, forgotten when a member leaves (``members.personal_data``)."""

from referrals import codes
from referrals.models import Referral


def forget(member_id: int) -> None:
    """Remove the member's codes and what they wrote. Who brought whom stays. Idempotent."""
    codes.forget(member_id)
    Referral.objects.filter(referrer_id=member_id).exclude(appeal="").update(appeal="")
