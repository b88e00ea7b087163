"""Reads about draws for more than one caller: odds, a member's entries, winners. Constant statements for lists."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db.models import Count, Prefetch, Q, QuerySet, Sum

from loyalty.translated import in_language
from members.models import Member
from rewards.models import Draw, DrawEntry, DrawPrize, DrawWinner, Reward

State = Draw.State
PUBLISHED = (State.CLOSED, State.DRAWN)
"""States in which everybody may have the list of entries."""


@dataclass(frozen=True, slots=True)
class Odds:
    """Chances and entries of one member, and of all together."""

    mine: int = 0
    chances: int = 0
    my_entries: int = 0
    entries: int = 0


@dataclass(frozen=True, slots=True)
class ShownDraw:
    """A draw as its pages show it; what is a member's own is empty for visitors."""

    draw: Draw
    odds: Odds
    prizes: Sequence[DrawPrize]
    winners: Sequence[DrawWinner]
    my_numbers: Sequence[int] = ()
    ways_in: Sequence[Reward] = field(default_factory=tuple)

    @property
    def name(self) -> str:
        return self.draw.name or self.draw.code

    @property
    def description(self) -> str:
        return in_language(self.draw.descriptions)

    @property
    def rules(self) -> str:
        return in_language(self.draw.rules)

    @property
    def seed(self) -> str:
        """In hexadecimal, once the draw is held."""
        return bytes(self.draw.seed).hex() if self.draw.seed is not None else ""

    @property
    def is_published(self) -> bool:
        return self.draw.state in PUBLISHED

    @property
    def my_wins(self) -> list[DrawWinner]:
        return [each for each in self.winners if each.entry.number in self.my_numbers]


def public() -> QuerySet[Draw]:
    """The draws that everybody may see."""
    return Draw.objects.exclude(state=State.DRAFT)


def open_now(*, at: dt.datetime) -> QuerySet[Draw]:
    """Draws that take entries now, or are to be held soon; the next to close first."""
    return public().filter(state__in=[State.OPEN, State.CLOSED], opens_at__lte=at).order_by("closes_at", "pk")


def past() -> QuerySet[Draw]:
    """Draws that were held or called off, newest first."""
    return public().filter(state__in=[State.DRAWN, State.CANCELLED]).order_by("-closes_at", "-pk")


def odds_of(draws: Iterable[Draw], member_id: int | None = None) -> dict[int, Odds]:
    """The odds in each draw by its id; one statement."""
    mine = Q(member=member_id) if member_id is not None else Q(pk=None)
    rows = DrawEntry.objects.filter(draw__in=[draw.pk for draw in draws], cancelled_at=None)
    sums = (
        rows.order_by()
        .values_list("draw")
        .annotate(
            mine=Sum("weight", filter=mine, default=0),
            chances=Sum("weight"),
            my_entries=Count("pk", filter=mine),
            entries=Count("pk"),
        )
    )
    found = {draw_id: Odds(*rest) for draw_id, *rest in sums}
    return {draw.pk: found.get(draw.pk, Odds()) for draw in draws}


def shown(draws: QuerySet[Draw], *, member: Member | None = None, at: dt.datetime) -> list[ShownDraw]:
    """Draws with their prizes and winners, and for a member with their own entries and the ways in."""
    winners = DrawWinner.objects.select_related("entry", "prize", "voucher").order_by("position")
    found = list(
        draws.prefetch_related(
            Prefetch("prizes", DrawPrize.objects.select_related("voucher_family").order_by("position")),
            Prefetch("winners", winners),
        )
    )
    odds = odds_of(found, member.pk if member else None)
    numbers, ways = _numbers(found, member), _ways_in(found, at=at)
    return [
        ShownDraw(
            draw,
            odds[draw.pk],
            list(draw.prizes.all()),
            list(draw.winners.all()),
            numbers[draw.pk],
            ways[draw.pk],
        )
        for draw in found
    ]


def _numbers(draws: Sequence[Draw], member: Member | None) -> dict[int, list[int]]:
    numbers: dict[int, list[int]] = defaultdict(list)
    if member is not None:
        rows = DrawEntry.objects.filter(
            draw__in=[draw.pk for draw in draws], member=member, cancelled_at=None
        )
        for draw_id, number in rows.order_by("number").values_list("draw", "number"):
            numbers[draw_id].append(number)
    return numbers


def _ways_in(draws: Sequence[Draw], *, at: dt.datetime) -> dict[int, list[Reward]]:
    """Rewards by which members enter."""
    ways: dict[int, list[Reward]] = defaultdict(list)
    ended = Q(closes_at__isnull=False, closes_at__lte=at)
    rows = Reward.objects.filter(draw__in=[draw.pk for draw in draws], is_active=True).exclude(ended)
    for reward in rows.order_by("points", "pk"):
        ways[reward.draw_id or 0].append(reward)
    return ways
