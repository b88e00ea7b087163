"""What redemptions hear of vouchers: one that is used up fulfils its redemption, one rolled back opens it again."""

from loyalty.events.bus import subscribe
from loyalty.events.models import Event
from rewards.redemption import ending


@subscribe("voucher.redeemed", "voucher.rolled_back", key="rewards.follow_vouchers")
def follow_vouchers(events: list[Event]) -> None:
    """Idempotent, and right in any order: what counts is how the voucher stands now."""
    for event in sorted(events, key=lambda event: event.pk):
        if redemption_id := event.facts.get("redemption"):
            ending.follow_voucher(
                redemption_id=redemption_id, at=event.occurred_at, partner_id=event.partner_id
            )
