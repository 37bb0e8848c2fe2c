"""Add up eight-bit products in pairs, in 16 bits with saturation, as a CPU with AVX2 and without VNNI does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overproof.bundle.scores import Floats
from overproof.results.portability import PairSums

U8_MAX = 255
INT16 = np.iinfo(np.int16)
BLOCK = 1 << 22  # pair sums computed at once
Array = NDArray[Any]


def accumulate(x: NDArray[np.uint8], weights: NDArray[np.int8], *, saturate: bool) -> NDArray[np.float64]:
    """Compute x · weights in integers, exact or with saturating 16-bit pair sums; (rows, k) by (k, n) to (rows, n).

    The exact product is taken in float64, which holds every sum, and what saturation cuts off is taken away
    again for the few pairs that these activations can bring out of range.
    """
    sums = x.astype(np.float64) @ weights.astype(np.float64)
    if saturate:
        for columns, values in _beyond(x, weights, *_reach(weights, x.max(axis=0, initial=0))):
            each, starts = np.unique(columns, return_index=True)
            lost = values - np.clip(values, INT16.min, INT16.max)
            sums[:, each] -= np.add.reduceat(lost, starts, axis=1)
    return sums


@dataclass
class SeenPairSums:
    """The pair sums of one matrix so far."""

    weights: NDArray[np.int8]
    total: int = 0
    saturated: int = 0
    largest: int = 0

    def note(self, x: NDArray[np.uint8]) -> None:
        """Count the pair sums of x, (rows, k)."""
        high, low = _reach(self.weights, x.max(axis=0, initial=0))
        self.total += len(x) * high.size
        for _, values in _beyond(x, self.weights, high, low):
            self.saturated += int(((values > INT16.max) | (values < INT16.min)).sum())
        self.largest = max(self.largest, _largest(x, self.weights, np.maximum(high, -low), self.largest))

    def sums(self, name: str) -> PairSums:
        high, low = _reach(self.weights, np.full(len(self.weights), U8_MAX))
        bound = int(np.maximum(high, -low).max(initial=0))
        k, n = self.weights.shape
        return PairSums(name, k, n, bound, self.largest, self.total, self.saturated)


def _reach(weights: NDArray[np.int8], top: Array) -> tuple[Floats, Floats]:
    """Bound the sums of each pair from both sides, (pairs, n), for activations of 0 to `top` (k,); odd k is padded."""
    odd = len(weights) % 2
    w = np.pad(weights, ((0, odd), (0, 0))).astype(np.float32)
    products = w * np.pad(top, (0, odd)).astype(np.float32)[:, None]
    high, low = np.maximum(products, 0), np.minimum(products, 0)
    return high[0::2] + high[1::2], low[0::2] + low[1::2]


def _beyond(
    x: NDArray[np.uint8], weights: NDArray[np.int8], high: Floats, low: Floats
) -> Iterator[tuple[Array, NDArray[np.int32]]]:
    """Yield the pairs that could leave 16 bits, by column: their columns in order, and the sums of every row."""
    columns, pairs = np.nonzero(((high > INT16.max) | (low < INT16.min)).T)
    step = max(1, BLOCK // max(1, len(x)))
    for start in range(0, len(pairs), step):
        part = slice(start, start + step)
        yield columns[part], _sums(x, weights, pairs[part], columns[part])


def _largest(x: NDArray[np.uint8], weights: NDArray[np.int8], reach: Floats, known: int) -> int:
    """Find the largest |pair sum| above `known`, most promising pairs first."""
    candidates = np.flatnonzero(reach > known)
    candidates = candidates[np.argsort(-reach.flat[candidates], kind="stable")]
    step = max(1, BLOCK // 64 // max(1, len(x)))
    for start in range(0, len(candidates), step):
        if reach.flat[candidates[start]] <= known:
            break
        pairs, columns = np.unravel_index(candidates[start : start + step], reach.shape)
        known = max(known, int(np.abs(_sums(x, weights, pairs, columns)).max(initial=0)))
    return known


def _sums(x: NDArray[np.uint8], weights: NDArray[np.int8], pairs: Array, columns: Array) -> NDArray[np.int32]:
    """Compute the pair sums of every row for the given pairs and columns: (rows, len(pairs))."""
    first, second = 2 * pairs, np.minimum(2 * pairs + 1, len(weights) - 1)
    last = np.where(second > first, weights[second, columns], 0).astype(np.int32)  # an odd k ends in half a pair
    return np.asarray(x[:, first] * weights[first, columns].astype(np.int32) + x[:, second] * last)
