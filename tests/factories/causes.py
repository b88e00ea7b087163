"""Causes to give points to."""

import itertools
from decimal import Decimal
from typing import Any

from rewards.models import Cause

_numbers = itertools.count(1)


def cause(**facts: Any) -> Cause:
    """An open cause for which a point is half a cent, unless said otherwise; ``facts`` are its columns."""
    given: dict[str, Any] = {
        "code": f"cause-{next(_numbers)}",
        "names": {"en": "Clean Baltic Sea"},
        "thanks": {"en": "The sea thanks you."},
        "recipient": "Baltic Sea Action Group",
        "point_value": Decimal("0.0050"),
        "least_points": 10,
    }
    return Cause.objects.create(**given | facts)
