"""Corrections of one member's points by staff: small ones are posted at once, large ones wait for a second person.

Called by the admin. What one person may do alone stands in ``AdjustmentSettings``; it counts what they did to the same
member within a day, so that a large sum in small parts waits too, and nobody corrects their own points alone.
"""

import datetime as dt
from collections.abc import Callable

from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext as _

from loyalty.events import bus
from members.models import Member
from rewards import ledger, terms
from rewards.grants import NoteMissing, adjust
from rewards.models import AdjustmentRequest, AdjustmentSettings, Transfer

SOURCE = "rewards.adjustment_request"
WITHIN = dt.timedelta(hours=24)
Status = AdjustmentRequest.Status


class DecisionRefused(Exception):
    """The request cannot be decided so; the message says why. Nothing was written."""


def settings() -> AdjustmentSettings:
    """What staff may do alone."""
    return AdjustmentSettings.objects.filter(pk=1).first() or AdjustmentSettings(pk=1)


def needs_a_second(*, member_id: int, points: int, staff_id: int, at: dt.datetime) -> bool:
    """Whether a correction waits: above what one person may give or take alone, or of the person's own points."""
    if Member.objects.filter(pk=member_id, user_id=staff_id).exists():
        return True
    lately = Transfer.objects.filter(
        member_id=member_id, staff_id=staff_id, source="staff", posted_at__gt=at - WITHIN
    ).aggregate(points=Sum("points", default=0))["points"]
    return bool(lately + abs(points) > settings().approval_above)


def adjust_or_ask(
    *, member_id: int, points: int, staff_id: int, note: str, at: dt.datetime, occasion: str
) -> int | AdjustmentRequest | None:
    """Post a correction, or note it for a second person: the transfer's id, the request, or None when done before.

    Raises NoteMissing, and InsufficientPoints when more is to be taken than there is. Under the member's lock, so that
    parts sent side by side count together.
    """
    if not note.strip():
        raise NoteMissing("An adjustment needs a reason.")
    if not points:
        raise ValueError("An adjustment of 0 points changes nothing.")
    wallet_id = terms.current().default_wallet_id
    with transaction.atomic():
        books = ledger.lock([member_id], [wallet_id])
        if AdjustmentRequest.objects.filter(occasion=occasion).exists():
            return None
        if Transfer.objects.filter(occasion=occasion).exists():
            return None
        if not needs_a_second(member_id=member_id, points=points, staff_id=staff_id, at=at):
            return adjust(
                member_id=member_id, points=points, staff_id=staff_id, note=note, at=at, occasion=occasion
            )
        spendable = books.balance(member_id, wallet_id).spendable
        if points < 0 and -points > spendable:
            raise ledger.InsufficientPoints(asked=-points, spendable=spendable)
        return AdjustmentRequest.objects.create(
            member_id=member_id,
            points=points,
            note=note.strip(),
            occasion=occasion,
            requested_by_id=staff_id,
            requested_at=at,
        )


def approve(*, request_id: int, staff_id: int, at: dt.datetime) -> int:
    """Post what another person asked for; gives the transfer's id.

    The transfer names who asked, the request who approved. Raises DecisionRefused (decided before, one's own request
    or points), InsufficientPoints.
    """

    def post(request: AdjustmentRequest) -> int:
        return adjust(
            member_id=request.member_id,
            points=request.points,
            staff_id=request.requested_by_id,
            note=request.note,
            at=at,
            occasion=request.occasion,
            source=SOURCE,
            source_id=request.pk,
        )

    return _decide(request_id, Status.APPROVED, post, staff_id=staff_id, at=at)


def reject(*, request_id: int, staff_id: int, at: dt.datetime) -> None:
    """Decline what another person asked for. Raises DecisionRefused."""
    _decide(request_id, Status.REJECTED, lambda _request: 0, staff_id=staff_id, at=at)


def _decide(
    request_id: int,
    status: AdjustmentRequest.Status,
    effect: Callable[[AdjustmentRequest], int],
    *,
    staff_id: int,
    at: dt.datetime,
) -> int:
    """Decide a waiting request once: its row is locked, so of two people at once one decides."""
    with transaction.atomic():
        request = (
            AdjustmentRequest.objects.select_for_update(of=("self",))
            .select_related("member")
            .get(pk=request_id)
        )
        if request.status != Status.WAITING:
            raise DecisionRefused(_("This was decided already."))
        if request.requested_by_id == staff_id:
            raise DecisionRefused(_("You asked for this yourself: somebody else has to decide."))
        if request.member.user_id == staff_id:
            raise DecisionRefused(_("These are your own points: somebody else has to decide."))
        if status == Status.APPROVED and request.member.status != Member.Status.ACTIVE:
            raise DecisionRefused(_("The member is no longer active."))
        done = effect(request)
        request.status, request.decided_by_id, request.decided_at = status, staff_id, at
        request.save(update_fields=["status", "decided_by", "decided_at"])
        bus.announce(
            "adjustment.decided",
            member_id=request.member_id,
            at=at,
            request=request.pk,
            points=request.points,
            status=str(status),
        )
        return done
