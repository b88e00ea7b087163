"""Statements that every request runs, prepared by the server once for each connection.

Planning the few large statements of the main way costs the database as much as running them; prepared, that is paid
once. Only for fixed SQL: a text that varies would fill the connection with plans.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection
from django.db.backends.utils import CursorWrapper


@contextmanager
def prepared_cursor() -> Iterator[CursorWrapper]:
    """A cursor of the current connection whose statements are bound and prepared by the server."""
    connection.ensure_connection()
    own: Any = connection  # the stubs know neither psycopg's cursors nor how Django wraps its own
    with connection.wrap_database_errors:
        raw = psycopg.Cursor(own.connection)
    own.connection.prepare_threshold = 0
    with own._prepare_cursor(raw) as cursor:
        yield cursor


def fetch_prepared(sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Run one fixed statement and give its rows."""
    with prepared_cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())
