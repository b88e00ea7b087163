"""Points come into being the way they do in the product: a purchase through ``rewards.earning``, or a grant."""

import datetime as dt
import itertools
from decimal import Decimal
from typing import Any

from loyalty.partners.models import Partner
from members.activities import NewActivity
from members.models import Member
from rewards.earning import Outcome, record_and_reward
from tests.factories.members import NOON
from tests.factories.partners import PartnerFactory

_numbers = itertools.count(1)


def purchase(
    member: Member,
    *,
    total: str | int = "10.00",
    at: dt.datetime = NOON,
    partner: Partner | None = None,
    **facts: Any,
) -> Outcome:
    """A recorded purchase of the member at ``at``; ``facts`` are fields of NewActivity."""
    new = NewActivity(
        partner_id=(partner or member.enrolled_by or PartnerFactory()).pk,
        member_id=member.pk,
        external_id=facts.pop("external_id", None) or f"receipt-{next(_numbers)}",
        kind=facts.pop("kind", "purchase"),
        occurred_at=at,
        currency="EUR",
        total=Decimal(total),
        **facts,
    )
    return record_and_reward(new, at=at)
