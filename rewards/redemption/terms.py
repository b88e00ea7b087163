"""The terms of redemptions: grace for expired points, how long members may cancel, what a point is worth at a till."""

import datetime as dt
from decimal import ROUND_DOWN, Decimal

from loyalty import clock
from rewards.models import RedemptionTerms

CENT = Decimal("0.01")


def terms_at(at: dt.datetime) -> RedemptionTerms:
    """The terms in force at a moment; without any, nothing beyond the plain redemption."""
    found = RedemptionTerms.objects.filter(valid_from__lte=at).order_by("-valid_from").first()
    return found or RedemptionTerms(valid_from=at, grace_days=0, cancel_days=0)


def grace_until(rules: RedemptionTerms, *, at: dt.datetime, time_zone: str) -> dt.datetime | None:
    """Until when expired points that come back at ``at`` live on: to the end of a local day. None: no grace."""
    if not rules.grace_days:
        return None
    day = clock.local_date(at, time_zone) + dt.timedelta(days=rules.grace_days + 1)
    return clock.start_of_day(day, time_zone)


def worth(points: int, value: Decimal) -> Decimal:
    """The money that points are worth, in the base currency, to the full cent below."""
    return (points * value).quantize(CENT, ROUND_DOWN)
