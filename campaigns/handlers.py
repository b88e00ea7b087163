"""What campaigns hear of: a favourite that a member can get now."""

from campaigns import favourites
from campaigns.favourites import WithinReach
from loyalty.events.bus import subscribe
from loyalty.events.models import Event


@subscribe("reward.affordable", key="campaigns.tell_affordable")
def tell_affordable(events: list[Event]) -> None:
    """Put a message into the inbox of each member; handed the same event again, nothing more."""
    favourites.tell(
        [
            WithinReach(
                member_id=event.member_id,
                reward_id=int(event.facts["reward_id"]),
                occasion=f"affordable:{event.pk}",
                at=event.occurred_at,
            )
            for event in sorted(events, key=lambda event: event.pk)
            if event.member_id is not None
        ]
    )
