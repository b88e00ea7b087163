"""Statements that every request runs, prepared by the server once for each connection.

Planning the few large statements of the main way costs the database as much as running them; prepared, that is paid
once. Only for fixed SQL: a text that varies would fill the connection with plans. The plan does not look at the values
either: left to itself, PostgreSQL plans anew each time that an array is shorter than it would have guessed.

Writes that nobody reads before the commit (events, judgements) may wait and go with the transaction's last statement:
``write_later`` inside ``waiting_writes``.
"""

import datetime as dt
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections


def fetch_prepared(sql: str, params: Sequence[Any] | Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Run one fixed statement and give its rows."""
    return _run(sql, params, fetch=True)[1]


def run_prepared(sql: str, params: Sequence[Any]) -> int:
    """Run one fixed statement that gives no rows; the number of those that it wrote."""
    return _run(sql, params, fetch=False)[0]


def array(values: Iterable[int | dt.datetime | None]) -> str:
    """Ids or moments as PostgreSQL writes an array, to be cast: the driver takes long to find out what a list holds."""
    return f"{{{','.join(map(_element, values))}}}"


def _element(value: int | dt.datetime | None) -> str:
    if isinstance(value, dt.datetime):
        return value.isoformat()
    return "NULL" if value is None else str(value)


WAITING_AT_MOST = 6
"""Writes beyond these run at once, so that there are few texts to prepare."""


@dataclass
class Waiting:
    """The writes that wait in one transaction. Unless ``finish`` is called, the caller must roll back."""

    savepoints: int
    texts: list[str] = field(default_factory=list)
    params: list[Any] = field(default_factory=list)

    def finish(self, sql: str, params: Sequence[Any]) -> int:
        """Run all that wait together with ``sql``, an INSERT; how many rows that wrote."""
        texts, before = tuple(self.texts), list(self.params)
        self.texts.clear()
        self.params.clear()
        return run_prepared(_joined(texts, sql), [*before, *params])


_waiting: ContextVar[Waiting | None] = ContextVar("waiting_writes", default=None)


@contextmanager
def waiting_writes() -> Iterator[Waiting]:
    """Let ``write_later`` wait in this block, which is the whole of a transaction and ends with ``finish``."""
    waiting = Waiting(_savepoints())
    token = _waiting.set(waiting)
    try:
        yield waiting
    finally:
        _waiting.reset(token)


def write_later(sql: str, params: Sequence[Any]) -> None:
    """Write what nobody reads before the commit: a fixed INSERT of rows that refer to nothing still waiting.

    At once where nothing waits, and inside a savepoint, which may be rolled back alone.
    """
    waiting = _waiting.get()
    if waiting is None or len(waiting.texts) == WAITING_AT_MOST or _savepoints() != waiting.savepoints:
        run_prepared(sql, params)
        return
    waiting.texts.append(sql)
    waiting.params += params


def write_together_later(writes: Sequence[tuple[str, Sequence[Any]]]) -> None:
    """As ``write_later``, for rows that only refer to one another, by keys that are checked at the commit.

    At once means in one statement here. Besides INSERTs, an UPDATE of rows that no other of the writes touches.
    """
    texts = tuple(sql for sql, _params in writes)
    params = [value for _sql, values in writes for value in values]
    waiting = _waiting.get()
    no_room = waiting is None or len(waiting.texts) + len(texts) > WAITING_AT_MOST
    if waiting is None or no_room or _savepoints() != waiting.savepoints:
        run_prepared(_joined(texts[:-1], texts[-1]), params)
        return
    waiting.texts += texts
    waiting.params += params


def _savepoints() -> int:
    return sum(name is not None for name in connections[DEFAULT_DB_ALIAS].savepoint_ids)


@functools.lru_cache(maxsize=64)
def _joined(texts: tuple[str, ...], last: str) -> str:
    parts = ", ".join(f"waited_{place} AS ({text})" for place, text in enumerate(texts))
    return f"WITH {parts} {last}" if parts else last


def _run(
    sql: str, params: Sequence[Any] | Mapping[str, Any], *, fetch: bool
) -> tuple[int, list[tuple[Any, ...]]]:
    """Run one statement on the current connection, bound and prepared by the server: rows written, rows given.

    Straight on the driver's cursor, for a purchase runs eight of them; by way of Django's where somebody watches.
    """
    # The stubs know neither psycopg's cursors nor how Django wraps its own.
    own: Any = connections[DEFAULT_DB_ALIAS]
    if own.connection is None:
        own.ensure_connection()
    own.validate_thread_sharing()
    with own.wrap_database_errors:
        cursor: Any = _settled(own.connection)
        if own.execute_wrappers or own.queries_logged:
            cursor = own._prepare_cursor(cursor)
        else:
            own.validate_no_broken_transaction()
        cursor.execute(sql, params)
        return cursor.rowcount, cursor.fetchall() if fetch else []


def _settled(link: Any) -> psycopg.Cursor[Any]:
    """The one such cursor that each of the pool's connections keeps; it knows its types from the statements before."""
    kept: psycopg.Cursor[Any] | None = getattr(link, "kantis_cursor", None)
    if kept is None:
        link.prepare_threshold = 0
        kept = psycopg.Cursor(link)
        kept.execute("SET plan_cache_mode = force_generic_plan")
        link.kantis_cursor = kept
    return kept
