"""What the catalogue hears of: members' points went up or down, so a favourite may be theirs, or no longer."""

from loyalty import clock
from loyalty.events.bus import subscribe
from loyalty.events.models import Event
from rewards.catalogue import favourites


@subscribe(
    "points.earned",
    "points.received",
    "points.given",
    "points.confirmed",
    "adjustment.decided",
    "points.expired",
    "activity.refunded",
    "reward.redeemed",
    "redemption.cancelled",
    "redemption.lapsed",
    "tier.changed",
    key="rewards.review_favourites",
)
def review_favourites(events: list[Event]) -> None:
    """Look at the favourites of whoever is concerned, as things stand now; what was told is never told twice."""
    member_ids = {event.member_id for event in events if event.member_id is not None}
    favourites.review(member_ids=member_ids, at=clock.now())
