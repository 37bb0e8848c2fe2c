"""Measure how far two samples lie apart: numbers by Kolmogorov-Smirnov, categories by total variation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overproof.checks.interval_width import DRAWS, conservative
from overproof.checks.stats import Interval, Resampling, bootstrap

LEAST = 50  # events on either side; below, chance alone puts two samples of one kind 0.2 apart
TESTED = 20  # categories of the chi-square test; the rest are pooled, so that its counts are not too small

Codes = NDArray[np.intp]


def distance(codes: Codes, side: Codes, numeric: bool) -> float:
    """Measure how far two samples lie apart, between 0 and 1.

    Kolmogorov-Smirnov's D for numbers: the largest difference of the shares at or below a value. Total variation for
    categories: half the sum of the differences of the shares, which is what must be moved to make them equal. Both are
    biased upwards: two samples of n and m of one kind lie about 0.87 · sqrt(1 / n + 1 / m) apart by D, and further
    by total variation the more categories there are.

    Parameters
    ----------
    codes
        Rank of each value among the distinct ones of both samples, shape (n + m,).
    side
        0 or 1: which sample it is of, shape (n + m,).
    """
    kinds = int(codes.max()) + 1
    counts = np.bincount(side * kinds + codes, minlength=2 * kinds).reshape(2, kinds)
    apart = np.diff(counts / counts.sum(axis=1, keepdims=True), axis=0)[0]
    return float(np.abs(np.cumsum(apart)).max() if numeric else np.abs(apart).sum() / 2)


def distance_within(
    first: NDArray[Any], second: NDArray[Any], numeric: bool, clusters: Sequence[object] | None, seed: int
) -> Interval:
    """Measure `distance` with its interval, both samples drawn again, in whole clusters where there are some.

    Parameters
    ----------
    clusters
        Of the first sample's values, then of the second's, shape (n + m,).
    """
    codes, side = _pooled(first, second)
    found = bootstrap(lambda rows: distance(codes[rows], side[rows], numeric), Resampling(side, clusters, DRAWS, seed))
    return conservative(found, 0.0)


def ks(first: NDArray[Any], second: NDArray[Any]) -> tuple[float, float]:
    """Return the Kolmogorov-Smirnov distance of two samples of numbers and its p-value, which ties make too large."""
    from scipy.stats import ks_2samp

    return distance(*_pooled(first, second), numeric=True), float(ks_2samp(first, second, method="asymp").pvalue)


def total_variation(first: NDArray[Any], second: NDArray[Any]) -> tuple[float, float]:
    """Return the total variation of two samples of categories, and the p-value of the chi-square test."""
    codes, side = _pooled(first, second)
    return distance(codes, side, numeric=False), _chi_square(codes, side)


def _pooled(first: NDArray[Any], second: NDArray[Any]) -> tuple[Codes, Codes]:
    codes = np.unique(np.concatenate([first, second]), return_inverse=True)[1]
    return codes.astype(np.intp), np.repeat(np.arange(2), [len(first), len(second)])


def _chi_square(codes: Codes, side: Codes) -> float:
    """Return the p-value of the chi-square test that both sides are of one mix; all but the commonest are pooled."""
    from scipy.stats import chi2_contingency

    counts = np.array([np.bincount(codes[side == i], minlength=int(codes.max()) + 1) for i in (0, 1)])
    order = np.argsort(-counts.sum(axis=0), kind="stable")
    tested = np.column_stack([counts[:, order[:TESTED]], counts[:, order[TESTED:]].sum(axis=1)])
    tested = tested[:, tested.sum(axis=0) > 0]
    return float(chi2_contingency(tested, correction=False)[1]) if tested.shape[1] > 1 else 1.0
