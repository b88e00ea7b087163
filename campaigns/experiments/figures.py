"""The figures of a campaign's result as values that can be kept as JSON and read back. No database."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from campaigns.experiments.statistics import Difference, Interval

VERSION = 2
"""Raise it when a definition in ``results`` changes."""


class Verdict(StrEnum):
    """What can be said of the lift, plainly."""

    NOBODY = "nobody"
    NO_HOLD_OUT = "no_hold_out"
    MISTRUST = "mistrust"
    NOT_ENOUGH = "not_enough"
    GAIN = "gain"
    LOSS = "loss"
    NO_DIFFERENCE = "no_difference"


@dataclass(frozen=True, slots=True)
class Side:
    """Members on one side: ``reached`` were really sent a message. Money in the base currency."""

    code: str
    name: str
    members: int
    reached: int
    opened: int
    clicked: int
    conversions: int
    rate: float | None
    rate_interval: Interval | None
    revenue: float
    revenue_each: float | None
    cost: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """One side beside the held-out members. ``incremental`` figures are of the whole side, margin before cost.

    ``needed`` is how many members, on both sides together, a difference like the one to be expected takes.
    """

    code: str
    rate: Difference | None
    revenue_each: Difference | None
    incremental: float | None
    incremental_interval: Interval | None
    revenue: float | None
    revenue_interval: Interval | None
    margin: float | None
    cost: float
    profit: float | None
    roi: float | None
    needed: int | None


@dataclass(frozen=True, slots=True)
class Figures:
    """A whole result. ``variants`` and ``against_held_out`` are in the order of the variants' codes.

    ``variants_p`` compares the two best variants with each other; ``sample_ratio_p`` is the check that members fell
    among the sides as they should. ``of_trial_only``: the variants' figures are those of members they were tried on
    before one won. ``open_windows`` counts members whose window of the goal is not over yet.
    """

    computed_at: dt.datetime
    goal: str
    goal_days: int
    verdict: Verdict
    treated: Side
    held_out: Side
    variants: tuple[Side, ...]
    lift: Comparison
    against_held_out: tuple[Comparison, ...]
    variants_p: float | None
    sample_ratio_p: float | None
    open_windows: int
    not_in_experiment: int
    is_final: bool
    of_trial_only: bool = False

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "computed_at": self.computed_at.isoformat(), "verdict": self.verdict.value}


def read(kept: Mapping[str, Any]) -> Figures:
    """The figures of this version as they were kept; raises KeyError or TypeError for those of another."""
    facts = dict(kept)
    return Figures(
        **{
            **facts,
            "computed_at": dt.datetime.fromisoformat(facts["computed_at"]),
            "verdict": Verdict(facts["verdict"]),
            "treated": _side(facts["treated"]),
            "held_out": _side(facts["held_out"]),
            "variants": tuple(_side(each) for each in facts["variants"]),
            "lift": _comparison(facts["lift"]),
            "against_held_out": tuple(_comparison(each) for each in facts["against_held_out"]),
        }
    )


def _side(facts: Mapping[str, Any]) -> Side:
    return Side(**{**facts, "rate_interval": _interval(facts["rate_interval"])})


def _comparison(facts: Mapping[str, Any]) -> Comparison:
    parts = {
        "rate": _difference(facts["rate"]),
        "revenue_each": _difference(facts["revenue_each"]),
        "incremental_interval": _interval(facts["incremental_interval"]),
        "revenue_interval": _interval(facts["revenue_interval"]),
    }
    return Comparison(**{**facts, **parts})


def _difference(facts: Mapping[str, Any] | None) -> Difference | None:
    return Difference(**{**facts, "interval": Interval(**facts["interval"])}) if facts else None


def _interval(facts: Mapping[str, Any] | None) -> Interval | None:
    return Interval(**facts) if facts else None
