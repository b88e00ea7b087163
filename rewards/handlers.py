"""What the points floor hears of: each topic's own handlers, and movements of points that segments may ask about."""

from loyalty import clock
from loyalty.events.bus import subscribe
from loyalty.events.models import Event
from members.segments.refresh import keep_fresh, touches
from rewards import leaving
from rewards.catalogue import handlers as catalogue
from rewards.challenges import handlers as challenges
from rewards.leaderboards import handlers as leaderboards
from rewards.member_fields import EVENTS
from rewards.redemption import handlers as redemption

__all__ = ["catalogue", "challenges", "give_up", "keep_segments_fresh", "leaderboards", "redemption"]

for name in EVENTS:
    touches(name, "points_available", "points_pending", "points")
touches("activity.refunded", "points_available", "points_pending", "points", "refunds")
touches("activity.recorded", "points_available", "points_pending", "points")


@subscribe(*EVENTS, "activity.refunded", key="rewards.keep_segments_fresh")
def keep_segments_fresh(events: list[Event]) -> None:
    """Ask the segments again that look at points or refunds, about the members they are about."""
    keep_fresh(events, at=clock.now())


@subscribe("member.erased", key="rewards.give_up")
def give_up(events: list[Event]) -> None:
    """Cancel what members who have left neither fetched nor used."""
    for event in events:
        if event.member_id is not None:
            leaving.give_up(member_id=event.member_id, at=clock.now())
