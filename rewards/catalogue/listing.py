"""The catalogue as one member sees it: what they can get first, then what they nearly can, then the rest.

A catalogue has hundreds of rewards, a programme millions of members: the whole catalogue is judged for the one member
in a constant number of statements.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from loyalty.translated import in_language
from members.models import Member
from rewards.catalogue.asking import gather
from rewards.catalogue.availability import RELATED, Obstacle, ObstacleKind, judge
from rewards.models import Favourite, Reward

SOON = dt.timedelta(days=30)
"""Rewards that open within this time are shown already."""

FEW = 10
"""From so many pieces on members are told how many are left."""

NEVER_SHOWN = frozenset({ObstacleKind.WITHDRAWN, ObstacleKind.AUDIENCE})
ON_ITS_OWN = frozenset({ObstacleKind.POINTS})


class Sort(StrEnum):
    """Orders of the list."""

    AFFORDABLE = "affordable"
    CHEAPEST = "cheapest"
    NEWEST = "newest"


SORT_NAMES = {
    Sort.AFFORDABLE: _("What I can get first"),
    Sort.CHEAPEST: _("Fewest points first"),
    Sort.NEWEST: _("Newest first"),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A reward as one member sees it. ``points`` is what they can spend; ``pieces_left`` None: it never runs out."""

    reward: Reward
    obstacles: tuple[Obstacle, ...]
    points: int
    pieces_left: int | None = None
    is_favourite: bool = False

    @property
    def is_available(self) -> bool:
        """Whether the member can get it now."""
        return not self.obstacles

    @property
    def points_missing(self) -> int:
        """Points that are missing, 0 when there are enough."""
        return max(self.reward.points - self.points, 0)

    @property
    def points_after(self) -> int:
        """Points that are left after taking it."""
        return self.points - self.reward.points

    @property
    def only_points_missing(self) -> bool:
        """Whether nothing but points is in the way."""
        return bool(self.obstacles) and all(each.kind in ON_ITS_OWN for each in self.obstacles)

    @property
    def obstacle(self) -> Obstacle | None:
        """What to say first."""
        return self.obstacles[0] if self.obstacles else None

    @property
    def few_left(self) -> int | None:
        """How many are left, when they are so few that it is worth saying."""
        return self.pieces_left if self.pieces_left is not None and 0 < self.pieces_left <= FEW else None

    @property
    def name(self) -> str:
        return self.reward.name or self.reward.code

    @property
    def description(self) -> str:
        return in_language(self.reward.descriptions)

    @property
    def instructions(self) -> str:
        return in_language(self.reward.instructions)

    @property
    def picture_text(self) -> str:
        return in_language(self.reward.picture_texts)

    @property
    def has_money(self) -> bool:
        return self.reward.money > Decimal(0)


def catalogue() -> QuerySet[Reward]:
    """The rewards in the catalogue, with all that judging and showing them takes but the pictures' content."""
    return with_related(Reward.objects.filter(is_active=True))


def on_offer(*, at: dt.datetime, category: str = "", tag: str = "") -> QuerySet[Reward]:
    """The rewards that anybody can get now or soon."""
    open_ = Q(closes_at=None) | Q(closes_at__gt=at)
    return _narrowed(announced(at=at).filter(open_), category, tag)


def announced(*, at: dt.datetime) -> QuerySet[Reward]:
    """The rewards in the catalogue but those that open in the far future, of which nobody is told yet."""
    soon = Q(opens_at=None) | Q(opens_at__lte=at + SOON) | Q(early_opens_at__lte=at + SOON)
    return catalogue().filter(soon)


def _narrowed(rewards: QuerySet[Reward], category: str, tag: str) -> QuerySet[Reward]:
    if category:
        rewards = rewards.filter(category__code=category)
    if tag:
        rewards = rewards.filter(tags__contains=[tag])
    return rewards


def with_related(rewards: QuerySet[Reward]) -> QuerySet[Reward]:
    """The same rewards loaded for judging and showing, in one statement."""
    loaded = rewards.select_related(*RELATED, "category", "picture", "partner")
    return loaded.defer("picture__content", "picture__thumbnail", "draw__seed")


def shown_to(member: Member, rewards: Sequence[Reward], *, at: dt.datetime) -> list[Shown]:
    """Each of the rewards as the member sees it at ``at``, hidden ones too, in the order given."""
    if not rewards:
        return []
    known = gather(member_ids=[member.pk], rewards=rewards, at=at)
    marked = set(Favourite.objects.filter(member=member).values_list("reward_id", flat=True))
    found = []
    for reward in rewards:
        asker = known.asker(member.pk, reward)
        obstacles = judge(reward=reward, asker=asker, at=at)
        found.append(Shown(reward, obstacles, asker.points, asker.pieces_left, reward.pk in marked))
    return found


def listing(
    member: Member,
    *,
    at: dt.datetime,
    category: str = "",
    tag: str = "",
    only_favourites: bool = False,
    only_available: bool = False,
    sort: Sort = Sort.AFFORDABLE,
) -> list[Shown]:
    """What the member finds in the catalogue. ``category`` is a code, ``tag`` as staff wrote it; "" is all."""
    rewards = _narrowed(catalogue(), category, tag)
    found = [each for each in shown_to(member, list(rewards), at=at) if is_listed(each, at=at)]
    if only_favourites:
        found = [each for each in found if each.is_favourite]
    if only_available:
        found = [each for each in found if each.is_available]
    return sorted(found, key=_KEYS[sort])


def is_listed(shown: Shown, *, at: dt.datetime) -> bool:
    """Whether the member finds it in the list: not what has ended, is for others, or opens in the far future."""
    return can_be_seen(shown, at=at) and all(each.kind != ObstacleKind.ENDED for each in shown.obstacles)


def can_be_seen(shown: Shown, *, at: dt.datetime) -> bool:
    """Whether the member may open its page: what has ended still has one."""
    for each in shown.obstacles:
        if each.kind in NEVER_SHOWN:
            return False
        if each.kind == ObstacleKind.NOT_YET and each.until is not None and each.until - at > SOON:
            return False
    return True


def _by_affordability(shown: Shown) -> tuple[Any, ...]:
    """Available first, then by the points missing, then what is locked otherwise, then what is gone."""
    kinds = {each.kind for each in shown.obstacles}
    if not kinds:
        place = 0
    elif kinds <= ON_ITS_OWN:
        place = 1
    else:
        place = 3 if ObstacleKind.SOLD_OUT in kinds else 2
    missing = shown.points_missing if place == 1 else 0
    return place, missing, shown.reward.points, shown.reward.pk


_KEYS: dict[Sort, Callable[[Shown], Any]] = {
    Sort.AFFORDABLE: _by_affordability,
    Sort.CHEAPEST: lambda shown: (shown.reward.points, shown.reward.pk),
    Sort.NEWEST: lambda shown: -shown.reward.pk,
}
