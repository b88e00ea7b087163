"""What campaigns hear of: what happened to members, for those that wait for it, and members who have left."""

from campaigns import trigger_events, triggers
from campaigns.dispatch import forget
from loyalty import clock
from loyalty.events.bus import subscribe
from loyalty.events.models import Event
from members.segments.refresh import keep_fresh, touches

_OF_MESSAGES = (
    "message.sent",
    "message.opened",
    "message.clicked",
    "voucher.redeemed",
    "voucher.rolled_back",
)
for _name in _OF_MESSAGES:
    touches(_name, "messages")


@subscribe(*_OF_MESSAGES, key="campaigns.keep_segments_fresh")
def keep_segments_fresh(events: list[Event]) -> None:
    """Ask the segments again that look at messages, about the members who were sent some or took them up."""
    keep_fresh(events, at=clock.now())


@subscribe("member.erased", key="campaigns.forget")
def forget_those_who_left(events: list[Event]) -> None:
    """Once more, for what was being written or handed over at the very moment they left."""
    for event in events:
        if event.member_id is not None:
            triggers.forget(event.member_id)
            forget(event.member_id)


@subscribe(*trigger_events.HEARD, key="campaigns.notice")
def notice(events: list[Event]) -> None:
    """Note what happened for the campaigns that wait for it; the tick decides once the delay is over."""
    triggers.notice(events)
