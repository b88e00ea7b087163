"""The statistics of a campaign's results: differences with intervals, p-values, the size needed. Pure; no database.

Shares are compared by intention to treat: everybody assigned counts on the side they were assigned to. Intervals of a
difference of shares are Newcombe's hybrid score intervals (Newcombe 1998, "Interval estimation for the difference
between independent proportions", method 10); p-values are of the pooled z test. Means of money are compared by Welch's
unequal variances. Levels are given as the confidence (0.95).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

LEVEL = 0.95
POWER = 0.8
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Share:
    """``hits`` of ``of`` members."""

    hits: int
    of: int

    def __post_init__(self) -> None:
        if not 0 <= self.hits <= self.of:
            raise ValueError(f"{self.hits} of {self.of} is no share.")

    @property
    def rate(self) -> float | None:
        return self.hits / self.of if self.of else None


@dataclass(frozen=True, slots=True)
class Sample:
    """What is known of one figure of each of ``n`` members: their sum and the sum of their squares."""

    n: int
    total: float
    squares: float

    def __add__(self, other: "Sample") -> "Sample":
        return Sample(self.n + other.n, self.total + other.total, self.squares + other.squares)

    @property
    def mean(self) -> float | None:
        return self.total / self.n if self.n else None

    @property
    def variance(self) -> float:
        """The sample's (n - 1)."""
        if self.n < 2:
            return 0.0
        return max(0.0, (self.squares - self.total**2 / self.n) / (self.n - 1))


@dataclass(frozen=True, slots=True)
class Interval:
    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def times(self, factor: float) -> "Interval":
        return Interval(self.low * factor, self.high * factor)


@dataclass(frozen=True, slots=True)
class Difference:
    """The first less the second. ``z`` and ``p`` are None where nothing varies, so that nothing can be tested."""

    value: float
    interval: Interval
    z: float | None
    p: float | None

    @property
    def is_clear(self) -> bool:
        """Whether chance alone would rarely show as much."""
        return self.p is not None and self.p < 1 - LEVEL


def difference_of_shares(first: Share, second: Share, *, level: float = LEVEL) -> Difference | None:
    """The difference of two shares; None where one side is empty."""
    one, other = first.rate, second.rate
    if one is None or other is None:
        return None
    z = pooled_z(first, second)
    return Difference(
        value=one - other,
        interval=newcombe(first, second, level=level),
        z=z,
        p=None if z is None else two_sided(z),
    )


def newcombe(first: Share, second: Share, *, level: float = LEVEL) -> Interval:
    """The hybrid score interval of the difference of two shares. Raises ZeroDivisionError for an empty side."""
    one, other = first.hits / first.of, second.hits / second.of
    low_1, high_1 = _wilson(first, level)
    low_2, high_2 = _wilson(second, level)
    difference = one - other
    return Interval(
        difference - math.hypot(one - low_1, high_2 - other),
        difference + math.hypot(high_1 - one, other - low_2),
    )


def wilson(share: Share, *, level: float = LEVEL) -> Interval | None:
    """The score interval of one share; None for an empty one."""
    return Interval(*_wilson(share, level)) if share.of else None


def _wilson(share: Share, level: float) -> tuple[float, float]:
    z = _NORMAL.inv_cdf((1 + level) / 2)
    n, p = share.of, share.hits / share.of
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def pooled_z(first: Share, second: Share) -> float | None:
    """The z of the test that two shares are one; None where a side is empty or all or none are hits."""
    if not first.of or not second.of:
        return None
    pooled = (first.hits + second.hits) / (first.of + second.of)
    error = math.sqrt(pooled * (1 - pooled) * (1 / first.of + 1 / second.of))
    return (first.hits / first.of - second.hits / second.of) / error if error else None


def two_sided(z: float) -> float:
    """The p-value of a normal z, both ways."""
    return math.erfc(abs(z) / math.sqrt(2))


def difference_of_means(first: Sample, second: Sample, *, level: float = LEVEL) -> Difference | None:
    """Welch's comparison of two means; None where a side has fewer than two members."""
    if first.n < 2 or second.n < 2:
        return None
    from scipy.special import stdtr, stdtrit

    spread_1, spread_2 = first.variance / first.n, second.variance / second.n
    value = first.total / first.n - second.total / second.n
    error = math.sqrt(spread_1 + spread_2)
    if not error:
        return Difference(value, Interval(value, value), None, None)
    freedom = (spread_1 + spread_2) ** 2 / (spread_1**2 / (first.n - 1) + spread_2**2 / (second.n - 1))
    half = float(stdtrit(freedom, (1 + level) / 2)) * error
    t = value / error
    return Difference(value, Interval(value - half, value + half), t, float(2 * stdtr(freedom, -abs(t))))


def sample_ratio(counts: Sequence[int], weights: Sequence[float]) -> float | None:
    """The p-value of the chi-square test that members fell among the sides as the weights say.

    None where fewer than two sides have a weight. A very small value (below 0.001) means that something other than
    chance divided them, and that the comparison is not to be trusted. A side of weight 0 must be empty: 0.0 if not.
    """
    sides = [(count, weight) for count, weight in zip(counts, weights, strict=True) if weight > 0]
    if any(count for count, weight in zip(counts, weights, strict=True) if weight <= 0):
        return 0.0
    total, whole = sum(count for count, _weight in sides), sum(weight for _count, weight in sides)
    if len(sides) < 2 or not total:
        return None
    from scipy.special import chdtrc

    expected = [total * weight / whole for _count, weight in sides]
    chi = sum(
        (count - wanted) ** 2 / wanted for (count, _weight), wanted in zip(sides, expected, strict=True)
    )
    return float(chdtrc(len(sides) - 1, chi))


def size_needed(
    *, base: float, lift: float, held_out: float, level: float = LEVEL, power: float = POWER
) -> int | None:
    """How many members both sides take together to see a lift of ``lift`` over a rate of ``base``.

    ``base`` and ``lift`` are shares (0.05 and 0.01), ``held_out`` the share of members on the second side (0.05). None
    where it can never be seen: no lift, nobody on one side, or a rate above one. The usual normal approximation of two
    independent shares (Fleiss, Levin and Paik 2003, chapter 4, without correction of continuity).
    """
    other = base + lift
    if not lift or not 0 < held_out < 1 or not 0 <= base <= 1 or not 0 <= other <= 1:
        return None
    pooled = base * held_out + other * (1 - held_out)
    under_none = math.sqrt(pooled * (1 - pooled) * (1 / held_out + 1 / (1 - held_out)))
    under_lift = math.sqrt(base * (1 - base) / held_out + other * (1 - other) / (1 - held_out))
    reach = _NORMAL.inv_cdf((1 + level) / 2) * under_none + _NORMAL.inv_cdf(power) * under_lift
    return math.ceil((reach / lift) ** 2)


def size_needed_for_means(
    *, variance: float, lift: float, held_out: float, level: float = LEVEL, power: float = POWER
) -> int | None:
    """The same for a lift of a mean (money a member): ``variance`` is that of single members on either side."""
    if not lift or not variance or not 0 < held_out < 1:
        return None
    reach = _NORMAL.inv_cdf((1 + level) / 2) + _NORMAL.inv_cdf(power)
    return math.ceil(reach**2 * variance * (1 / held_out + 1 / (1 - held_out)) / lift**2)
