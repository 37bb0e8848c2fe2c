"""Observe the values of a tensor, and choose the range that its grid shall cover.

Each observer takes rows of values, one row per grid, shape (grids, values), and the scheme, and returns (low, high),
each of shape (grids,). A narrower range rounds finer and clips what lies outside: all but `minmax` clip.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.lib.array_utils import normalize_axis_index
from numpy.typing import NDArray

from overproof.quantization.affine.grid import Floats, Grid, Scheme, dequantize, grid_of, quantize, require_finite

Range = tuple[Floats, Floats]
Observer = Callable[[Floats, Scheme], Range]

PERCENT = 99.99
STEPS = 64  # ranges tried between the whole one and a sixteenth of it
BINS = 2048


def minmax(rows: Floats, scheme: Scheme) -> Range:
    """Take the least and greatest value: nothing is clipped (Jacob et al. 2018, section 2.1)."""
    if not rows.shape[1]:
        return np.zeros(len(rows), np.float32), np.zeros(len(rows), np.float32)
    return rows.min(axis=1), rows.max(axis=1)


def percentile(rows: Floats, scheme: Scheme, percent: float = PERCENT) -> Range:
    """Take all but (100 - percent) % of the values, half of the others at each end (Wu et al. 2020, section 4.1)."""
    if not rows.shape[1]:
        return minmax(rows, scheme)
    tail = (100 - percent) / 2
    low, high = np.percentile(rows.astype(np.float64), [tail, 100 - tail], axis=1)
    return low.astype(np.float32), high.astype(np.float32)


def mse(rows: Floats, scheme: Scheme) -> Range:
    """Search the share of the min-max range with the least mean squared error (Banner et al. 2019, section 3).

    Each end is shortened by the same factor, then each alone.
    """
    low, high = minmax(rows, scheme)
    if not rows.size:
        return low, high
    factors = np.linspace(1, 1 / 16, STEPS, dtype=np.float32)
    both = _best(rows, scheme, [(low * f, high * f) for f in factors])
    if scheme.symmetric:
        return both
    lower = _best(rows, scheme, [(low * f, both[1]) for f in factors] + [both])
    return _best(rows, scheme, [(lower[0], high * f) for f in factors] + [lower])


def entropy(rows: Floats, scheme: Scheme) -> Range:
    """Choose the clipping threshold whose quantized histogram diverges least (KL) from the values' own.

    Source: Migacz 2017, "8-bit inference with TensorRT": a histogram of |x| in 2048 bins; for each threshold, P
    is the histogram clipped there, Q is P merged into as many levels as the scheme has and spread again over
    the bins that were not empty; the threshold with the least KL(P ‖ Q) is taken.
    """
    low, high = minmax(rows, scheme)
    qmin, qmax = scheme.limits
    levels = (qmax - qmin + 1) // 2 if scheme.symmetric else qmax - qmin + 1
    reach = np.array([_threshold(np.abs(row), levels) for row in rows], dtype=np.float32)
    return np.maximum(low, -reach), np.minimum(high, reach)


OBSERVERS: dict[str, Observer] = {"minmax": minmax, "percentile": percentile, "mse": mse, "entropy": entropy}


def fit(x: Floats, scheme: Scheme, *, axis: int | None = None, block: int = 0, observer: Observer = minmax) -> Grid:
    """Fit the grid of a tensor: per tensor, per channel along `axis`, or per group of `block` values along it.

    Raises
    ------
    InputError
        If x holds inf or NaN, or a range too wide for float32.
    """
    x = np.asarray(x, dtype=np.float32)
    require_finite(x)
    if axis is None:
        low, high = observer(x.reshape(1, -1), scheme)
        return grid_of(low[0], high[0], scheme)
    axis = normalize_axis_index(axis, x.ndim)
    if not block:
        first = np.moveaxis(x, axis, 0)
        low, high = observer(first.reshape(len(first), math.prod(first.shape[1:])), scheme)
        return grid_of(low, high, scheme, axis=axis)
    last = np.moveaxis(x, axis, -1)
    short = -last.shape[-1] % block  # the last group is filled up with its own last value
    last = np.pad(last, [(0, 0)] * (x.ndim - 1) + [(0, short)], mode="edge")
    groups = (*last.shape[:-1], last.shape[-1] // block)
    low, high = (np.moveaxis(bound.reshape(groups), -1, axis) for bound in observer(last.reshape(-1, block), scheme))
    return grid_of(low, high, scheme, axis=axis, block=block)


def _best(rows: Floats, scheme: Scheme, ranges: list[Range]) -> Range:
    """Choose for each row the range with the least mean squared error; the first of equals."""
    low, high = (bound.copy() for bound in ranges[0])
    least = np.full(len(rows), np.inf)
    for lo, hi in ranges:
        grid = grid_of(lo, hi, scheme, axis=0)
        error = np.square(dequantize(quantize(rows, grid), grid).astype(np.float64) - rows).mean(axis=1)
        better = error < least
        least[better], low[better], high[better] = error[better], lo[better], hi[better]
    return low, high


def _threshold(magnitudes: Floats, levels: int) -> float:
    top = float(magnitudes.max(initial=0.0))
    if not top:
        return 0.0
    counts, edges = np.histogram(magnitudes.astype(np.float64), BINS, (0, top))  # float32 has no denormal bins
    ends = [*range(levels, BINS, BINS // 256), BINS]
    divergence = [_divergence(counts.astype(np.float64), end, levels) for end in ends]
    return float(edges[ends[int(np.argmin(divergence))]])


def _divergence(counts: NDArray[np.float64], end: int, levels: int) -> float:
    """Compute KL(P ‖ Q) of the histogram clipped to its first `end` bins and merged into `levels`."""
    p = counts[:end].copy()
    p[-1] += counts[end:].sum()
    level = np.arange(end) * levels // end
    filled = counts[:end] > 0
    mass = np.bincount(level, counts[:end], levels)
    members = np.bincount(level[filled], minlength=levels)
    q = np.where(filled, mass[level] / np.maximum(members[level], 1), 0.0)
    if not q.sum():
        return np.inf
    p, q = p / p.sum(), q / q.sum()
    support = p > 0
    return float((p[support] * np.log(p[support] / np.maximum(q[support], 1e-12))).sum())
