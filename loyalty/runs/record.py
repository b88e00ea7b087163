"""Every run of background work leaves a row: when it began and ended, how much it did, and why it failed.

with record.run("campaigns.greet_birthdays", at=at) as run:
    for member in due:
        ...
        run.progress(done=1)
"""

import contextlib
import datetime as dt
import os
import socket
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import structlog
from django.db import DatabaseError, connection, transaction

from loyalty import clock
from loyalty.runs.models import Run

logger = structlog.get_logger("kantis.runs")

WRITE_EVERY_SECONDS = 1.0
SILENT_FOR = dt.timedelta(minutes=15)
"""A run that has not been heard of for this long counts as dead, until it is heard of again."""


class RunRecorder:
    """Counts one run's work; writes the row at most once a second, and at the end."""

    def __init__(self, row: Run) -> None:
        self.row = row
        self.detail: dict[str, Any] = row.detail
        self._written = time.monotonic()

    def progress(self, *, done: int = 0, failed: int = 0, skipped: int = 0) -> None:
        """Add to the counts; also the sign of life that a long run gives."""
        self.row.done += done
        self.row.failed += failed
        self.row.skipped += skipped
        if time.monotonic() - self._written >= WRITE_EVERY_SECONDS:
            self._write()

    def finish(self, status: Run.Status, error: str = "") -> None:
        """Close the row. Where a failure took the transaction or the connection with it, only the log may tell."""
        self.row.status, self.row.error, self.row.ended_at = status, error.replace("\0", ""), clock.now()
        try:
            with transaction.atomic():
                self._write()
        except DatabaseError:
            if status is not Run.Status.FAILED:
                raise
            self._write_on_a_new_connection()

    def _write_on_a_new_connection(self) -> None:
        if not connection.in_atomic_block:
            connection.close()
            with contextlib.suppress(DatabaseError):
                self._write()
                return
        logger.error("run_not_recorded", run=self.row.name, status=self.row.status)

    def _write(self) -> None:
        self.row.seen_at = clock.now()
        self.row.detail = self.detail
        self.row.save(
            update_fields=[
                "status", "error", "ended_at", "seen_at", "done", "failed", "skipped", "total", "detail",
            ]
        )  # fmt: skip
        self._written = time.monotonic()


@contextlib.contextmanager
def run(name: str, *, at: dt.datetime, total: int | None = None, **detail: Any) -> Iterator[RunRecorder]:
    """Record one run of the named work, judged at ``at``; an exception marks it failed and goes on upwards.

    Earlier runs of that name whose process has died are marked abandoned first.
    """
    abandon_dead_runs(name)
    moment = clock.now()
    row = Run.objects.create(
        name=name,
        at=at,
        started_at=moment,
        seen_at=moment,
        total=total,
        detail=detail,
        process=_this_process(),
    )
    recorder = RunRecorder(row)
    with structlog.contextvars.bound_contextvars(run=name, run_id=row.pk):
        try:
            yield recorder
        except BaseException:
            recorder.finish(Run.Status.FAILED, traceback.format_exc()[-8_000:])
            logger.exception("run_failed")
            raise
        recorder.finish(Run.Status.SUCCEEDED)
        logger.info("run_succeeded", done=row.done, failed=row.failed, skipped=row.skipped)


def abandon_dead_runs(name: str) -> int:
    """Mark the running rows of that name whose process is gone; returns how many."""
    moment = clock.now()
    running = Run.objects.filter(name=name, status=Run.Status.RUNNING)
    dead = [row.pk for row in running.only("process", "seen_at") if _is_dead(row, moment)]
    if not dead:
        return 0
    return Run.objects.filter(pk__in=dead, status=Run.Status.RUNNING).update(
        status=Run.Status.ABANDONED, ended_at=moment
    )


def _is_dead(row: Run, moment: dt.datetime) -> bool:
    if moment - row.seen_at > SILENT_FOR:
        return True
    host, _, process = row.process.partition("/")
    return host == socket.gethostname() and process != _process_mark(int(process.partition(":")[0]))


def _this_process() -> str:
    return f"{socket.gethostname()}/{_process_mark(os.getpid())}"


def _process_mark(pid: int) -> str:
    """The process id and its time of birth, so that a reused number is not mistaken for the old process."""
    try:
        born = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        born = "gone" if not _exists(pid) else "here"
    return f"{pid}:{born}"


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
