"""Rewards worth a member's look: within reach, near to what they buy, never what they would not want.

``next_reward`` is the one that the home page counts down to.
"""

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from members.models import Member
from rewards.catalogue import preferences
from rewards.catalogue.listing import Shown, listing
from rewards.catalogue.preferences import Bought, Goods

LOOK_BACK = dt.timedelta(days=365)
REACH = 0.5
"""A reward is within reach when the member has this part of its price."""


@dataclass(frozen=True, slots=True)
class Suggested:
    """A suggestion, and whether the member's own purchases chose it."""

    shown: Shown
    by_purchases: bool


def suggest(member: Member, found: Sequence[Shown], *, at: dt.datetime, limit: int = 3) -> list[Suggested]:
    """Up to ``limit`` of the rewards listed for the member (``found``), the best first.

    Marked ones are left out (the member knows them), and so is everything that is neither available nor within reach.
    """
    near = [each for each in found if not each.is_favourite and _within_reach(each)]
    if not near:
        return []
    goods = preferences.goods_of([each.reward for each in near])
    unwanted = preferences.unwanted_by(member.pk, at=at)
    bought: Sequence[Bought] = ()
    if preferences.may_choose_by_purchases(member.pk):
        bought = preferences.purchases_of(member.pk, since=at - LOOK_BACK)
    fits = [each for each in near if not unwanted.conflicts(goods[each.reward.pk])]
    return ranked(fits, goods=goods, bought=bought)[:limit]


def ranked(
    found: Sequence[Shown], *, goods: Mapping[int, Sequence[Goods]], bought: Sequence[Bought]
) -> list[Suggested]:
    """By how often the member bought such goods, then what they can get now, then the better reward. Pure."""
    skus, categories = _habits(bought)

    def liking(shown: Shown) -> int:
        return max(
            (
                2 * skus[each.sku] + max((categories[name] for name in each.categories), default=0)
                for each in goods[shown.reward.pk]
            ),
            default=0,
        )

    likings = {each.reward.pk: liking(each) for each in found}
    ordered = sorted(
        found,
        key=lambda each: (
            not each.is_available,
            -likings[each.reward.pk],
            each.points_missing,
            -each.reward.points,
            each.reward.pk,
        ),
    )
    return [Suggested(each, likings[each.reward.pk] > 0) for each in ordered]


def next_reward(member: Member, *, at: dt.datetime) -> Shown | None:
    """What the member saves for: the marked reward that is nearest, else the nearest of all; None: nothing is missing.

    Nothing but points may be in the way, and it is never what the member would not want.
    """
    found = [each for each in listing(member, at=at) if each.only_points_missing]
    if not found:
        return None
    marked = [each for each in found if each.is_favourite]
    if marked:
        return marked[0]
    goods = preferences.goods_of([each.reward for each in found])
    unwanted = preferences.unwanted_by(member.pk, at=at)
    return next((each for each in found if not unwanted.conflicts(goods[each.reward.pk])), None)


def _within_reach(shown: Shown) -> bool:
    if shown.is_available:
        return True
    return shown.only_points_missing and shown.points >= REACH * shown.reward.points


def _habits(bought: Sequence[Bought]) -> tuple[Counter[str], Counter[str]]:
    """In how many purchases each SKU and each category was."""
    skus: Counter[str] = Counter()
    categories: Counter[str] = Counter()
    for each in bought:
        skus.update(each.skus)
        categories.update(each.categories)
    return skus, categories
