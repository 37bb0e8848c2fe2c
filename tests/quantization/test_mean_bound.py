"""The bound of a mean: at 0 and 1 that of Clopper and Pearson, and never too small, whatever the distribution."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from overproof.checks.stats import upper_bound
from overproof.quantization.mean_bound import lower_mean, upper_mean


@given(st.integers(1, 5000), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_where_nothing_is_there_it_is_clopper_and_pearsons(n: int, confidence: float) -> None:
    assert upper_mean(0.0, n, confidence) == pytest.approx(upper_bound(0, n, confidence), rel=1e-9)
    assert lower_mean(float(n), n, confidence) == pytest.approx(1 - upper_bound(0, n, confidence), rel=1e-9)


@given(st.integers(1, 2000), st.floats(0, 1), st.floats(0, 1))
def test_it_encloses_the_mean_grows_with_it_and_is_no_smaller_than_for_zeros_and_ones(
    n: int, one: float, other: float
) -> None:
    small, large = sorted((one * n, other * n))
    assert lower_mean(small, n) <= small / n <= upper_mean(small, n) + 1e-12
    assert upper_mean(small, n) <= upper_mean(large, n) + 1e-9
    whole = int(small)
    assert upper_mean(float(whole), n) >= upper_bound(whole, n) - 1e-9


@pytest.mark.parametrize("n", [1, 2, 7, 30, 100, 299, 300, 1000])
@pytest.mark.parametrize("rate", [0.001, 0.01, 0.02, 0.1, 0.5, 0.9])
def test_coverage_of_zeros_and_ones_by_enumeration(n: int, rate: float) -> None:
    probability = stats.binom.pmf(np.arange(n + 1), n, rate)
    above = sum(p for k, p in enumerate(probability) if p > 1e-12 and upper_mean(float(k), n) < rate)
    below = sum(p for k, p in enumerate(probability) if p > 1e-12 and lower_mean(float(k), n) > rate)
    assert above <= 0.05 + 1e-9 and below <= 0.05 + 1e-9


def few_large(random: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Most events at next to nothing, one in two hundred at a tenth to the whole: what rounding does."""
    return np.where(random.random(size) < 0.005, random.uniform(0.1, 1, size), 1e-4 * random.random(size))


def lognormal(random: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    return np.minimum(np.exp(random.normal(-8, 2.5, size)), 1)


def halves(random: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    return 0.5 * (random.random(size) < 0.02)


@pytest.mark.parametrize("drawn", [few_large, lognormal, halves])
@pytest.mark.parametrize("n", [20, 100, 300, 1000])
def test_coverage_of_skewed_distributions(drawn: object, n: int) -> None:
    random = np.random.default_rng(n)
    mean = float(drawn(random, (1, 2_000_000)).mean())  # type: ignore[operator]
    samples = drawn(random, (1000, n)).sum(axis=1)  # type: ignore[operator]
    missed = np.mean([upper_mean(float(total), n) < mean for total in samples])
    assert missed <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 1000)


@pytest.mark.parametrize(("total", "n"), [(-0.1, 3), (3.1, 3), (0.0, 0), (float("nan"), 3)])
def test_what_is_no_sum(total: float, n: int) -> None:
    with pytest.raises(ValueError, match="no sum"):
        upper_mean(total, n)
    with pytest.raises(ValueError, match="not between"):
        upper_mean(0.0, 1, 1.0)
