"""Expiries that activity moves: under a sliding policy each activity of the member keeps alive what they hold of it.

The lots' ``expires_at`` is moved, so that spending, expiry and every list go on reading one column; each move is proved
by an append-only row that names the activity. Called when activities are recorded and when points come back to lots.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from django.db import connection

from members.models import Activity
from rewards.ledger.books import Books, lots_where
from rewards.ledger.entries import LiveLot
from rewards.terms import Terms


@dataclass(frozen=True, slots=True, order=True)
class Active:
    """A member did something at a moment."""

    occurred_at: dt.datetime
    activity_id: int
    member_id: int


@dataclass(frozen=True, slots=True)
class Step:
    """An activity that moved an expiry, and where to."""

    active: Active
    expires_at: dt.datetime


def carried(
    expires_at: dt.datetime,
    activities: Iterable[Active],
    expiry_after: Callable[[dt.datetime], dt.datetime | None],
) -> list[Step]:
    """The activities, in order of time, that keep points alive and to when: each only before what they last had."""
    steps: list[Step] = []
    for active in sorted(activities):
        if active.occurred_at >= expires_at:
            break
        moved = expiry_after(active.occurred_at)
        if moved is not None and moved > expires_at:
            expires_at = moved
            steps.append(Step(active, moved))
    return steps


def keep_alive(activities: Sequence[Active], *, books: Books, known: Terms, at: dt.datetime) -> None:
    """Move the expiries of what the members hold in the locked accounts, for activities just recorded.

    Costs nothing without sliding policies; with them two statements, three where something moves. An activity that
    came in late joins hands with later ones.
    """
    if not known.sliding_policies or not activities:
        return
    members = {active.member_id for active in activities}
    accounts = [id_ for (member_id, _wallet, _kind), id_ in books.accounts.items() if member_id in members]
    owner = {id_: member_id for (member_id, _wallet, _kind), id_ in books.accounts.items()}
    lots = lots_where(
        "account_id = ANY(%s) AND remaining > 0 AND expiry_policy_id IS NOT NULL ORDER BY id", [accounts]
    )
    seen = set(activities)
    past = [lot.expires_at for lot in lots if lot.expires_at is not None and lot.expires_at <= at]
    if past:
        seen |= _recorded(members, since=min(past))
    _move([(lot, owner[lot.account_id]) for lot in lots], seen, known, at=at)


def catch_up(lot_ids: Sequence[int], *, member_id: int, known: Terms, at: dt.datetime) -> None:
    """Give lots to which points came back the expiry that the member's activities have given them meanwhile."""
    if not known.sliding_policies or not lot_ids:
        return
    lots = lots_where(
        "id = ANY(%s) AND remaining > 0 AND expiry_policy_id IS NOT NULL ORDER BY id", [list(lot_ids)]
    )
    if lots:
        seen = _recorded({member_id}, since=min(lot.earned_at for lot in lots))
        _move([(lot, member_id) for lot in lots], seen, known, at=at)


def _recorded(members: Iterable[int], *, since: dt.datetime) -> set[Active]:
    rows = Activity.objects.filter(member_id__in=list(members), occurred_at__gte=since)
    return {Active(*row) for row in rows.values_list("occurred_at", "pk", "member_id")}


def _move(
    lots: Sequence[tuple[LiveLot, int]], activities: Iterable[Active], known: Terms, *, at: dt.datetime
) -> None:
    policies = {policy.policy_id: policy for policy in known.sliding_policies}
    of_member: dict[int, list[Active]] = defaultdict(list)
    for active in activities:
        of_member[active.member_id].append(active)
    moved: list[tuple[int, dt.datetime]] = []
    proofs: dict[tuple[int, int, dt.datetime], Active] = {}
    for lot, member_id in lots:
        policy = policies.get(lot.expiry_policy_id or 0)
        if policy is None or lot.expires_at is None:
            continue
        steps = carried(
            lot.expires_at,
            of_member[member_id],
            lambda moment, policy=policy: policy.expires_at(moment, known.time_zone),  # type: ignore[misc]
        )
        for step in steps:
            proofs.setdefault((member_id, policy.policy_id, step.expires_at), step.active)
        if steps:
            moved.append((lot.id, steps[-1].expires_at))
    _write(moved, proofs, at=at)


_MOVE = """
WITH proofs AS (
    INSERT INTO rewards_expiryslide (member_id, policy_id, expires_at, activity_id, active_at, moved_at)
    SELECT member_id, policy_id, expires_at, activity_id, active_at, %s
    FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::bigint[], %s::timestamptz[])
        AS given(member_id, policy_id, expires_at, activity_id, active_at)
    ON CONFLICT (member_id, policy_id, expires_at) DO NOTHING
)
UPDATE rewards_lot SET expires_at = given.expires_at,
                       granted_expiry = coalesce(rewards_lot.granted_expiry, rewards_lot.expires_at)
FROM unnest(%s::bigint[], %s::timestamptz[]) AS given(lot_id, expires_at) WHERE rewards_lot.id = given.lot_id
"""


def _write(
    moved: Sequence[tuple[int, dt.datetime]],
    proofs: dict[tuple[int, int, dt.datetime], Active],
    *,
    at: dt.datetime,
) -> None:
    if not moved:
        return
    rows = [(*key, active.activity_id, active.occurred_at) for key, active in sorted(proofs.items())]
    with connection.cursor() as cursor:
        cursor.execute(
            _MOVE,
            [at, *(list(column) for column in zip(*rows, strict=True)),
             *(list(column) for column in zip(*moved, strict=True))],
        )  # fmt: skip
