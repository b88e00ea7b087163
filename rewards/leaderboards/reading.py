"""What is shown of leaderboards: places with nicknames, from Redis where it can be relied on, else from SQL.

Called by the portal and the API.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Q, QuerySet
from django.utils.formats import number_format
from django.utils.translation import ngettext

from members.models import Member
from rewards.challenges.wording import amount_text
from rewards.leaderboards import ranks
from rewards.leaderboards.ranks import Place, Standing
from rewards.models import Leaderboard, LeaderboardProfile, LeaderboardScore, LeaderboardTable

TOP, MOST = 10, 100
AROUND = 2


@dataclass(frozen=True, slots=True)
class Line:
    """A place as it is shown. ``amount`` are points, or progress in the challenge's measure."""

    rank: int
    nickname: str
    amount: Decimal
    text: str
    is_mine: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """A table as it is shown: how many are ranked, the first places, and one's own with the neighbours."""

    table: LeaderboardTable
    total: int
    top: tuple[Line, ...]
    mine: Line | None
    around: tuple[Line, ...]

    @property
    def is_apart(self) -> bool:
        """Whether one's own place is not among the first, and so is shown below them."""
        return self.mine is not None and not any(line.is_mine for line in self.top)

    @property
    def apart(self) -> tuple[Line, ...]:
        """The neighbours that are not among the first places."""
        seen = {line.nickname for line in self.top}
        return tuple(line for line in self.around if line.nickname not in seen) if self.is_apart else ()

    @property
    def has_gap(self) -> bool:
        """Whether there are places between the first ones and the neighbours."""
        return bool(self.apart and self.top and len(self.apart) == len(self.around))


def shown(
    table: LeaderboardTable, *, member_id: int | None = None, top: int = TOP, around: int = AROUND
) -> Shown:
    """A table (read with its leaderboard and challenge) as a member sees it, or nobody in particular.

    Ranks and scores are Redis'; the nicknames are always PostgreSQL's, so that nobody without one is ever named.
    """
    if member_id is not None and not LeaderboardProfile.objects.filter(pk=member_id).exists():
        member_id = None
    if table.closed_at is None:
        found = ranks.read(table, member_id=member_id, top=top, around=around)
        if found is not None:
            names = _nicknames(found)
            if all(place.member_id in names for place in (*found.top, *found.around)):
                return _shown(table, found, names, member_id)
    found = standing_in_sql(table, member_id=member_id, top=top, around=around)
    return _shown(table, found, _nicknames(found), member_id)


def standing_in_sql(
    table: LeaderboardTable, *, member_id: int | None, top: int = TOP, around: int = AROUND
) -> Standing:
    """The same as ``ranks.read``, counted in PostgreSQL: right at any time, and slower the longer the table."""
    rows = LeaderboardScore.objects.filter(table=table, score__gt=0)
    ordered = rows.order_by("-score", "profile_id")
    first = _places(ordered[:top], 1, 0)
    own = None if member_id is None else rows.filter(profile=member_id).first()
    if own is None:
        return Standing(rows.count(), first)
    ahead = rows.filter(Q(score__gt=own.score) | Q(score=own.score, profile__lt=own.profile_id))
    before = list(ahead.order_by("score", "-profile_id")[:around])[::-1]
    behind = rows.filter(Q(score__lt=own.score) | Q(score=own.score, profile__gt=own.profile_id))
    window = [*before, own, *behind.order_by("-score", "profile_id")[:around]]
    rank = 1 + rows.filter(score__gt=window[0].score).count()
    nearby = _places(window, rank, ahead.count() - len(before))
    mine = next(place for place in nearby if place.member_id == member_id)
    return Standing(rows.count(), first, mine, nearby)


def _places(
    rows: Sequence[LeaderboardScore] | QuerySet[LeaderboardScore], rank: int, index: int
) -> tuple[Place, ...]:
    """Places of scores in their order; the first one's rank is known, and its index in the whole table."""
    found: list[Place] = []
    for offset, row in enumerate(rows):
        if found:
            rank = found[-1].rank if row.score == found[-1].score else index + offset + 1
        found.append(Place(rank, row.profile_id, row.score))
    return tuple(found)


def _nicknames(standing: Standing) -> dict[int, str]:
    ids = {place.member_id for place in (*standing.top, *standing.around)}
    shown_now = LeaderboardProfile.objects.filter(pk__in=ids, member__status=Member.Status.ACTIVE)
    return dict(shown_now.values_list("pk", "nickname"))


def _shown(table: LeaderboardTable, found: Standing, names: dict[int, str], member_id: int | None) -> Shown:
    def lines(places: Iterable[Place]) -> tuple[Line, ...]:
        return tuple(
            _line(table.leaderboard, place, names[place.member_id], is_mine=place.member_id == member_id)
            for place in places
            if place.member_id in names
        )

    around = lines(found.around)
    mine = next((line for line in around if line.is_mine), None)
    return Shown(table, found.total, lines(found.top), mine, around)


def _line(board: Leaderboard, place: Place, nickname: str, *, is_mine: bool) -> Line:
    amount = Decimal(place.score)
    if board.challenge is not None:
        amount /= 100
        text = amount_text(board.challenge.measure, amount)
    else:
        words = ngettext("%(count)s point", "%(count)s points", place.score)
        text = words % {"count": number_format(place.score, force_grouping=True)}
    return Line(place.rank, nickname, amount, text, is_mine)
