"""Backtests: a past period replayed against a draft, in a worker, with progress; cancelled and kept by staff.

Nothing here writes to the ledger. ``rewards.tasks`` runs them, the admin asks for them.
"""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django.db import transaction

from loyalty.runs import record
from loyalty.runs.models import Run
from rewards import drafts, terms
from rewards.backtest_report import Tally
from rewards.models import Backtest, Draft
from rewards.replay import Period, Replay

RUN_NAME = "rewards.run_backtest"
Status = Backtest.Status


class Cancelled(Exception):
    """Staff asked for the backtest to stop."""


def request(
    *,
    draft_id: int,
    starts_at: dt.datetime,
    ends_at: dt.datetime,
    point_value: Decimal,
    staff_id: int | None,
    at: dt.datetime,
) -> Backtest:
    """Ask for a backtest of the draft as it stands now; whoever asks wakes the worker once that is committed."""
    draft = Draft.objects.get(pk=draft_id)
    return Backtest.objects.create(
        draft=draft,
        changes=draft.changes,
        starts_at=starts_at,
        ends_at=ends_at,
        point_value=point_value,
        requested_by_id=staff_id,
        requested_at=at,
    )


def cancel(*, backtest_id: int, at: dt.datetime) -> bool:
    """Let a backtest stop: one that waits at once, one that runs at its next chunk; False for one that has ended."""
    waiting = Backtest.objects.filter(pk=backtest_id, status=Status.QUEUED)
    if waiting.update(status=Status.CANCELLED, cancel_asked=True, ended_at=at):
        return True
    return bool(Backtest.objects.filter(pk=backtest_id, status=Status.RUNNING).update(cancel_asked=True))


def waiting(*, since: dt.datetime) -> list[int]:
    """The backtests asked for before ``since`` that nobody has begun."""
    left = Backtest.objects.filter(status=Status.QUEUED, requested_at__lt=since)
    return list(left.order_by("pk").values_list("pk", flat=True))


def mark_dead(*, at: dt.datetime) -> int:
    """Mark the backtests whose process died; returns how many."""
    record.abandon_dead_runs(RUN_NAME)
    dead = Backtest.objects.filter(status=Status.RUNNING).exclude(run__status=Run.Status.RUNNING)
    return dead.update(status=Status.FAILED, ended_at=at, error="The process that ran it died.")


def run(*, backtest_id: int, now: Callable[[], dt.datetime]) -> None:
    """Run one backtest, unless another process has begun it; leaves its result, or why there is none."""
    if not Backtest.objects.filter(pk=backtest_id, status=Status.QUEUED).exists():
        return
    with record.run(RUN_NAME, at=now(), backtest=backtest_id) as recorder:
        mine = Backtest.objects.filter(pk=backtest_id, status=Status.QUEUED)
        if not mine.update(status=Status.RUNNING, run=recorder.row):
            return
        backtest = Backtest.objects.get(pk=backtest_id)
        try:
            result = compute(backtest, at=now(), step=lambda done: _step(backtest_id, done, recorder))
        except Cancelled:
            _end(backtest_id, Status.CANCELLED, at=now())
        except Exception as error:
            _end(backtest_id, Status.FAILED, at=now(), error=f"{type(error).__name__}: {error}")
            raise
        else:
            _end(backtest_id, Status.DONE, at=now(), result=result)


def compute(
    backtest: Backtest, *, at: dt.datetime, step: Callable[[int], None] = lambda done: None
) -> dict[str, Any]:
    """Replay the period and gather the result; ``step`` hears after each chunk how many activities it judged."""
    known = terms.current()
    replay = Replay(
        Period(backtest.starts_at, backtest.ends_at),
        terms=drafts.terms_with(backtest.changes, known),
        known=known,
    )
    Backtest.objects.filter(pk=backtest.pk).update(total=len(replay.ids))
    tally = Tally(replay, known=known)
    for chunk in replay.chunks():
        tally.add(chunk)
        step(len(chunk))
    tally.take_back(replay.taken_back)
    return tally.result(replay, at=at, point_value=backtest.point_value)


def _step(backtest_id: int, done: int, recorder: record.RunRecorder) -> None:
    """Say how far it is; raises Cancelled when staff asked for that meanwhile."""
    recorder.progress(done=done)
    Backtest.objects.filter(pk=backtest_id).update(done=recorder.row.done)
    if Backtest.objects.filter(pk=backtest_id, cancel_asked=True).exists():
        raise Cancelled


def _end(
    backtest_id: int,
    status: Backtest.Status,
    *,
    at: dt.datetime,
    error: str = "",
    result: dict[str, Any] | None = None,
) -> None:
    with transaction.atomic():
        Backtest.objects.filter(pk=backtest_id, status=Status.RUNNING).update(
            status=status, ended_at=at, error=error.replace("\0", "")[:2_000], result=result
        )
