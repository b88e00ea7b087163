"""Counting what members had done before a challenge opened: page by page in a worker, and on where one died.

What is recorded meanwhile is heard of by its event; each activity counts once whichever comes first.
"""

import datetime as dt
from typing import Any

from django.db import connection, transaction

from loyalty.runs.record import RunRecorder
from rewards.challenges import progress, terms
from rewards.challenges.terms import Terms
from rewards.models import ChallengeCount
from rewards.upkeep import apart

PAGE = 500
State = ChallengeCount.State


def next_due() -> int | None:
    """The count that waits, or was left, longest."""
    unfinished = ChallengeCount.objects.exclude(state=State.DONE).order_by("asked_at", "pk")
    return unfinished.values_list("pk", flat=True).first()


def work(*, count_id: int, at: dt.datetime, run: RunRecorder) -> None:
    """Count all members who did something in the challenge's time, page by page; how far it is is kept after each."""
    count = ChallengeCount.objects.select_related("challenge").get(pk=count_id)
    known = terms.known([count.challenge_id])[count.challenge_id]
    if count.total is None:
        count.total = _how_many(known)
    count.state = State.RUNNING
    count.save(update_fields=["state", "total"])
    run.row.total = count.total
    while members := page(known, count.after_member):

        def recount(ids: list[int]) -> int:
            return progress.recount(challenge_ids=[known.id], member_ids=ids, at=at)

        apart(members, recount, run)  # type: ignore[arg-type]
        run.progress(done=len(members))
        if not _keep(count, members):
            return  # asked for afresh meanwhile: the next tick begins again
    ChallengeCount.objects.filter(pk=count_id, asked_at=count.asked_at).update(state=State.DONE, ended_at=at)


def _keep(count: ChallengeCount, members: list[int]) -> bool:
    count.after_member, count.done = members[-1], count.done + len(members)
    mine = ChallengeCount.objects.filter(pk=count.pk, asked_at=count.asked_at)
    with transaction.atomic():
        return bool(mine.update(after_member=count.after_member, done=count.done))


_WHERE = """
a.occurred_at >= %s AND (%s::timestamptz IS NULL OR a.occurred_at < %s) AND (%s::text[] IS NULL OR a.kind_id = ANY(%s))
"""

_PAGE = f"""
SELECT m.id FROM members_member m
WHERE m.id > %s AND EXISTS (SELECT 1 FROM members_activity a WHERE a.member_id = m.id AND {_WHERE})
ORDER BY m.id LIMIT %s
"""  # noqa: S608 - our own text

_HOW_MANY = f"SELECT count(DISTINCT a.member_id) FROM members_activity a WHERE {_WHERE}"  # noqa: S608


def _asked(known: Terms) -> list[Any]:
    kinds = sorted(known.kinds) if known.kinds is not None else None
    return [known.goal.starts_at, known.goal.ends_at, known.goal.ends_at, kinds, kinds]


def page(known: Terms, after: int) -> list[int]:
    """The next members, by id, who did something in the challenge's time."""
    with connection.cursor() as cursor:
        cursor.execute(_PAGE, [after, *_asked(known), PAGE])
        return [row[0] for row in cursor.fetchall()]


def _how_many(known: Terms) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_HOW_MANY, _asked(known))
        return int(cursor.fetchone()[0])
