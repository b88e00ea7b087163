"""A tier set by hand: staff hold a member at a tier or above it (floor), or at exactly that tier (lock), with a reason.

The hold is in force from the moment it is set, and the member is judged by it at once; when it ends the nightly review
judges them by their own amount again. Called by the admin; who may, is asked there.
"""

import datetime as dt

from django.db import transaction
from django.utils.translation import gettext as _

from loyalty.events import bus
from members.models import TierHold
from rewards import ledger, terms, tier_review


class HoldRefused(Exception):
    """The tier cannot be set so; the message says why. ``field`` is what to mend."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def set_tier(
    *,
    member_id: int,
    tier_id: int,
    kind: str,
    note: str,
    staff_id: int,
    at: dt.datetime,
    until: dt.datetime | None = None,
) -> TierHold:
    """Hold a member at a tier, in the place of an earlier hold, and move them at once where the hold asks for it.

    Under the member's account lock: a purchase at the same moment is judged before or after, never in between. Raises
    HoldRefused without a reason, for an end in the past, or for a tier that the terms in force do not offer.
    """
    if not note.strip():
        raise HoldRefused("note", _("Give the reason."))
    if until is not None and until <= at:
        raise HoldRefused("until", _("It would end before it begins."))
    with transaction.atomic():
        known = terms.current()
        if known.tiers_at(at).known(tier_id) is None:
            raise HoldRefused("tier", _("This tier is not offered at present."))
        ledger.lock([member_id], [known.default_wallet_id])
        _end(member_id, staff_id=staff_id, at=at)
        hold = TierHold.objects.create(
            member_id=member_id,
            tier_id=tier_id,
            kind=kind,
            note=note.strip(),
            staff_id=staff_id,
            set_at=at,
            until=until,
        )
        tier_review.review_members([member_id], at=at)
        bus.announce("tier.set", member_id=member_id, at=at, tier=known.tier_names[tier_id][0], kind=kind)
        return hold


def lift(*, member_id: int, staff_id: int, at: dt.datetime) -> bool:
    """End the member's hold and judge them by their own amount at once; False when there was none in force."""
    with transaction.atomic():
        ledger.lock([member_id], [terms.current().default_wallet_id])
        if not _end(member_id, staff_id=staff_id, at=at):
            return False
        tier_review.review_members([member_id], at=at)
        return True


def hold_of(member_id: int, *, at: dt.datetime) -> TierHold | None:
    """The hold in force, with its tier and who set it."""
    hold = (
        TierHold.objects.filter(member_id=member_id, ended_at=None)
        .select_related("tier", "staff")
        .order_by("-id")
        .first()
    )
    return hold if hold is not None and (hold.until is None or hold.until > at) else None


def _end(member_id: int, *, staff_id: int, at: dt.datetime) -> bool:
    """Close the open hold; True when it was still in force. One that has run out by itself is closed at its own end."""
    hold = TierHold.objects.filter(member_id=member_id, ended_at=None).first()
    if hold is None:
        return False
    in_force = hold.until is None or hold.until > at
    hold.ended_at = at if in_force else hold.until
    hold.ended_by_id = staff_id if in_force else None
    hold.save(update_fields=["ended_at", "ended_by"])
    return in_force
