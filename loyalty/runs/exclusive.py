"""One run of a name at a time: two beats, or a task delivered five times, must not make five runs of one night."""

import contextlib
from collections.abc import Iterator

from django.db import InterfaceError, OperationalError, connection


@contextlib.contextmanager
def exclusively(name: str) -> Iterator[bool]:
    """Hold the name for the block; yields False, at once, when somebody else holds it.

    A session lock of PostgreSQL: it goes with the connection, so a killed process never leaves it behind. It only
    saves double work. What makes a repeated run harmless is the work's own claim, not this lock.
    """
    key = f"kantis.run.{name}"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [key])
        held = bool(cursor.fetchone()[0])
    try:
        yield held
    finally:
        if held:
            with contextlib.suppress(InterfaceError, OperationalError), connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [key])
