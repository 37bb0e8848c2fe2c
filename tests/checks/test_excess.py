"""The test by which gates fail: it keeps its size, and its lower limit is its inverse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from overproof.checks.non_inferiority import Counts, counted, excess_p, least_loss
from overproof.checks.stats import Units

LIMIT = 0.05


@st.composite
def pairs(draw: st.DrawFn) -> Counts:
    """Any counts."""
    n = draw(st.integers(1, 500))
    b = draw(st.integers(0, n))
    return Counts(n, b, draw(st.integers(0, n - b)))


@given(pairs(), st.floats(0.9, 0.99999), st.floats(0, 1))
def test_the_lower_limit_is_where_the_test_turns(counts: Counts, confidence: float, limit: float) -> None:
    low = least_loss(counts, confidence)
    assert 0 <= low <= max(0, (counts.b - counts.c) / counts.n)
    if abs(low - limit) > 1e-6:
        assert (low > limit) == (excess_p(counts, limit) < 1 - confidence)


@pytest.mark.parametrize("alpha", [0.05, 0.025 / 14, 0.05 / 300])
@pytest.mark.parametrize("gain", [0.0, 0.005, 0.02])
def test_it_errs_about_as_often_as_it_says(alpha: float, gain: float) -> None:
    """By the exact distribution of b and c where the limit is just lost, at any size of slice."""
    for n in (20, 50, 100, 300):
        errs = 0.0
        for c in range(n + 1 if gain else 1):
            weight = binom.pmf(c, n, gain)
            if weight < 1e-9:
                break
            least = next((b for b in range(n - c + 1) if excess_p(Counts(n, b, c), LIMIT) <= alpha), n + 1)
            errs += weight * binom.sf(least - 1, n - c, (LIMIT + gain) / (1 - gain))
        assert errs < 1.5 * alpha, n


def test_one_lost_event_shows_nothing_and_a_lost_family_of_15_does() -> None:
    assert excess_p(Counts(1, 1, 0), LIMIT) > 0.1
    assert excess_p(Counts(15, 15, 0), LIMIT) < 0.001


def test_events_of_a_cluster_count_as_one_where_they_are_alike() -> None:
    lost = np.array([1] * 6 + [0] * 54)
    assert counted(lost, Units(60)) == (Counts(60, 6, 0),)
    assert counted(lost, Units.of(60, range(60))) == (Counts(60, 6, 0),) * 2
    plain, sixes = counted(lost, Units.of(60, np.arange(60) // 6))
    assert plain == Counts(60, 6, 0) and sixes.b <= 1 and sixes.n <= 12
    assert counted(lost, Units.of(60, [0] * 60))[1] == Counts(1, 0, 0)
    assert counted(np.ones(60, dtype=int), Units.of(60, np.arange(60) // 5))[1] == Counts(12, 12, 0)


def test_clusters_of_unlike_events_cost_nothing() -> None:
    random = np.random.default_rng(0)
    lost = (random.random(3000) < 0.2).astype(int)
    found = counted(lost, Units.of(3000, random.integers(0, 300, 3000)))[1]
    assert found.n > 2400 and found.b / found.n == pytest.approx(lost.mean(), rel=0.05)
