"""Rewards that members marked, and telling them when one can be theirs: once, and again only after it could not.

Called by the portal, by the handlers after every change of points, and by an hourly tick for what changes without one
(a window that opens, a price that falls, pending points that turn available).
"""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any

from django.db import connection, transaction
from django.db.models import F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from loyalty.events import bus
from loyalty.runs.record import RunRecorder
from rewards.catalogue.asking import Known, gather
from rewards.catalogue.availability import judge
from rewards.catalogue.listing import catalogue
from rewards.models import Account, Favourite, Reward
from rewards.models.ledger import AccountKind

PAGE = 1000
MOST = 200
"""Favourites of a member; more are refused."""


class TooManyFavourites(Exception):
    """The member has marked as many rewards as can be marked."""


def mark(*, member_id: int, reward: Reward, at: dt.datetime) -> bool:
    """Mark a reward; says whether it was not marked before. Raises TooManyFavourites.

    What the member can afford as they mark it they know already: they are told after the next time they could not.
    """
    marked = Favourite.objects.filter(member_id=member_id)
    if marked.filter(reward=reward).exists():
        return False
    if marked.count() >= MOST:
        raise TooManyFavourites
    known = gather(member_ids=[member_id], rewards=[reward], at=at)
    free = not judge(reward=reward, asker=known.asker(member_id, reward), at=at)
    _favourite, is_new = Favourite.objects.get_or_create(
        member_id=member_id,
        reward=reward,
        defaults={"marked_at": at, "told_at": at if free else None},
    )
    return is_new


def unmark(*, member_id: int, reward_id: int) -> bool:
    """Take a mark away; says whether there was one."""
    gone, _by_model = Favourite.objects.filter(member_id=member_id, reward_id=reward_id).delete()
    return bool(gone)


def review(*, member_ids: Collection[int], at: dt.datetime) -> int:
    """Look at the favourites of members whose points changed; says how many were announced.

    Announces ``reward.affordable`` for each that has become available, and forgets having told of those that the
    member can no longer pay. Idempotent: the row decides, and two reviews at once announce one time.
    """
    rows = Favourite.objects.filter(member_id__in=list(member_ids), reward__is_active=True)
    return _review(list(rows.values_list("pk", "member_id", "reward_id", "told_at")), at=at)


def review_all(*, at: dt.datetime, run: RunRecorder) -> None:
    """Look at all favourites that points would suffice for and nobody was told of, a page at a time."""
    after = 0
    while True:
        rows = list(_worth_a_look().filter(pk__gt=after).order_by("pk")[:PAGE])
        if rows:
            run.progress(done=_review(rows, at=at))
        if len(rows) < PAGE:
            return
        after = rows[-1][0]


def _worth_a_look() -> QuerySet[Favourite, Any]:
    """Untold favourites whose member's available points reach the price, as rows for :func:`_review`."""
    balance = Account.objects.filter(
        member=OuterRef("member"), wallet__is_default=True, kind=AccountKind.AVAILABLE
    )
    rows = Favourite.objects.filter(told_at=None, reward__is_active=True, member__status="active")
    rows = rows.annotate(balance=Coalesce(Subquery(balance.values("balance")[:1]), 0))
    rows = rows.filter(balance__gte=F("reward__points"))
    return rows.values_list("pk", "member_id", "reward_id", "told_at")


Row = tuple[int, int, int, dt.datetime | None]


def _review(rows: Sequence[Row], *, at: dt.datetime) -> int:
    """Tell and forget for these favourites: a constant number of statements."""
    if not rows:
        return 0
    rewards = {each.pk: each for each in catalogue().filter(pk__in={row[2] for row in rows})}
    known = gather(member_ids={row[1] for row in rows}, rewards=list(rewards.values()), at=at)
    tell, forget = _sorted(rows, rewards, known, at=at)
    with transaction.atomic():
        if forget:
            _lock(forget)
            Favourite.objects.filter(pk__in=forget).update(told_at=None)
        told = _claim(tell, at=at)
        bus.announce_many(
            [
                bus.Announcement(
                    name="reward.affordable",
                    at=at,
                    member_id=member_id,
                    facts={
                        "reward": str(rewards[reward_id].public_id),
                        "reward_id": reward_id,
                        "points": rewards[reward_id].points,
                        "occasion": f"{favourite_id}:{at.isoformat()}",
                    },
                )
                for favourite_id, member_id, reward_id in told
            ]
        )
    return len(told)


def _sorted(
    rows: Sequence[Row], rewards: dict[int, Reward], known: Known, *, at: dt.datetime
) -> tuple[list[int], list[int]]:
    """Favourites to tell of, and those to forget having told of."""
    tell, forget = [], []
    for favourite_id, member_id, reward_id, told_at in rows:
        reward = rewards.get(reward_id)
        if reward is None or member_id not in known.members:
            continue
        asker = known.asker(member_id, reward)
        if told_at is not None:
            if asker.points < reward.points:
                forget.append(favourite_id)
        elif not judge(reward=reward, asker=asker, at=at):
            tell.append(favourite_id)
    return tell, forget


def _lock(favourite_ids: Sequence[int]) -> None:
    """Lock favourites in the order of ids, so that two reviews at once wait for each other and never in a ring."""
    list(Favourite.objects.select_for_update().filter(pk__in=favourite_ids).order_by("pk").values_list("pk"))


def _claim(favourite_ids: Sequence[int], *, at: dt.datetime) -> list[tuple[int, int, int]]:
    """Mark as told whatever nobody else has meanwhile, in the order of ids: (favourite, member, reward)."""
    if not favourite_ids:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [sorted(favourite_ids), at])
        return sorted(cursor.fetchall())


_CLAIM = """
WITH mine AS (
    SELECT id FROM rewards_favourite WHERE id = ANY(%s) AND told_at IS NULL ORDER BY id FOR UPDATE
)
UPDATE rewards_favourite f SET told_at = %s FROM mine WHERE f.id = mine.id
RETURNING f.id, f.member_id, f.reward_id
"""
