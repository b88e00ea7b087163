"""The kinds of activity that partners may send, remembered by each process for a few seconds."""

import time
from collections.abc import Mapping

from members.models import ActivityKind

_KEPT_SECONDS = 5.0
_kept: tuple[float, Mapping[str, int | None]] | None = None


def active_kinds() -> frozenset[str]:
    """Codes of the kinds in use, at most five seconds old."""
    return frozenset(_kinds())


def daily_limits() -> Mapping[str, int]:
    """How many activities of a kind can earn points on one of a member's days, for the kinds that have a limit."""
    return {code: limit for code, limit in _kinds().items() if limit is not None}


def _kinds() -> Mapping[str, int | None]:
    global _kept
    if _kept is None or time.monotonic() - _kept[0] > _KEPT_SECONDS:
        kinds = ActivityKind.objects.filter(is_active=True).values_list("code", "rewarded_per_day")
        _kept = (time.monotonic(), dict(kinds))
    return _kept[1]


def forget() -> None:
    """Drop the remembered kinds (after an edit, and between tests)."""
    global _kept
    _kept = None
