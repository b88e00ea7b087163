"""The kinds of activity that partners may send, remembered by each process for a few seconds."""

import time

from members.models import ActivityKind

_KEPT_SECONDS = 5.0
_kept: tuple[float, frozenset[str]] | None = None


def active_kinds() -> frozenset[str]:
    """Codes of the kinds in use, at most five seconds old."""
    global _kept
    if _kept is None or time.monotonic() - _kept[0] > _KEPT_SECONDS:
        codes = ActivityKind.objects.filter(is_active=True).values_list("code", flat=True)
        _kept = (time.monotonic(), frozenset(codes))
    return _kept[1]


def forget() -> None:
    """Drop the remembered kinds (after an edit, and between tests)."""
    global _kept
    _kept = None
