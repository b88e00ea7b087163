"""Statements that every request runs, prepared by the server once for each connection.

Planning the few large statements of the main way costs the database as much as running them; prepared, that is paid
once. Only for fixed SQL: a text that varies would fill the connection with plans.
"""

from collections.abc import Sequence
from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.utils import CursorWrapper


def fetch_prepared(sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Run one fixed statement and give its rows."""
    cursor = _cursor()
    cursor.execute(sql, params)
    return list(cursor.fetchall())


def run_prepared(sql: str, params: Sequence[Any]) -> int:
    """Run one fixed statement that gives no rows; the number of those that it wrote."""
    cursor = _cursor()
    cursor.execute(sql, params)
    return int(cursor.rowcount)


def _cursor() -> CursorWrapper:
    """A cursor of the current connection whose statements are bound and prepared by the server."""
    own: Any = connections[
        DEFAULT_DB_ALIAS
    ]  # the stubs know neither psycopg's cursors nor how Django wraps its own
    own.ensure_connection()
    with own.wrap_database_errors:
        raw = psycopg.Cursor(own.connection)
    own.connection.prepare_threshold = 0
    wrapped: CursorWrapper = own._prepare_cursor(raw)
    return wrapped
