"""The statistics of results: check values of the literature, properties, and a simulation with a known effect."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from campaigns.experiments.assignment import share_of
from campaigns.experiments.statistics import (
    Difference,
    Sample,
    Share,
    difference_of_means,
    difference_of_shares,
    newcombe,
    sample_ratio,
    size_needed,
    wilson,
)

MEMBERS, RUNS, BASE, LIFT, HELD_OUT = 10_000, 500, 0.05, 0.01, 0.2


def test_the_lift_of_the_worked_example() -> None:
    found = difference_of_shares(Share(600, 10_000), Share(100, 2_000))
    assert found is not None
    assert found.z is not None
    assert found.p is not None
    assert found.value == pytest.approx(0.01)
    assert round(found.z, 3) == 1.742
    assert round(found.p, 4) == 0.0815
    assert not found.is_clear


def test_newcombes_own_example() -> None:
    interval = newcombe(Share(56, 70), Share(48, 80))
    assert (round(interval.low, 4), round(interval.high, 4)) == (0.0524, 0.3339)


def test_an_empty_side_has_no_difference() -> None:
    assert difference_of_shares(Share(0, 0), Share(1, 2)) is None
    assert difference_of_shares(Share(1, 2), Share(0, 0)) is None
    assert wilson(Share(0, 0)) is None


def test_where_nothing_varies_nothing_is_tested() -> None:
    found = difference_of_shares(Share(0, 50), Share(0, 60))
    assert found is not None
    assert (found.value, found.z, found.p) == (0, None, None)
    assert not found.is_clear


def test_a_share_of_more_than_all_is_refused() -> None:
    with pytest.raises(ValueError, match="3 of 2"):
        Share(3, 2)


shares = st.integers(1, 5_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(shares, shares)
def test_an_interval_holds_the_difference_and_turns_round_with_it(
    one: tuple[int, int], other: tuple[int, int]
) -> None:
    first, second = Share(*one), Share(*other)
    there, back = newcombe(first, second), newcombe(second, first)
    assert -1 <= there.low <= first.hits / first.of - second.hits / second.of + 1e-12
    assert there.high <= 1
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low), abs=1e-9)


@given(
    st.lists(st.floats(0, 500), min_size=2, max_size=30), st.lists(st.floats(0, 500), min_size=2, max_size=30)
)
def test_means_are_compared_as_scipy_compares_them(one: list[float], other: list[float]) -> None:
    found = difference_of_means(_sample(one), _sample(other))
    assert found is not None
    assert found.value == pytest.approx(np.mean(one) - np.mean(other), abs=1e-6)
    if min(np.var(one), np.var(other)) > 1e-3:
        wanted = stats.ttest_ind(one, other, equal_var=False)
        interval = wanted.confidence_interval(0.95)
        assert found.p == pytest.approx(wanted.pvalue, abs=1e-6)
        assert found.interval.low == pytest.approx(interval.low, rel=1e-5, abs=1e-5)
        assert found.interval.high == pytest.approx(interval.high, rel=1e-5, abs=1e-5)


def test_one_member_a_side_has_no_mean_to_compare() -> None:
    assert difference_of_means(_sample([1.0]), _sample([1.0, 2.0])) is None


def test_a_ratio_that_chance_explains_and_one_that_it_does_not() -> None:
    assert sample_ratio([9_480, 520], [95, 5]) == pytest.approx(
        stats.chisquare([9_480, 520], [9_500, 500]).pvalue
    )
    fair = sample_ratio([9_480, 520], [95, 5])
    assert fair is not None
    assert fair > 0.3
    skewed = sample_ratio([9_000, 1_000], [95, 5])
    assert skewed is not None
    assert skewed < 1e-6
    assert sample_ratio([10], [100]) is None
    assert sample_ratio([0, 0], [95, 5]) is None
    assert sample_ratio([10, 1], [100, 0]) == 0.0


def test_the_size_needed_finds_the_lift_as_often_as_it_promises() -> None:
    size = size_needed(base=BASE, lift=LIFT, held_out=0.5)
    assert size == pytest.approx(16_300, abs=50)  # 8,155 a side in the usual tables
    random = np.random.default_rng(1)
    hits = random.binomial(size // 2, [BASE + LIFT, BASE], size=(2_000, 2))
    found = [_difference(treated, held, size // 2, size // 2).is_clear for treated, held in hits]
    assert 0.77 <= np.mean(found) <= 0.83


def test_a_lift_that_cannot_be_seen_needs_no_size() -> None:
    assert size_needed(base=0.05, lift=0, held_out=0.5) is None
    assert size_needed(base=0.05, lift=0.01, held_out=0) is None
    assert size_needed(base=0.99, lift=0.02, held_out=0.5) is None


@pytest.mark.slow
def test_a_known_lift_lies_in_the_interval_as_often_as_it_says() -> None:
    inside = [LIFT in found.interval for found in _simulated(seed=7, treated=BASE + LIFT)]
    assert len(inside) == RUNS
    assert 0.93 <= np.mean(inside) <= 0.97


@pytest.mark.slow
def test_no_lift_is_rarely_taken_for_one() -> None:
    clear = [found.is_clear for found in _simulated(seed=8, treated=BASE)]
    assert 0.03 <= np.mean(clear) <= 0.07


def _simulated(*, seed: int, treated: float) -> Iterator[Difference]:
    """The result of each of 500 campaigns to 10,000 members, assigned by the campaigns' own hash."""
    random = np.random.default_rng(seed)
    for number in range(RUNS):
        sides = np.fromiter(
            (share_of(f"{seed}-{number}:hold-out", member) for member in range(MEMBERS)), float, MEMBERS
        )
        held = sides < HELD_OUT
        bought = random.random(MEMBERS) < np.where(held, BASE, treated)
        yield _difference(
            int(bought[~held].sum()), int(bought[held].sum()), int((~held).sum()), int(held.sum())
        )


def _difference(treated: int, held: int, of_treated: int, of_held: int) -> Difference:
    found = difference_of_shares(Share(int(treated), of_treated), Share(int(held), of_held))
    assert found is not None
    return found


def _sample(values: list[float]) -> Sample:
    return Sample(len(values), sum(values), sum(value * value for value in values))
