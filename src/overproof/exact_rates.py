"""Bound a rate exactly (Clopper & Pearson 1934) by numpy alone, at errors as small as many comparisons ask for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_HALVINGS = 60
_ERROR = 0.05


@dataclass(frozen=True)
class Rate:
    """k of n, and the ends of its exact 95 % interval."""

    k: int
    n: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """k / n."""
        return self.k / self.n


def rate(k: int, n: int) -> Rate:
    """Return k of n with its exact 95 % interval."""
    return Rate(k, n, lower_bound(k, n, _ERROR / 2), upper_bound(k, n, _ERROR / 2))


def lower_bound(k: int, n: int, error: float) -> float:
    """Return the rate at which k or more of n have this probability; 0 for k = 0.

    Parameters
    ----------
    error
        How often the bound may lie above the true rate.

    Raises
    ------
    ValueError
        If n < 1 or k lies outside 0..n.
    """
    if not 0 <= k <= n or n < 1:
        raise ValueError(f"{k} of {n} is no rate")
    if k == 0:
        return 0.0
    ways, hits = _log_ways(n)[k:], np.arange(k, n + 1)
    low, high = 0.0, k / n
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _tail(ways, hits, n, middle) > error:
            high = middle
        else:
            low = middle
    return low


def upper_bound(k: int, n: int, error: float) -> float:
    """Return the rate at which k or fewer of n have this probability; 1 for k = n. See `lower_bound`."""
    return 1.0 - lower_bound(n - k, n, error)


def _log_ways(n: int) -> NDArray[np.float64]:
    """Return the logarithm of n over k for every k."""
    factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    return np.asarray(factorials[n] - factorials - factorials[::-1], dtype=np.float64)


def _tail(ways: NDArray[np.float64], hits: NDArray[np.int64], n: int, p: float) -> float:
    if not 0 < p < 1:
        return float(p >= 1)
    return float(np.exp(ways + hits * np.log(p) + (n - hits) * np.log1p(-p)).sum())
