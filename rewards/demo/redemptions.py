"""The demo's redemptions, one of each state, and terms under which points are money at the till.

Everything goes the way it goes in real life. Called by the seeding of the demo; what is there already stays as it is.
"""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal

from django.db import transaction

from rewards import revisions
from rewards.models import Redemption, RedemptionTerms, Reward
from rewards.redemption import ending, placing
from rewards.redemption.refusals import Refused

DAY = dt.timedelta(days=1)
POINT_VALUE = Decimal("0.0050")
LEAST_POINTS, POINT_STEP = 200, 100
PORTAL, STAFF = Redemption.Via.PORTAL, Redemption.Via.STAFF
ISSUED, COLLECTED = "filter-coffee", "tote-bag"
"""A reward that comes as a voucher, and one that is fetched from a counter."""


def make_redemptions(*, demo_member_id: int, others: Sequence[int], staff_id: int, at: dt.datetime) -> None:
    """Terms with a value for points; redemptions of the demo member and others in all states, and at the till. Once."""
    if RedemptionTerms.objects.filter(point_value__isnull=False).exists():
        return
    with transaction.atomic():
        revisions.revise_redemptions(
            grace_days=14,
            cancel_days=14,
            point_value=POINT_VALUE,
            least_points=LEAST_POINTS,
            point_step=POINT_STEP,
            at=at,
        )
        for member_id in (demo_member_id, *others[:1]):
            _one_of_each(member_id, staff_id=staff_id, at=at)
        for member_id in others[1:5]:
            _at_the_till(member_id, at=at)


def _one_of_each(member_id: int, *, staff_id: int, at: dt.datetime) -> None:
    """Lapsed, cancelled, fulfilled, issued, reserved, and points as money: as far as the member's points go."""
    collected, issued = Reward.objects.get(code=COLLECTED), Reward.objects.get(code=ISSUED)
    forgotten = _placed(member_id, collected, at=at - (collected.collect_days + 10) * DAY)
    if forgotten is not None and forgotten.collect_by is not None:
        ending.lapse(redemption_id=forgotten.pk, at=forgotten.collect_by)
    regretted = _placed(member_id, issued, at=at - 9 * DAY)
    if regretted is not None:
        ending.cancel(redemption_id=regretted.pk, via=PORTAL, at=at - 8 * DAY)
    _placed(member_id, issued, at=at - 2 * DAY)
    fetched = _placed(member_id, collected, at=at - 6 * DAY)
    if fetched is not None:
        ending.fulfil(redemption_id=fetched.pk, via=STAFF, staff_id=staff_id, at=at - 5 * DAY)
    _placed(member_id, collected, at=at - DAY)
    _at_the_till(member_id, at=at)


def _placed(member_id: int, reward: Reward, *, at: dt.datetime) -> Redemption | None:
    try:
        return placing.place(member_id=member_id, reward=reward, via=PORTAL, at=at).redemption
    except Refused:
        return None  # they had not so many points


def _at_the_till(member_id: int, *, at: dt.datetime) -> None:
    try:
        placing.pay_with_points(member_id=member_id, points=LEAST_POINTS, via=STAFF, at=at)
    except Refused:
        return  # they had not so many points
