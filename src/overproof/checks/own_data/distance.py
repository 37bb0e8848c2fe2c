"""Measure how far two samples lie apart: numbers by Kolmogorov-Smirnov, categories by total variation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from overproof.checks.interval_width import DRAWS, conservative
from overproof.checks.stats import Interval, Resampling, bootstrap
from overproof.checks.stats.resampling import Labels

LEAST = 50  # events on either side; below, chance alone puts two samples of one kind 0.2 apart
TESTED = 20  # categories of the chi-square test; the rest are pooled, so that its counts are not too small

Codes = NDArray[np.intp]
Counts = tuple[int, int]


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
    first: NDArray[Any], second: NDArray[Any], numeric: bool, clusters: Labels | None, seed: int
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


def ks(first: NDArray[Any], second: NDArray[Any], independent: Counts | None = None) -> tuple[float, float]:
    """Return the Kolmogorov-Smirnov distance of two samples of numbers and its p-value, which ties make too large.

    Parameters
    ----------
    independent
        How many of either sample's values are independent: the p-value is that of so many. None for all.
    """
    from scipy.stats import kstwo

    n, m = independent or (len(first), len(second))
    apart = distance(*_pooled(first, second), numeric=True)
    return apart, float(np.clip(kstwo.sf(apart, max(1, round(n * m / (n + m)))), 0, 1))


def total_variation(
    first: NDArray[Any], second: NDArray[Any], independent: Counts | None = None
) -> tuple[float, float]:
    """Return the total variation of two samples of categories, and the p-value of the chi-square test.

    Its counts are scaled to the `independent` values of either sample, if not all are (Rao & Scott 1981, first order).
    """
    codes, side = _pooled(first, second)
    sizes = len(first), len(second)
    return distance(codes, side, numeric=False), _chi_square(codes, side, np.divide(independent or sizes, sizes))


def _pooled(first: NDArray[Any], second: NDArray[Any]) -> tuple[Codes, Codes]:
    codes = np.unique(np.concatenate([first, second]), return_inverse=True)[1]
    return codes.astype(np.intp), np.repeat(np.arange(2), [len(first), len(second)])


def _chi_square(codes: Codes, side: Codes, scale: NDArray[np.float64]) -> float:
    """Return the p-value of the chi-square test that both sides are of one mix; all but the commonest are pooled.

    Parameters
    ----------
    scale
        What the counts of either side are multiplied by.
    """
    from scipy.stats import chi2_contingency

    counts = np.array([np.bincount(codes[side == i], minlength=int(codes.max()) + 1) for i in (0, 1)])
    order = np.argsort(-counts.sum(axis=0), kind="stable")
    tested = np.column_stack([counts[:, order[:TESTED]], counts[:, order[TESTED:]].sum(axis=1)])
    tested = tested[:, tested.sum(axis=0) > 0] * scale[:, None]
    return float(chi2_contingency(tested, correction=False)[1]) if tested.shape[1] > 1 else 1.0
