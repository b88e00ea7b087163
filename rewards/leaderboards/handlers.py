"""What leaderboards hear of: points that were given or taken back, progress in challenges, and members who leave."""

from loyalty import clock
from loyalty.events.bus import subscribe
from loyalty.events.models import Event
from rewards.leaderboards import membership, scores


@subscribe(
    "points.earned",
    "points.cancelled",
    "activity.refunded",
    "challenge.progressed",
    "challenge.step_withdrawn",
    "leaderboard.joined",
    key="rewards.leaderboards",
)
def follow_scores(events: list[Event]) -> None:
    """Count afresh for whoever is concerned; told again or in another order it comes to the same."""
    members = {event.member_id for event in events if event.member_id is not None}
    for event in events:
        members.update(event.facts.get("members", ()))
    scores.recompute(member_ids=members, at=clock.now())


@subscribe("member.erased", key="rewards.leaderboards_forget")
def forget(events: list[Event]) -> None:
    """Once more, for a nickname that was being taken at the very moment they left."""
    for member_id in sorted({event.member_id for event in events if event.member_id is not None}):
        membership.forget(member_id)
