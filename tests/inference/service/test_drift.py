"""The population stability index of recent scores against validation events'."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import entropy

from overproof.bundle.scores import softmax
from overproof.inference.cascade.signals import SHARES, signals
from overproof.inference.service.drift import LEAST, WINDOW, Bins, Drift


def logits(count: int, seed: int, scale: float = 3.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, scale, (count, 4)).astype(np.float32)


def spread(logits: np.ndarray) -> np.ndarray:
    return np.abs(logits).sum(axis=1)


def drifted(before: np.ndarray, after: np.ndarray) -> dict[str, float]:
    drift = Drift(signals(before, 1.0, spread(before)))
    drift.add(confidence=softmax(after).max(axis=1), ood_distance=spread(after))
    return drift.measured()


def test_the_same_population_has_none_and_another_has_much() -> None:
    same = drifted(logits(20_000, 0), logits(4000, 1))
    other = drifted(logits(20_000, 0), logits(4000, 1, scale=1.0))
    assert set(same) == set(other) == {"confidence", "ood_distance"}
    assert max(same.values()) < 0.02
    assert min(other.values()) > 0.25


@pytest.mark.parametrize("below", [True, False])
def test_it_is_the_symmetric_divergence_of_the_bins(below: bool) -> None:
    sign = 1 if below else -1
    bins = Bins({"0.1": sign * 1.0, "0.25": sign * 2.0, "0.05": None, "0.5": sign * 3.0}, below=below)
    np.testing.assert_allclose(bins.expected, [0.1, 0.15, 0.25, 0.5])
    counts = [300, 10, 0, 690]
    bins.add(np.repeat([sign * v for v in (0.5, 1.5, 2.5, 9.0)], counts))
    actual = (np.array(counts) + 0.5) / (sum(counts) + 2)
    assert bins.psi() == pytest.approx(entropy(actual, bins.expected) + entropy(bins.expected, actual))


def test_thresholds_that_are_the_same_are_one_bin() -> None:
    bins = Bins({"0.1": 0.5, "0.25": 1.0, "0.5": 1.0}, below=True)
    np.testing.assert_allclose(bins.expected, [0.1, 0.15, 0.75])
    bins.add(np.repeat([0.2, 0.7, 1.0], [100, 150, 750]))
    assert bins.psi() == pytest.approx(0, abs=1e-4)


def test_few_events_are_unmeasured_not_stable() -> None:
    drift = Drift(signals(logits(2000, 0), 1.0, spread(logits(2000, 0))))
    for _ in range(LEAST - 1):
        drift.add(confidence=[0.5], ood_distance=[0.0])
    assert drift.measured() == {}
    assert drift.unmeasured() == f"fewer than {LEAST} events were judged"
    drift.add(confidence=[0.5], ood_distance=[0.0])
    assert drift.measured() and drift.unmeasured() is None


def test_a_bundle_without_thresholds_says_so() -> None:
    drift = Drift(None)
    drift.add(confidence=[0.5] * 1000, ood_distance=[0.0] * 1000)
    assert drift.measured() == {}
    assert "made by an older version" in str(drift.unmeasured())
    unmeasured = Drift({name: {f"{share:g}": None for share in SHARES} for name in ("confidence", "ood_distance")})
    unmeasured.add(confidence=[0.5] * 1000, ood_distance=[0.0] * 1000)
    assert unmeasured.measured() == {}


def test_old_events_are_forgotten() -> None:
    bins = Bins({"0.5": 1.0}, below=True)
    bins.add(np.zeros(WINDOW))
    assert bins.psi() > 1
    bins.add(np.repeat([0.0, 2.0], WINDOW // 2))
    assert bins.psi() == pytest.approx(0, abs=1e-6)


def test_what_is_no_number_is_not_counted() -> None:
    bins = Bins({"0.5": 0.5}, below=True)
    bins.add([0.25] * 300 + [float("nan"), float("inf")] * 200 + [0.75] * 299)
    assert bins.psi() == pytest.approx(0.0, abs=1e-4)
