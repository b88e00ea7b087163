"""Facts of a small programme, recorded the way the product records them."""

import datetime as dt
import itertools
from decimal import Decimal

from loyalty.partners.models import Partner
from members.activities import NewActivity
from members.models import Member
from rewards.earning import record_and_reward

_numbers = itertools.count(1)


def purchase(
    who: Member, total: str, *, on: dt.datetime, at: dt.datetime | None = None, kind: str = "purchase"
) -> None:
    """A purchase that happened ``on`` a moment and was recorded ``at`` another (default: at once)."""
    partner, _created = Partner.objects.get_or_create(slug="shop", defaults={"name": "Shop"})
    record_and_reward(
        NewActivity(
            partner_id=partner.pk,
            member_id=who.pk,
            external_id=f"a-{next(_numbers)}",
            kind=kind,
            occurred_at=on,
            currency="EUR",
            total=Decimal(total),
        ),
        at=at or on,
    )
