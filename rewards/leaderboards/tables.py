"""The tables of leaderboards: which period each is for, and which are open now.

A period begins and ends at midnight in the programme's time zone. Its table is made when it begins (by whoever comes
first: an event, a page or the tick) and closed some days after it has ended, so that late purchases and refunds still
count. Called by ``scores``, ``reading`` and ``upkeep``.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Q

from loyalty import clock, programme
from rewards.models import Leaderboard, LeaderboardTable

Period = Leaderboard.Period

BEGINNING = dt.date(1970, 1, 1)
"""The first day of tables that go back to the beginning."""

Span = tuple[dt.date, dt.date | None]


def span(period: str, day: dt.date) -> Span:
    """The first day of the period that ``day`` is in, and the first day after it. Pure."""
    match Period(period):
        case Period.WEEK:
            monday = day - dt.timedelta(days=day.weekday())
            return monday, monday + dt.timedelta(days=7)
        case Period.MONTH:
            first = day.replace(day=1)
            return first, (first + dt.timedelta(days=32)).replace(day=1)
        case Period.YEAR:
            return dt.date(day.year, 1, 1), dt.date(day.year + 1, 1, 1)
        case Period.EVER:
            return BEGINNING, None


@dataclass(frozen=True, slots=True)
class Bounds:
    """The moments between which a table counts; None: without that bound."""

    since: dt.datetime | None
    until: dt.datetime | None


def bounds(table: LeaderboardTable) -> Bounds:
    """From when until when what members do counts for the table."""
    zone = programme.current().time_zone
    since = None if table.starts_on == BEGINNING else clock.start_of_day(table.starts_on, zone)
    return Bounds(since, clock.start_of_day(table.ends_on, zone) if table.ends_on else None)


def settled_at(table: LeaderboardTable) -> dt.datetime | None:
    """When the table is to be closed; None while no end is in sight. Reads the table's leaderboard and challenge."""
    board = table.leaderboard
    ends = [bounds(table).until]
    if board.challenge is not None:
        ends.append(board.challenge.ends_at)
    known = [end for end in ends if end is not None]
    return min(known) + dt.timedelta(days=board.settling_days) if known else None


def open_tables(*, at: dt.datetime) -> list[LeaderboardTable]:
    """The tables that count at present, those of periods that begin now included; with their leaderboards.

    Two statements, one more where a table is new.
    """
    shown = Leaderboard.objects.filter(is_active=True).select_related("challenge")
    boards = {board.pk: board for board in shown}
    if not boards:
        return []
    today = clock.local_date(at, programme.current().time_zone)
    tables = _open(boards)
    there = {(table.leaderboard_id, table.starts_on) for table in tables}
    missing = [
        LeaderboardTable(leaderboard=board, starts_on=first, ends_on=end)
        for board in boards.values()
        for first, end in [span(board.period, today)]
        if (board.pk, first) not in there and _is_running(board, at)
    ]
    if missing:
        LeaderboardTable.objects.bulk_create(missing, ignore_conflicts=True)
        tables = _open(boards)
    for table in tables:
        table.leaderboard = boards[table.leaderboard_id]
    return tables


def _open(boards: Iterable[int]) -> list[LeaderboardTable]:
    rows = LeaderboardTable.objects.filter(leaderboard__in=list(boards), closed_at=None)
    return list(rows.order_by("pk"))


def _is_running(board: Leaderboard, at: dt.datetime) -> bool:
    """Whether a period of it can begin now: one of a challenge that is over has no further ones."""
    challenge = board.challenge
    if challenge is None:
        return True
    is_over = challenge.ends_at is not None and challenge.ends_at <= at
    return challenge.is_active and challenge.starts_at <= at and not is_over


def table_of(board: Leaderboard, *, starts_on: dt.date | None) -> LeaderboardTable | None:
    """The table of a leaderboard that begins on that day, or the latest one; None where there is none."""
    rows = LeaderboardTable.objects.filter(leaderboard=board).select_related("leaderboard__challenge")
    if starts_on is not None:
        return rows.filter(starts_on=starts_on).first()
    return rows.order_by("-starts_on").first()


def shown_boards() -> list[Leaderboard]:
    """The leaderboards that are shown: those of challenges that are drafts are not."""
    rows = Leaderboard.objects.filter(is_active=True).select_related("challenge")
    return list(rows.filter(Q(challenge=None) | Q(challenge__is_active=True)))
