"""The programme's settings row, remembered by each process for a few seconds."""

import time

from django.db import connection

from loyalty.models import Programme

_KEPT_SECONDS = 5.0
_kept: tuple[float, Programme] | None = None


def current() -> Programme:
    """The programme's settings; at most five seconds old, created with the defaults when missing."""
    global _kept
    if _kept is None or time.monotonic() - _kept[0] > _KEPT_SECONDS:
        programme, _created = Programme.objects.get_or_create(pk=1)
        _kept = (time.monotonic(), programme)
    return _kept[1]


def terms_revised() -> None:
    """Give the terms a new version, so that every process reads them again. Call in the transaction of the revision.

    Versions come from a sequence, which no rollback turns back: what a process remembers of a revision that was undone
    can never be taken for another.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE loyalty_programme SET terms_version = nextval('loyalty_terms_version') WHERE id = 1"
        )


def forget() -> None:
    """Drop the remembered row (after an edit, and between tests)."""
    global _kept
    _kept = None
