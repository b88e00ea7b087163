"""What the points floor hears of; each topic's own handlers, imported at start-up."""

from loyalty import clock
from loyalty.events.bus import subscribe
from loyalty.events.models import Event
from rewards import leaving
from rewards.challenges import handlers as challenges
from rewards.leaderboards import handlers as leaderboards

__all__ = ["challenges", "leaderboards"]


@subscribe("member.erased", key="rewards.give_up")
def give_up(events: list[Event]) -> None:
    """Cancel what members who have left neither fetched nor used."""
    for event in events:
        if event.member_id is not None:
            leaving.give_up(member_id=event.member_id, at=clock.now())
