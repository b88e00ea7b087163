import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.transaction import TransactionManagementError

from loyalty.prepared import WAITING_AT_MOST, array, fetch_prepared, run_prepared, waiting_writes, write_later

pytestmark = pytest.mark.django_db

_WRITE = "INSERT INTO told (word) VALUES (%s)"


@pytest.fixture(autouse=True)
def table(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE told (word text UNIQUE) ON COMMIT DROP")


def told() -> list[str]:
    return [word for (word,) in fetch_prepared("SELECT word FROM told ORDER BY word", [])]


def test_arrays_are_read_as_they_were_written() -> None:
    moments = [
        dt.datetime(2026, 3, 29, 3, 0, 0, 1, tzinfo=dt.timezone(dt.timedelta(hours=-3, minutes=-30))),
        None,
    ]
    [row] = fetch_prepared(
        "SELECT %s::bigint[], %s::timestamptz[], %s::bigint[]",
        [array([2**40, -1]), array(moments), array([])],
    )
    assert row == ([2**40, -1], moments, [])


def test_a_transaction_that_must_be_rolled_back_takes_no_more_statements() -> None:
    with transaction.atomic(savepoint=False):
        transaction.set_rollback(True)
        with pytest.raises(TransactionManagementError):
            told()
        transaction.set_rollback(False)


def test_who_watches_the_statements_sees_the_prepared_ones_too() -> None:
    seen = []

    def watch(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        seen.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        run_prepared(_WRITE, ["a"])
    assert seen == [(_WRITE, ["a"])]
    assert told() == ["a"]


def test_nothing_waits_where_nobody_gathers() -> None:
    write_later(_WRITE, ["a"])
    assert told() == ["a"]


def test_waiting_writes_go_with_the_last_statement(django_assert_num_queries) -> None:
    with waiting_writes() as waiting:
        write_later(_WRITE, ["a"])
        write_later(_WRITE, ["b"])
        assert told() == []
        with django_assert_num_queries(1):
            assert waiting.finish(_WRITE, ["c"]) == 1
    assert told() == ["a", "b", "c"]


def test_a_last_statement_that_finds_its_row_there_says_so() -> None:
    run_prepared(_WRITE, ["c"])
    with waiting_writes() as waiting:
        write_later(_WRITE, ["a"])
        assert waiting.finish(f"{_WRITE} ON CONFLICT DO NOTHING", ["c"]) == 0


def test_a_savepoint_takes_its_writes_back_with_it() -> None:
    with waiting_writes() as waiting:
        write_later(_WRITE, ["a"])
        with pytest.raises(RuntimeError), transaction.atomic():
            write_later(_WRITE, ["undone"])
            raise RuntimeError
        waiting.finish(_WRITE, ["z"])
    assert told() == ["a", "z"]


def test_what_is_not_finished_is_not_written() -> None:
    with waiting_writes():
        write_later(_WRITE, ["a"])
    write_later(_WRITE, ["b"])
    assert told() == ["b"]


def test_more_than_a_few_are_written_at_once() -> None:
    words = [f"{number:02}" for number in range(WAITING_AT_MOST + 2)]
    with waiting_writes() as waiting:
        for word in words:
            write_later(_WRITE, [word])
        assert told() == words[WAITING_AT_MOST:]
        waiting.finish(_WRITE, ["zz"])
    assert told() == [*words, "zz"]


def test_an_error_of_a_waiting_write_is_the_last_statements() -> None:
    run_prepared(_WRITE, ["a"])
    with transaction.atomic(), waiting_writes() as waiting:
        write_later(_WRITE, ["a"])
        with pytest.raises(IntegrityError), transaction.atomic():
            waiting.finish(_WRITE, ["z"])
    assert told() == ["a"]
