"""Every run leaves a row, however it ends."""

import datetime as dt
import os
import subprocess
import sys

import pytest
from django.db import DatabaseError, connection, transaction

from loyalty import clock
from loyalty.runs import record
from loyalty.runs.models import Run

pytestmark = pytest.mark.django_db
AT = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def test_a_run_that_goes_well() -> None:
    with record.run("tests.work", at=AT, total=3, file="a.csv") as run:
        assert Run.objects.get().status == "running"
        run.progress(done=2)
        run.progress(done=1, failed=1, skipped=4)
        run.detail["note"] = "done"
    row = Run.objects.get()
    assert (row.name, row.at, row.status, row.error) == ("tests.work", AT, "succeeded", "")
    assert (row.done, row.failed, row.skipped, row.total) == (3, 1, 4, 3)
    assert row.detail == {"file": "a.csv", "note": "done"}
    assert row.started_at <= row.ended_at == row.seen_at or row.ended_at <= row.seen_at


def test_a_run_that_fails_says_why_and_lets_the_error_go_on() -> None:
    with pytest.raises(ValueError, match="no"), record.run("tests.work", at=AT) as run:
        run.progress(done=2)
        raise ValueError("no\0pe")
    row = Run.objects.get()
    assert (row.status, row.done) == ("failed", 2)
    assert "ValueError: nope" in row.error
    assert row.ended_at is not None


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_a_run_that_is_stopped_has_failed(stop: type[BaseException]) -> None:
    with pytest.raises(stop), record.run("tests.work", at=AT):
        raise stop
    assert Run.objects.get().status == "failed"


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_broken_transaction_around_it_keeps_its_own_error() -> None:
    with pytest.raises(DatabaseError, match="nonsense"), transaction.atomic():  # noqa: SIM117
        with record.run("tests.work", at=AT), connection.cursor() as cursor:
            cursor.execute("nonsense")
    assert not Run.objects.exists()


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_lost_connection_is_told_of_on_a_new_one() -> None:
    with pytest.raises(DatabaseError), record.run("tests.work", at=AT) as run:
        run.progress(done=5)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    row = Run.objects.get()
    assert (row.status, row.done) == ("failed", 5)


def test_progress_is_written_at_most_once_a_second(
    django_assert_num_queries, monkeypatch: pytest.MonkeyPatch
) -> None:
    with record.run("tests.work", at=AT) as run:
        with django_assert_num_queries(0):
            for _row in range(100):
                run.progress(done=1)
        run._written -= 2
        with django_assert_num_queries(1):
            run.progress(done=1)
        assert Run.objects.get().done == 101


def test_a_run_whose_process_died_is_abandoned_by_the_next() -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    mark = f"{record._this_process().partition('/')[0]}/{record._process_mark(dead.pid)}"
    dead.wait()
    old = {"name": "tests.work", "at": AT, "started_at": AT, "seen_at": clock.now(), "status": "running"}
    of_a_dead_one = Run.objects.create(**old, process=mark)
    of_a_living_one = Run.objects.create(**old, process=record._this_process())
    of_a_reused_number = Run.objects.create(**old, process=f"{mark.partition('/')[0]}/{os.getpid()}:1")
    elsewhere = Run.objects.create(**old, process="another-host/1:2")
    silent = Run.objects.create(**old | {"seen_at": AT}, process="another-host/1:2")
    other = Run.objects.create(**old | {"name": "tests.other"}, process=mark)

    with record.run("tests.work", at=AT):
        pass

    abandoned = set(Run.objects.filter(status="abandoned", ended_at__isnull=False))
    assert abandoned == {of_a_dead_one, of_a_reused_number, silent}
    assert {row.status for row in (of_a_living_one, elsewhere, other)} == {"running"}


def test_one_that_was_given_up_too_early_still_ends_well() -> None:
    with record.run("tests.work", at=AT) as run:
        Run.objects.update(status="abandoned")
        run.progress(done=1)
    assert Run.objects.get().status == "succeeded"
