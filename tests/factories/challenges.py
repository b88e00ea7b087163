"""Challenges as staff make them, open from the first day of June 2026."""

import datetime as dt
import itertools
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from members.models import Tier
from rewards.challenges import opening
from rewards.models import Badge, Challenge, ChallengeStep
from tests.factories.members import NOON

_numbers = itertools.count(1)
JUNE = dt.datetime(2026, 5, 31, 21, tzinfo=dt.UTC)
"""The first of June, midnight in Helsinki."""
JULY = dt.datetime(2026, 6, 30, 21, tzinfo=dt.UTC)


def badge(code: str = "", *, levels: int = 3, name: str = "Explorer") -> Badge:
    """A badge with levels."""
    return Badge.objects.create(code=code or f"badge-{next(_numbers)}", names={"en": name}, levels=levels)


def challenge(
    *, steps: Sequence[int | str | dict[str, Any]] = (3,), is_open: bool = True, **facts: Any
) -> Challenge:
    """A challenge that everybody takes part in, over June; ``steps`` are targets, or columns of steps."""
    terms: dict[str, Any] = {
        "code": f"challenge-{next(_numbers)}",
        "names": {"en": "June"},
        "measure": Challenge.Measure.COUNT,
        "by_choice": False,
        "starts_at": JUNE,
        "ends_at": JULY,
    } | facts
    if isinstance(terms.get("minimum_tier"), str):
        terms["minimum_tier"] = Tier.objects.get(code=terms["minimum_tier"])
    made = Challenge.objects.create(**terms)
    for step in steps:
        columns = step if isinstance(step, dict) else {"target": step}
        columns = {"points": 100} | columns | {"target": Decimal(columns["target"])}
        ChallengeStep.objects.create(challenge=made, **columns)
    if is_open:
        opening.open_challenge(challenge_id=made.pk, at=NOON)
        made.refresh_from_db()
    return made
