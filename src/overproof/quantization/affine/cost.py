"""Measure what quantization did to a tensor: error by magnitude, SQNR, small values lost, saturation, bytes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from overproof.quantization.affine.grid import Floats, Grid, Integers, dequantize, quantize
from overproof.results.rounding_cost import Band, Cost

Doubles = NDArray[np.float64]
EDGES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, np.inf)  # |x| in steps of the grid


def cost(x: Floats, grid: Grid, *, bits: int = 8, stored: Integers | None = None) -> Cost:
    """Measure what the grid costs tensor x, any shape.

    Parameters
    ----------
    stored
        The integers that stand for x, where they may be others than `quantize(x, grid)`.

    Raises
    ------
    InputError
        If x holds inf or NaN.
    """
    q = quantize(x, grid)
    back = dequantize(q if stored is None else stored, grid)
    x = np.asarray(x, dtype=np.float64)  # the error itself shall not round, nor its squares overflow
    error = np.abs(back - x)
    scale, low, high = (grid.along(values, x.shape).astype(np.float64) for values in (grid.scale, grid.low, grid.high))
    noise, signal = float(np.square(error).sum()), float(np.square(x).sum())
    present = x != 0
    outside = (x < low - scale / 2) | (x > high + scale / 2)
    return Cost(
        values=x.size,
        max_error=float(error.max(initial=0.0)),
        mean_error=float(error.mean()) if x.size else 0.0,
        sqnr_db=10 * float(np.log10(signal / noise)) if noise and signal else None,
        lost=float((back[present] == 0).mean()) if present.any() else 0.0,
        saturated=float(outside.mean()) if x.size else 0.0,
        bands=_bands(np.abs(x), error, np.abs(x) / scale),
        bytes_before=4 * x.size,
        bytes_after=-(-x.size * bits // 8) + 4 * grid.scale.size + -(-grid.zero_point.size * bits // 8),
    )


def _bands(magnitude: Doubles, error: Doubles, steps: Doubles) -> tuple[Band, ...]:
    found = []
    for low, high in pairwise(EDGES):
        inside = (steps >= low) & (steps < high)
        if not inside.any():
            continue
        present = inside & (magnitude > 0)
        relative = float((error[present] / magnitude[present]).mean()) if present.any() else None
        band = error[inside]
        found.append(Band(low, float(high), int(inside.sum()), float(band.mean()), float(band.max()), relative))
    return tuple(found)
