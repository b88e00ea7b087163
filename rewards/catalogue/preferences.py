"""What a member never wants: what they said, and what their purchases say where they agreed to that.

An *aversion* is an either-or of products (oat milk or whole milk). Somebody who keeps buying one kind and never
another is not offered the other; what they said themselves weighs more than what they bought. Read by suggestions.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.db import connection, transaction

from members.models import Consent, Product
from members.models.consent import Purpose
from rewards.models import Aversion, AversionKind, MemberAversion, Reward

NEEDED = (Purpose.PROFILING, Purpose.PURCHASE_LINES)
"""What a member has to agree to before their purchases choose for them."""


class UnknownKind(Exception):
    """There is no such kind of product to choose against."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One side of an either-or, with what belongs to it."""

    id: int
    skus: frozenset[str]
    categories: frozenset[str]

    def has(self, goods: "Goods") -> bool:
        return goods.sku in self.skus or not self.categories.isdisjoint(goods.categories)


@dataclass(frozen=True, slots=True)
class EitherOr:
    """An aversion with its kinds: so many purchases within so many days show a preference."""

    purchases: int
    days: int
    kinds: tuple[Kind, ...]


@dataclass(frozen=True, slots=True)
class Goods:
    """A product that a reward is about: its SKU and the categories it is sold under."""

    sku: str
    categories: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Bought:
    """What one member bought: each purchase's moment, and the SKUs and categories of its lines."""

    at: dt.datetime
    skus: frozenset[str]
    categories: frozenset[str]

    def of(self, kind: Kind) -> bool:
        return not (kind.skus.isdisjoint(self.skus) and kind.categories.isdisjoint(self.categories))


@dataclass(frozen=True, slots=True)
class Unwanted:
    """The kinds that a member would not want."""

    kinds: tuple[Kind, ...] = field(default=())

    def conflicts(self, goods: Sequence[Goods]) -> bool:
        """Whether a reward is about nothing but what the member would not want."""
        return bool(goods) and all(any(kind.has(each) for kind in self.kinds) for each in goods)


def unwanted(
    *, either_ors: Iterable[EitherOr], said: Collection[int], bought: Sequence[Bought], at: dt.datetime
) -> Unwanted:
    """Decide by what was said (ids of kinds) and what was bought. Pure.

    Of an either-or, a kind is unwanted when the member said so, or when they bought another kind often enough and
    this one not once. Purchases of a kind that they said they never want show no preference: those were for others.
    """
    found: list[Kind] = []
    for either_or in either_ors:
        since = at - dt.timedelta(days=either_or.days)
        recent = [each for each in bought if each.at > since]
        times = {kind.id: sum(each.of(kind) for each in recent) for kind in either_or.kinds}
        liked = {
            kind.id
            for kind in either_or.kinds
            if kind.id not in said and times[kind.id] >= either_or.purchases
        }
        found += [
            kind for kind in either_or.kinds if kind.id in said or (times[kind.id] == 0 and liked - {kind.id})
        ]
    return Unwanted(tuple(found))


def unwanted_by(member_id: int, *, at: dt.datetime) -> Unwanted:
    """What one member would not want: at most five statements, and one where no either-or is kept."""
    either_ors = _either_ors()
    if not either_ors:
        return Unwanted()
    said = set(MemberAversion.objects.filter(member_id=member_id).values_list("kind_id", flat=True))
    bought: Sequence[Bought] = ()
    if may_choose_by_purchases(member_id):
        days = max(each.days for each in either_ors)
        bought = purchases_of(member_id, since=at - dt.timedelta(days=days))
    return unwanted(either_ors=either_ors, said=said, bought=bought, at=at)


def may_choose_by_purchases(member_id: int) -> bool:
    """Whether the member agreed that what they buy, item by item, chooses what they are offered."""
    given = Consent.objects.filter(member_id=member_id, purpose__in=NEEDED, channel="any", granted=True)
    return given.count() == len(NEEDED)


def purchases_of(member_id: int, *, since: dt.datetime) -> list[Bought]:
    """The member's purchases since a moment, with the SKUs and categories of their lines."""
    with connection.cursor() as cursor:
        cursor.execute(_BOUGHT, [member_id, since])
        return [
            Bought(at, frozenset(skus), frozenset(categories)) for at, skus, categories in cursor.fetchall()
        ]


_BOUGHT = """
SELECT a.occurred_at, array_remove(array_agg(p.sku), NULL), array_remove(array_agg(c.name), NULL)
FROM members_activity a
JOIN members_activityline l ON l.activity_id = a.id
LEFT JOIN members_product p ON p.id = l.product_id
LEFT JOIN members_category c ON c.id = l.category_id
WHERE a.member_id = %s AND a.occurred_at >= %s
GROUP BY a.id, a.occurred_at ORDER BY a.occurred_at
"""


def goods_of(rewards: Sequence[Reward]) -> dict[int, tuple[Goods, ...]]:
    """The products that each reward is about, in one statement; categories of a voucher count as a product each."""
    skus = {sku for reward in rewards for sku in reward.skus}
    categories: dict[str, set[str]] = {}
    if skus:
        sold = Product.objects.filter(sku__in=skus, category__isnull=False)
        for sku, category in sold.values_list("sku", "category__name"):
            categories.setdefault(sku, set()).add(category)
    return {reward.pk: _goods(reward, categories) for reward in rewards}


def _goods(reward: Reward, categories: Mapping[str, set[str]]) -> tuple[Goods, ...]:
    if reward.skus:
        return tuple(Goods(sku, frozenset(categories.get(sku, ()))) for sku in reward.skus)
    family = reward.voucher_family
    return tuple(Goods("", frozenset({name})) for name in family.categories) if family is not None else ()


def _either_ors() -> list[EitherOr]:
    kept = Aversion.objects.prefetch_related("kinds")
    return [
        EitherOr(
            aversion.purchases,
            aversion.days,
            tuple(
                Kind(kind.pk, frozenset(kind.skus), frozenset(kind.categories))
                for kind in aversion.kinds.all()
            ),
        )
        for aversion in kept
    ]


def said_by(member_id: int) -> set[int]:
    """The kinds that the member said they never want."""
    return set(MemberAversion.objects.filter(member_id=member_id).values_list("kind_id", flat=True))


def say(*, member_id: int, kind_ids: Collection[int], at: dt.datetime) -> None:
    """Keep what the member never wants in place of what they said before. Raises UnknownKind."""
    wanted = set(kind_ids)
    if AversionKind.objects.filter(pk__in=wanted).count() != len(wanted):
        raise UnknownKind
    with transaction.atomic():
        MemberAversion.objects.filter(member_id=member_id).exclude(kind_id__in=wanted).delete()
        MemberAversion.objects.bulk_create(
            [MemberAversion(member_id=member_id, kind_id=kind_id, said_at=at) for kind_id in sorted(wanted)],
            ignore_conflicts=True,
        )
