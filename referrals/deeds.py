"""What friends have done since they joined, net of what they returned: the facts that qualification judges by."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal

from django.db import connection


@dataclass(frozen=True, slots=True)
class Deed:
    """An activity of a friend. Money in the base currency; ``returned`` of ``total`` came back."""

    activity_id: int
    kind: str
    at: dt.datetime
    total: Decimal
    returned: Decimal = Decimal(0)
    was_refunded: bool = False

    @property
    def net(self) -> Decimal:
        return max(self.total - self.returned, Decimal(0))

    @property
    def is_whole(self) -> bool:
        """Whether nothing of it came back."""
        return not self.was_refunded

    @property
    def stands(self) -> bool:
        """Whether anything is left of it. What cost nothing stands until it is refunded."""
        return self.net > 0 or not self.was_refunded


_DEEDS = """
SELECT r.id, a.id, a.kind_id, a.occurred_at, a.total, coalesce(sum(f.amount), 0), count(f.id) > 0
FROM referrals_referral r
JOIN members_activity a ON a.member_id = r.friend_id AND a.occurred_at >= r.joined_at AND a.occurred_at < r.lapses_at
LEFT JOIN rewards_refund f ON f.activity_id = a.id
WHERE r.id = ANY(%s) GROUP BY r.id, a.id ORDER BY r.id, a.occurred_at, a.id
"""


def of(referral_ids: Collection[int]) -> dict[int, list[Deed]]:
    """By referral, what its friend did from joining until the referral lapses, in time order. One statement."""
    found: dict[int, list[Deed]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_DEEDS, [list(referral_ids)])
        for referral_id, *deed in cursor.fetchall():
            found[referral_id].append(Deed(*deed))
    return found
