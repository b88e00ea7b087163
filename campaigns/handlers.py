"""What campaigns hear of: a member who has left, a favourite that a member can get now."""

from campaigns import favourites
from campaigns.dispatch import forget
from campaigns.favourites import WithinReach
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
