"""The arithmetic of quantization: range, scale, zero point, quantize, dequantize.

q = clip(round(x / scale) + zero_point, qmin, qmax) and x̂ = (q - zero_point) · scale, rounding half to
even, as ONNX QuantizeLinear defines it (ONNX operator specification, QuantizeLinear-21).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from overproof.errors import InputError

Floats = NDArray[np.float32]
Integers = NDArray[np.integer[Any]]
Number = TypeVar("Number", np.float32, np.int32)


@dataclass(frozen=True)
class Grid:
    """Scale and zero point over the integers qmin … qmax.

    Attributes
    ----------
    scale
        Shape () per tensor or (channels,) per channel; float32, > 0.
    zero_point
        Same shape; the integer that stands for 0.0.
    qmin, qmax
        Smallest and largest integer used.
    """

    scale: Floats
    zero_point: NDArray[np.int32]
    qmin: int
    qmax: int

    @property
    def dtype(self) -> np.dtype[np.integer[Any]]:
        """The storage type: int8 if any integer is negative, else uint8."""
        return np.dtype(np.int8 if self.qmin < 0 else np.uint8)


def asymmetric(low: Floats | float, high: Floats | float, *, qmin: int = 0, qmax: int = 255) -> Grid:
    """The grid that covers [low, high], widened to hold 0.0 exactly.

    scale = (high - low) / (qmax - qmin); zero_point = round(qmin - low / scale). A range of one point
    (a constant tensor) gets scale 1. Source: Jacob et al. 2018, section 2.1.
    """
    lo = np.minimum(np.asarray(low, dtype=np.float32), np.float32(0))
    hi = np.maximum(np.asarray(high, dtype=np.float32), np.float32(0))
    _require_finite(lo, hi)
    scale = _usable((hi - lo) / np.float32(qmax - qmin))
    zero = np.clip(np.rint(qmin - lo / scale), qmin, qmax).astype(np.int32)
    return Grid(scale, zero, qmin, qmax)


def symmetric(peak: Floats | float, *, qmax: int = 127) -> Grid:
    """The grid over [-peak, peak] with zero point 0 and integers -qmax … qmax.

    qmax = 64 is the reduced range: two products u8 · s8 then sum to at most 2 · 255 · 64 = 32,640, which
    a saturating 16-bit pair sum (AVX2 without VNNI) still holds, so a verdict does not depend on the CPU.
    """
    top = np.abs(np.asarray(peak, dtype=np.float32))
    _require_finite(top)
    scale = _usable(top / np.float32(qmax))
    return Grid(scale, np.zeros(scale.shape, np.int32), -qmax, qmax)


def quantize(x: Floats, grid: Grid, axis: int = -1) -> Integers:
    """q = clip(round(x / scale) + zero_point); `axis` is the channel axis of a per-channel grid."""
    _require_finite(x)
    scale, zero = _along(grid.scale, x.ndim, axis), _along(grid.zero_point, x.ndim, axis)
    q = np.rint(np.asarray(x, np.float32) / scale) + zero
    return np.asarray(np.clip(q, grid.qmin, grid.qmax), dtype=grid.dtype)


def dequantize(q: Integers, grid: Grid, axis: int = -1) -> Floats:
    """x̂ = (q - zero_point) · scale."""
    scale, zero = _along(grid.scale, q.ndim, axis), _along(grid.zero_point, q.ndim, axis)
    return np.asarray((q.astype(np.int32) - zero) * scale, dtype=np.float32)


def _usable(scale: NDArray[np.floating[Any]]) -> Floats:
    """1 where the range is a single point: nothing is divided by zero, and 0.0 stays 0.0."""
    return np.asarray(np.where(scale > np.finfo(np.float32).tiny, scale, 1), dtype=np.float32)


def _along(values: NDArray[Number], ndim: int, axis: int) -> NDArray[Number]:
    if values.ndim == 0:
        return values
    shape = [1] * ndim
    shape[axis] = values.size
    return values.reshape(shape)


def _require_finite(*arrays: Floats) -> None:
    if not all(np.isfinite(a).all() for a in arrays):
        raise InputError("cannot quantize: the tensor holds inf or NaN, expected finite numbers")
