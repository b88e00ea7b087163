"""Points given to causes: by themselves (any number from the cause's least on) or by a reward of the catalogue.

A gift is a redemption: the same locks, the same once-only keys, the same reversal when staff cancel it. What is added
here is the money that the points became, at the cause's value of that moment.
"""

import datetime as dt
import math
from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from loyalty.events import bus
from rewards.ledger import Balance
from rewards.models import Cause, Donation, Redemption
from rewards.redemption import placing
from rewards.redemption.refusals import RedemptionConflict, Refused
from rewards.redemption.retrying import retried
from rewards.redemption.terms import CENT, worth
from rewards.rule_wording import number


class CauseClosed(Refused):
    """The cause takes no gifts at this moment."""

    def __init__(self) -> None:
        super().__init__("cause-closed", _("This cause takes no gifts now."))


class TooFewPoints(Refused):
    """Fewer points than one can give to this cause at a time."""

    def __init__(self, least: int) -> None:
        super().__init__(
            "too-few-points", _("At least %(points)s points at a time.") % {"points": number(least)}
        )


@dataclass(frozen=True, slots=True)
class Given:
    """The gift and the member's balance after it; ``replayed``: it was given before under the same key."""

    donation: Donation
    balance: Balance
    replayed: bool = False


def is_open(cause: Cause, *, at: dt.datetime) -> bool:
    """Whether the cause takes gifts at a moment."""
    if not cause.is_active or (cause.opens_at is not None and at < cause.opens_at):
        return False
    return cause.closes_at is None or at < cause.closes_at


def least_of(cause: Cause) -> int:
    """The fewest points that can be given: the cause's own least, and enough to become a cent."""
    return max(cause.least_points, math.ceil(CENT / cause.point_value))


def money_of(cause: Cause, points: int) -> Decimal:
    """What points become, in the base currency, to the full cent below."""
    return worth(points, cause.point_value)


def give(
    *,
    member_id: int,
    cause_id: int,
    points: int,
    via: str,
    at: dt.datetime,
    partner_id: int | None = None,
    staff_id: int | None = None,
    external_id: str | None = None,
) -> Given:
    """Give a member's points to a cause, once per partner (without one: per member) and ``external_id``.

    Raises CauseClosed, TooFewPoints, Unavailable beyond the balance, Refused for a member who is not active, and
    RedemptionConflict for other content under a known external id. Nothing is written then.
    """

    def work() -> Given:
        cause = Cause.objects.get(pk=cause_id)
        earlier = _earlier(external_id, member_id=member_id, partner_id=partner_id)
        if earlier is None:
            _refuse(cause, points, at=at)
        placed = placing.give_points(
            member_id=member_id,
            points=points,
            via=via,
            at=at,
            partner_id=partner_id,
            staff_id=staff_id,
            external_id=external_id,
        )
        if not placed.replayed:
            return Given(record(redemption=placed.redemption, cause=cause, at=at), placed.balance)
        given = Donation.objects.select_related("cause", "member", "redemption").get(
            redemption=placed.redemption
        )
        if given.cause_id != cause.pk:
            raise RedemptionConflict(external_id or "")
        return Given(given, placed.balance, replayed=True)

    return retried(work)


def record(*, redemption: Redemption, cause: Cause, at: dt.datetime) -> Donation:
    """Write down the money that a redemption's points became; announces ``points.donated``.

    Called within the redemption's transaction. Raises Refused when the cause takes no gifts or the points are no cent.
    """
    if not is_open(cause, at=at):
        raise Refused("reward-ended", str(CauseClosed()))
    amount = money_of(cause, redemption.points)
    if not amount:
        raise Refused("reward-ended", _("So few points come to no money."))
    with transaction.atomic():
        donation = Donation.objects.create(
            cause=cause,
            member_id=redemption.member_id,
            redemption=redemption,
            points=redemption.points,
            amount=amount,
            given_at=at,
        )
        _tell("points.donated", donation, at=at)
    return donation


def cancel(*, redemption: Redemption, at: dt.datetime) -> bool:
    """Mark the redemption's gift as taken back; False when there is none, or it was before. Moves no points."""
    with transaction.atomic():
        donation = Donation.objects.select_related("cause").filter(redemption=redemption).first()
        if donation is None:
            return False
        changed = Donation.objects.filter(pk=donation.pk, cancelled_at=None).update(cancelled_at=at)
        if changed:
            _tell("donation.cancelled", donation, at=at)
    return bool(changed)


def _refuse(cause: Cause, points: int, *, at: dt.datetime) -> None:
    if not is_open(cause, at=at):
        raise CauseClosed
    if points < (least := least_of(cause)):
        raise TooFewPoints(least)


def _earlier(external_id: str | None, *, member_id: int, partner_id: int | None) -> Redemption | None:
    """What was done under the key before: a gift sent again is answered also once its cause has closed."""
    if not external_id:
        return None
    rows = Redemption.objects.filter(external_id=external_id, partner=partner_id)
    return (rows.filter(member=member_id) if partner_id is None else rows).first()


def _tell(name: str, donation: Donation, *, at: dt.datetime) -> None:
    bus.announce(
        name,
        at=at,
        member_id=donation.member_id,
        cause=donation.cause.code,
        points=donation.points,
        amount=str(donation.amount),
    )
