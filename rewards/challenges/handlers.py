"""What challenges hear of: activities that were recorded, and what came back of them."""

from loyalty import clock
from loyalty.events.bus import subscribe
from loyalty.events.models import Event
from rewards.challenges import progress


@subscribe("activity.recorded", "activity.refunded", key="rewards.challenges")
def follow_activities(events: list[Event]) -> None:
    """Let them count; told again or in another order they come to the same."""
    ids = {str(event.facts["activity"]) for event in events if event.facts.get("activity")}
    progress.follow(public_ids=ids, at=clock.now())
