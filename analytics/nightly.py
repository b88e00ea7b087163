"""All nightly metrics up to a date. The task ``analytics.nightly`` and ``manage.py nightly`` call ``run_nightly``.

Only what was touched is computed: the days on which facts that are new since the last run happened (a late purchase, a
refund, an expiry), and the days that have no figures yet. What is to do is written down first, under the watermark's
row lock; then each piece is computed and struck off in one transaction. So a killed run goes on where it was, two
runs at once share the work, and any number of repetitions ends with the same rows.
"""

import datetime as dt
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import Max, Min

from analytics import figures
from analytics.figures import Basis
from analytics.models import DailyFigures, Watermark
from loyalty import clock, programme
from members.models import Activity, Member
from rewards.models import Transfer

STEP = "daily figures"
PIECE = dt.timedelta(days=31)
WAIT_FOR_WRITERS = 5.0
"""Seconds."""

Span = tuple[dt.date, dt.date]


class DateInFuture(ValueError):
    """Metrics were asked for up to a day that has not begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a run did: ``days`` computed up to ``date``, of which ``changed`` differ from before."""

    date: dt.date
    days: int
    changed: int
    full: bool


def yesterday(at: dt.datetime) -> dt.date:
    """The last complete day in the programme's time zone."""
    return clock.local_date(at, programme.current().time_zone) - dt.timedelta(days=1)


def run_nightly(
    *,
    at: dt.datetime,
    date: dt.date | None = None,
    full: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Summary:
    """Bring every metric up to ``date`` (default: yesterday), all days afresh when ``full``; the rows are the same.

    Days after ``date`` that have figures already are kept true as well. ``progress`` is told days done and in all.
    Raises DateInFuture.
    """
    if date is not None and date > clock.local_date(at, programme.current().time_zone):
        raise DateInFuture(f"{date} has not begun yet.")
    date = date or yesterday(at)
    basis = Basis.current()
    total = _plan(date, basis=basis, full=full, at=at)
    done, changed = 0, set[dt.date]()
    progress(0, total)
    while (piece := _work(basis=basis, at=at)) is not None:
        days, touched = piece
        done += days
        changed |= touched
        progress(done, max(done, total))
    return Summary(date=date, days=done, changed=len(changed), full=full)


def _plan(date: dt.date, *, basis: Basis, full: bool, at: dt.datetime) -> int:
    """Write down which days are to be computed; returns how many."""
    with transaction.atomic():
        watermark = _locked(at=at)
        known = watermark.position
        kept_basis = [basis.time_zone, basis.currency, basis.definition]
        full = full or known.get("basis") != kept_basis
        known["basis"] = kept_basis
        seen = _highest_ids()
        is_settled = _no_writer_is_left()
        settled = {} if full else known.get("settled", {})
        span = DailyFigures.objects.aggregate(first=Min("date"), last=Max("date"))
        last = max(date, span["last"] or date)
        touched = {day for day in _touched_days(settled, basis) if day <= last}
        days = touched | {
            day for first, until in _spans_of(known) for day in _days(first, until) if day <= last
        }
        starts = [
            day for day in (min(days, default=None), None if full else span["first"]) if day is not None
        ]
        if starts:
            every_day = set(_days(min(starts), last))
            known_days = set() if full else set(DailyFigures.objects.values_list("date", flat=True))
            days |= every_day - known_days
            DailyFigures.objects.filter(date__lt=min(starts)).delete()
        elif full:
            DailyFigures.objects.all().delete()
        known["todo"] = [[first.isoformat(), until.isoformat()] for first, until in _spans(days)]
        if is_settled:
            known["settled"] = seen
        watermark.updated_at = at
        watermark.save()
        return len(days)


def _work(*, basis: Basis, at: dt.datetime) -> tuple[int, set[dt.date]] | None:
    """Compute the first piece of what is to do, and strike it off; None when nothing is left."""
    with transaction.atomic():
        watermark = _locked(at=at)
        todo = _spans_of(watermark.position)
        if not todo:
            return None
        first, last = todo[0]
        end = min(last, first + PIECE - dt.timedelta(days=1))
        changed = figures.compute(first, end, basis=basis, at=at)
        rest = [(end + dt.timedelta(days=1), last)] if end < last else []
        watermark.position["todo"] = [
            [start.isoformat(), until.isoformat()] for start, until in [*rest, *todo[1:]]
        ]
        watermark.updated_at = at
        watermark.save()
        return (end - first).days + 1, changed


def _locked(*, at: dt.datetime) -> Watermark:
    Watermark.objects.get_or_create(step=STEP, defaults={"updated_at": at})
    return Watermark.objects.select_for_update().get(step=STEP)


def _highest_ids() -> dict[str, int]:
    return {
        "members": Member.objects.aggregate(top=Max("pk"))["top"] or 0,
        "activities": Activity.objects.aggregate(top=Max("pk"))["top"] or 0,
        "transfers": Transfer.objects.aggregate(top=Max("pk"))["top"] or 0,
    }


_WRITERS = """
SELECT virtualtransaction FROM pg_locks
 WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND pid <> pg_backend_pid()
   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND relation IN ('members_member'::regclass, 'members_activity'::regclass, 'rewards_transfer'::regclass)
"""


def _no_writer_is_left() -> bool:
    """Whether every transaction that was writing facts has ended; waits a moment for those that have not.

    A row gets its id before it is committed, so below the highest id there may be rows that only appear later. Who
    may still bring one holds a lock on the table now. When one lasts, the watermark stays where it is, and the next
    run looks at the same ids again.
    """
    deadline = time.monotonic() + WAIT_FOR_WRITERS
    waited_for: set[str] | None = None
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_WRITERS)
            writers = {row[0] for row in cursor.fetchall()}
        waited_for = writers if waited_for is None else waited_for & writers
        if not waited_for:
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)


_TOUCHED = """
SELECT (joined_at AT TIME ZONE %(zone)s)::date FROM members_member WHERE id > %(members)s
UNION SELECT (occurred_at AT TIME ZONE %(zone)s)::date FROM members_activity WHERE id > %(activities)s
UNION SELECT (occurred_at AT TIME ZONE %(zone)s)::date FROM rewards_transfer WHERE id > %(transfers)s
"""


def _touched_days(settled: dict[str, int], basis: Basis) -> list[dt.date]:
    """The days on which facts happened that were not there when the watermark was settled."""
    after = {name: settled.get(name, 0) for name in ("members", "activities", "transfers")}
    with connection.cursor() as cursor:
        cursor.execute(_TOUCHED, {**after, "zone": basis.time_zone})
        return [row[0] for row in cursor.fetchall()]


def _days(first: dt.date, last: dt.date) -> Iterable[dt.date]:
    return (first + dt.timedelta(days=number) for number in range((last - first).days + 1))


def _spans(days: Iterable[dt.date]) -> list[Span]:
    """The days as spans without gaps, in order."""
    spans: list[Span] = []
    for day in sorted(days):
        if spans and day - spans[-1][1] == dt.timedelta(days=1):
            spans[-1] = (spans[-1][0], day)
        else:
            spans.append((day, day))
    return spans


def _spans_of(position: dict[str, Any]) -> list[Span]:
    """What an earlier plan left to do."""
    return [
        (dt.date.fromisoformat(first), dt.date.fromisoformat(last))
        for first, last in position.get("todo", [])
    ]
