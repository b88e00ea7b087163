"""What referrals hear of: new members who came by somebody, what friends do and return, and members who leave."""

from uuid import UUID

import structlog

from loyalty import clock
from loyalty.events.bus import subscribe
from loyalty.events.models import Event
from members.models import Member
from members.segments.refresh import keep_fresh, touches
from referrals import attribution, qualification, settling
from referrals.fraud import handlers as _fraud  # noqa: F401  (subscribes)

logger = structlog.get_logger("kantis.referrals")

for _name in ("referral.joined", "referral.rewarded", "referral.reversed"):
    touches(_name, "friends")
touches("referral.reversed", "points_available", "points_pending", "points")


@subscribe("member.enrolled", key="referrals.attribute")
def attribute_new_members(events: list[Event]) -> None:
    """Attribute those who came with a code or by a link (the facts ``referral_code`` and ``visitor``).

    A code that is refused is logged and left: it never keeps anybody from joining.
    """
    told = [event for event in events if event.facts.get("referral_code") or _visitor(event)]
    if not told:
        return
    friends = Member.objects.in_bulk([event.member_id for event in told if event.member_id])
    brought = []
    for event in told:
        if (friend := friends.get(event.member_id or 0)) is not None:
            code = str(event.facts.get("referral_code", ""))
            try:
                brought.append(
                    attribution.attribute(
                        friend=friend, code=code, visitor=_visitor(event), at=event.occurred_at
                    )
                )
            except attribution.ReferralRefused as refusal:
                _log(refusal, friend)
    qualification.follow([referral.pk for referral in brought], at=clock.now())


@subscribe("activity.recorded", key="referrals.follow")
def follow_activities(events: list[Event]) -> None:
    """Attribute first purchases that came with a code, then judge the friends among the members anew."""
    with_code = [event for event in events if event.facts.get("referral_code")]
    friends = Member.objects.in_bulk([event.member_id for event in with_code if event.member_id])
    for event in with_code:
        if (friend := friends.get(event.member_id or 0)) is not None:
            try:
                attribution.attribute_at_till(
                    friend=friend, activity=event.facts["activity"], code=str(event.facts["referral_code"])
                )
            except attribution.ReferralRefused as refusal:
                _log(refusal, friend)
    qualification.on_activities(
        ((event.member_id, event.occurred_at) for event in events if event.member_id is not None),
        at=clock.now(),
    )


@subscribe("activity.refunded", key="referrals.undo")
def follow_refunds(events: list[Event]) -> None:
    """Undo what friends qualified by and returned."""
    qualification.on_refunds(
        (event.member_id for event in events if event.member_id is not None), at=clock.now()
    )


@subscribe("referral.joined", "referral.rewarded", "referral.reversed", key="referrals.keep_segments_fresh")
def keep_segments_fresh(events: list[Event]) -> None:
    """Ask the segments again that look at friends, or at points that were taken back from either side."""
    undone = [event.facts["friend"] for event in events if event.name == "referral.reversed"]
    friends = Member.objects.filter(public_id__in=undone).values_list("pk", flat=True) if undone else ()
    of_friends = [Event(name="referral.reversed", member_id=friend, facts={}) for friend in friends]
    keep_fresh([*events, *of_friends], at=clock.now())


@subscribe("member.erased", key="referrals.leave")
def end_for_those_who_left(events: list[Event]) -> None:
    """Let referrals lapse whose friend has left."""
    for event in events:
        if event.member_id is not None:
            settling.leave(member_id=event.member_id, at=clock.now())


def _visitor(event: Event) -> UUID | None:
    """The number of the browser that the new member came with, where that is known."""
    try:
        return UUID(str(event.facts["visitor"]))
    except (KeyError, ValueError):
        return None


def _log(refusal: attribution.ReferralRefused, friend: Member) -> None:
    logger.info("referral_refused", member_id=friend.pk, reason=type(refusal).__name__)
