"""What referrals hear of: a new member who came with somebody's code."""

import structlog

from loyalty.events.bus import subscribe
from loyalty.events.models import Event
from members.models import Member
from referrals import codes

logger = structlog.get_logger("kantis.referrals")


@subscribe("member.enrolled", key="referrals.attribute")
def attribute_new_members(events: list[Event]) -> None:
    """Attribute those who came with a code (the fact ``referral_code``); a code that is refused is logged and left."""
    with_code = [event for event in events if event.facts.get("referral_code")]
    friends = Member.objects.in_bulk([event.member_id for event in with_code if event.member_id])
    for event in with_code:
        friend = friends.get(event.member_id or 0)
        if friend is None:
            continue
        try:
            codes.attribute(friend=friend, code=str(event.facts["referral_code"]), at=event.occurred_at)
        except codes.ReferralRefused as refusal:
            logger.info("referral_refused", member_id=friend.pk, reason=type(refusal).__name__)
