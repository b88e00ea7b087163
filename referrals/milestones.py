"""Milestones: what the third or tenth friend brings besides. Pure; ``granting`` gives them.

In the terms they stand as a list of {"friends": 3, "points": 500, "voucher": id of a family of vouchers or null}.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from referrals.models import ProgrammeTerms


@dataclass(frozen=True, slots=True, order=True)
class Milestone:
    """So many friends rewarded bring points, a voucher of a family, or both."""

    friends: int
    points: int = 0
    voucher_family_id: int | None = None

    def stored(self) -> dict[str, int | None]:
        """As it stands in the terms."""
        return {"friends": self.friends, "points": self.points, "voucher": self.voucher_family_id}


def read(stored: Iterable[Mapping[str, Any]]) -> tuple[Milestone, ...]:
    """The milestones of a stored list, by friends. Raises ValueError for what is none."""
    try:
        found = [
            Milestone(int(each["friends"]), int(each.get("points") or 0), _id(each.get("voucher")))
            for each in stored
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("Each milestone is an object with “friends”, “points” and “voucher”.") from error
    return tuple(sorted(found, key=lambda each: each.friends))


def _id(value: Any) -> int | None:
    return None if value in (None, "") else int(value)


def of(terms: ProgrammeTerms) -> tuple[Milestone, ...]:
    """The milestones of a programme's terms, by friends."""
    return read(terms.milestones)


def reached(terms: ProgrammeTerms, *, friends: int) -> tuple[Milestone, ...]:
    """Those that so many friends have reached."""
    return tuple(each for each in of(terms) if each.friends <= friends)
