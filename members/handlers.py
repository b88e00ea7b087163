"""What members hear of: facts that can bring somebody into a segment, or out of it."""

from loyalty import clock
from loyalty.events.bus import subscribe
from loyalty.events.models import Event
from members.segments.refresh import keep_fresh, touches

touches("member.enrolled")
touches("activity.recorded", "purchases", "bought", "activities")
touches("consent.changed", "consents")
touches("tier.changed", "tier", "tier_since")


@subscribe(
    "member.enrolled",
    "activity.recorded",
    "consent.changed",
    "tier.changed",
    key="members.keep_segments_fresh",
)
def keep_segments_fresh(events: list[Event]) -> None:
    """Ask the segments again that these events can touch, about the members they are about."""
    keep_fresh(events, at=clock.now())
