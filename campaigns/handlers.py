"""What campaigns hear of: a member who has left."""

from campaigns.dispatch import forget
from loyalty import clock
from loyalty.events.bus import subscribe
from loyalty.events.models import Event
from members.segments.refresh import keep_fresh, touches

touches("message.sent", "messages")


@subscribe("message.sent", key="campaigns.keep_segments_fresh")
def keep_segments_fresh(events: list[Event]) -> None:
    """Ask the segments again that look at messages, about the members who were sent some."""
    keep_fresh(events, at=clock.now())


@subscribe("member.erased", key="campaigns.forget")
def forget_those_who_left(events: list[Event]) -> None:
    """Once more, for what was being written or handed over at the very moment they left."""
    for event in events:
        if event.member_id is not None:
            forget(event.member_id)
