"""What campaigns hear of: a member who has left."""

from campaigns.dispatch import forget
from loyalty.events.bus import subscribe
from loyalty.events.models import Event


@subscribe("member.erased", key="campaigns.forget")
def forget_those_who_left(events: list[Event]) -> None:
    """Once more, for what was being written or handed over at the very moment they left."""
    for event in events:
        if event.member_id is not None:
            forget(event.member_id)
