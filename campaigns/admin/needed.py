"""How large a campaign has to be for a difference to show: a small table for the form and the results."""

from dataclasses import dataclass
from decimal import Decimal

from campaigns.experiments.statistics import size_needed

CASES = ((0.02, 0.005), (0.05, 0.01), (0.10, 0.02), (0.20, 0.04))
"""What members do without the campaign, and how much the campaign adds: shares."""


@dataclass(frozen=True, slots=True)
class Needed:
    """Percent without and with the campaign, and the members that it takes to see the difference."""

    base: float
    lifted: float
    members: int


def size_table(held_out_percent: Decimal) -> list[Needed]:
    """A row for each case; none where nobody is held out, for then no difference can be seen."""
    found = []
    for base, lift in CASES:
        members = size_needed(base=base, lift=lift, held_out=float(held_out_percent) / 100)
        if members is not None:
            found.append(Needed(round(base * 100, 1), round((base + lift) * 100, 1), members))
    return found
