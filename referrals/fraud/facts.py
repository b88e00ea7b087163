"""What is known about referrals, loaded for many at once in a constant number of statements; judged in ``signals``."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connection

from referrals.fraud import graph
from referrals.fraud.marks import domain_of
from referrals.fraud.signals import VELOCITY_WITHIN, Facts, Shared
from referrals.models import DisposableDomain, Mark

CROWDS = {Mark.Kind.ADDRESS: 20, Mark.Kind.DEVICE: 100, Mark.Kind.PAYMENT: 100}
"""What more members than these have in common (an office, a shop's device) says nothing."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A referral that is looked at."""

    id: int
    referrer_id: int
    friend_id: int
    email: str


@dataclass(frozen=True, slots=True)
class _Bought:
    """Purchases of a referrer's friends, and how many of them were returned for the most part."""

    all: int = 0
    returned: int = 0


def parties_of(referral_ids: Collection[int]) -> set[int]:
    """The members on both sides of referrals."""
    rows = _rows(_PARTIES, ids=list(referral_ids))
    return {member for pair in rows for member in pair}


def load(referral_ids: Collection[int]) -> dict[int, Facts]:
    """The facts of referrals, by id. As many statements for one as for a thousand."""
    ids = list(referral_ids)
    asked = [_Asked(*row) for row in _rows(_ASKED, ids=ids)]
    shared = _shared(ids)
    near = dict(_rows(_NEAR, ids=ids, within=VELOCITY_WITHIN))
    circles = graph.circles_of(ids)
    chains = graph.chains_of(ids)
    paid = {referral: (amount, minimum) for referral, amount, minimum in _rows(_PAID, ids=ids)}
    bought = _bought(asked)
    throw_away = _throw_away({domain_of(each.email) for each in asked})
    return {
        each.id: _facts(
            each,
            shared=shared[each.id],
            joined_near=near[each.id],
            circle=circles.get(each.friend_id),
            chain=chains[each.id],
            paid=paid.get(each.id, (None, None)),
            bought=bought[each.id],
            is_disposable=domain_of(each.email) in throw_away,
        )
        for each in asked
    }


def _facts(
    asked: _Asked,
    *,
    circle: graph.Circle | None,
    paid: tuple[Decimal | None, Decimal | None],
    bought: _Bought,
    **known: Any,
) -> Facts:
    return Facts(
        circle=circle.people if circle else 0,
        paid=paid[0],
        minimum=paid[1],
        others_bought=bought.all,
        others_returned=bought.returned,
        **known,
    )


_PARTIES = "SELECT referrer_id, friend_id FROM referrals_referral WHERE id = ANY(%(ids)s)"
_ASKED = """
SELECT referral.id, referrer_id, friend_id, friend.email FROM referrals_referral referral
JOIN members_member friend ON friend.id = friend_id WHERE referral.id = ANY(%(ids)s)
"""
_SHARED = """
WITH asked AS MATERIALIZED (
    SELECT id, referrer_id, friend_id FROM referrals_referral WHERE id = ANY(%(ids)s)
), kin AS (
    SELECT referrer_id, referrer_id AS member_id FROM asked
    UNION
    SELECT referrer_id, friend_id FROM referrals_referral WHERE referrer_id IN (SELECT referrer_id FROM asked)
), counted AS MATERIALIZED (
    SELECT referrer_id, kind, hash, count(*) AS members, bool_or(member_id = referrer_id) AS has_referrer
    FROM kin JOIN referrals_mark mark USING (member_id)
    GROUP BY referrer_id, kind, hash HAVING count(*) > 1
)
SELECT asked.id, mark.kind, bool_or(has_referrer), max(members - has_referrer::int - 1)
FROM asked JOIN referrals_mark mark ON mark.member_id = asked.friend_id
JOIN counted USING (referrer_id, kind, hash)
LEFT JOIN unnest(%(kinds)s::text[], %(crowds)s::int[]) AS limited(kind, crowd) USING (kind)
WHERE limited.crowd IS NULL OR (SELECT count(*) FROM (
    SELECT FROM referrals_mark known WHERE known.kind = mark.kind AND known.hash = mark.hash LIMIT limited.crowd + 1
) few) <= limited.crowd
GROUP BY asked.id, mark.kind
"""
_NEAR = """
SELECT id, near FROM (
    SELECT id, count(*) OVER (
        PARTITION BY referrer_id ORDER BY joined_at RANGE BETWEEN %(within)s PRECEDING AND %(within)s FOLLOWING) AS near
    FROM referrals_referral
    WHERE referrer_id IN (SELECT referrer_id FROM referrals_referral WHERE id = ANY(%(ids)s))
) counted WHERE id = ANY(%(ids)s)
"""
_PAID = """
SELECT referral.id, CASE terms.trigger WHEN 'spend' THEN (
        SELECT sum(total) FROM members_activity bought WHERE bought.member_id = referral.friend_id
        AND bought.kind_id = 'purchase' AND bought.occurred_at BETWEEN referral.joined_at AND deed.occurred_at
    ) ELSE deed.total END,
    CASE terms.trigger WHEN 'spend' THEN terms.spend ELSE terms.minimum_purchase END
FROM referrals_referral referral JOIN referrals_programmeterms terms ON terms.id = referral.terms_id
JOIN members_activity deed ON deed.id = referral.activity_id AND deed.kind_id = 'purchase'
WHERE referral.id = ANY(%(ids)s)
"""
_BOUGHT = """
SELECT referral.referrer_id, referral.id, count(*), count(*) FILTER (WHERE 2 * back.amount >= bought.total)
FROM referrals_referral referral
JOIN members_activity bought ON bought.member_id = referral.friend_id AND bought.kind_id = 'purchase'
    AND bought.total > 0 AND bought.occurred_at >= referral.joined_at
    AND (referral.lapses_at IS NULL OR bought.occurred_at < referral.lapses_at)
CROSS JOIN LATERAL (SELECT sum(amount) AS amount FROM rewards_refund WHERE activity_id = bought.id) back
WHERE referral.referrer_id = ANY(%(referrers)s)
GROUP BY referral.referrer_id, referral.id
"""


def _rows(sql: str, **params: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


def _shared(ids: list[int]) -> Mapping[int, dict[str, Shared]]:
    """By referral and kind of mark, who of the referrer and their other friends has one of the friend's."""
    found: dict[int, dict[str, Shared]] = defaultdict(dict)
    for referral, kind, with_referrer, with_friends in _rows(
        _SHARED, ids=ids, kinds=list(CROWDS), crowds=list(CROWDS.values())
    ):
        found[referral][kind] = Shared(with_referrer, with_friends)
    return found


def _bought(asked: list[_Asked]) -> dict[int, _Bought]:
    """By referral, what the referrer's other friends bought and returned."""
    own: dict[int, _Bought] = {}
    bought: Counter[int] = Counter()
    returned: Counter[int] = Counter()
    for referrer, referral, count, back in _rows(_BOUGHT, referrers=[each.referrer_id for each in asked]):
        own[referral] = _Bought(count, back)
        bought[referrer] += count
        returned[referrer] += back
    nothing = _Bought()
    return {
        each.id: _Bought(
            bought[each.referrer_id] - own.get(each.id, nothing).all,
            returned[each.referrer_id] - own.get(each.id, nothing).returned,
        )
        for each in asked
    }


def _throw_away(domains: Collection[str]) -> set[str]:
    """Of domains, those on the list of throw-away ones, or below one of them."""
    above = {domain: set(_with_parents(domain)) for domain in domains if domain}
    known = set(
        DisposableDomain.objects.filter(domain__in=set().union(*above.values())).values_list(
            "domain", flat=True
        )
    )
    return {domain for domain, parents in above.items() if parents & known}


def _with_parents(domain: str) -> Iterator[str]:
    parts = domain.split(".")
    for first in range(len(parts) - 1):
        yield ".".join(parts[first:])
