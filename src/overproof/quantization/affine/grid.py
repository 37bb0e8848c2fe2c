"""Quantize and dequantize: range to scale, zero point and integers, and back.

ONNX QuantizeLinear-21 and DequantizeLinear-21 define it:

q = clip(round(x / scale) + zero_point, qmin, qmax) and x̂ = (q - zero_point) · scale, rounding half to even.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from overproof.errors import InputError

Floats = NDArray[np.float32]
Integers = NDArray[np.integer[Any]]
Number = TypeVar("Number", np.float32, np.int32)
MIN_BITS, MAX_BITS = 2, 8


@dataclass(frozen=True)
class Scheme:
    """Which integers a tensor may use.

    Attributes
    ----------
    bits
        2 to 8.
    symmetric
        The zero point stands in the middle, and as many integers lie above it as below.
    signed
        Integers around 0 (S8) instead of from 0 on (U8).
    reduced
        Half the range: -64 … 64 of S8, 0 … 127 of U8. Two products u8 · s8 then sum to at most
        2 · 255 · 64 = 32,640, which a saturating 16-bit pair sum (AVX2 without VNNI) still holds, so that a
        verdict does not depend on the CPU.
    """

    bits: int = 8
    symmetric: bool = False
    signed: bool = False
    reduced: bool = False

    def __post_init__(self) -> None:
        if not MIN_BITS <= self.bits <= MAX_BITS:
            raise InputError(f"{self.bits} bits: expected {MIN_BITS} to {MAX_BITS}")

    @cached_property
    def limits(self) -> tuple[int, int]:
        """Smallest and largest integer used, (qmin, qmax)."""
        half = 2 ** (self.bits - 1)
        if self.symmetric:
            reach, middle = (half // 2 if self.reduced else half - 1), (0 if self.signed else half)
            return middle - reach, middle + reach
        if self.reduced:
            return (-(half // 2), half // 2) if self.signed else (0, half - 1)
        return (-half, half - 1) if self.signed else (0, 2 * half - 1)

    def __str__(self) -> str:
        kind = f"{'S' if self.signed else 'U'}{self.bits}"
        return f"{kind} {'symmetric' if self.symmetric else 'asymmetric'}{', reduced range' if self.reduced else ''}"


@dataclass(frozen=True)
class Grid:
    """Scale and zero point over the integers qmin … qmax.

    Attributes
    ----------
    scale
        float32, > 0. Shape () per tensor; (channels,) per channel along `axis`; with `block`, the tensor's
        shape with `axis` divided by `block` (rounded up), one scale for each group of `block` values.
    zero_point
        Same shape; the integer that stands for 0.0.
    qmin, qmax
        Smallest and largest integer used.
    axis
        The channel axis, or the axis that groups divide.
    block
        Values in a group; 0 for none.
    """

    scale: Floats
    zero_point: NDArray[np.int32]
    qmin: int
    qmax: int
    axis: int = -1
    block: int = 0

    @property
    def dtype(self) -> np.dtype[np.integer[Any]]:
        """The storage type: int8 if any integer is negative, else uint8."""
        return np.dtype(np.int8 if self.qmin < 0 else np.uint8)

    @property
    def low(self) -> Floats:
        """The least value on the grid, (qmin - zero_point) · scale."""
        return np.asarray((self.qmin - self.zero_point) * self.scale, dtype=np.float32)

    @property
    def high(self) -> Floats:
        """The greatest value on the grid, (qmax - zero_point) · scale."""
        return np.asarray((self.qmax - self.zero_point) * self.scale, dtype=np.float32)

    def along(self, values: NDArray[Number], shape: tuple[int, ...]) -> NDArray[Number]:
        """Reshape scales or zero points so that they broadcast against a tensor of `shape`."""
        if values.ndim == 0:
            return values
        if self.block:
            return np.take(np.repeat(values, self.block, self.axis), np.arange(shape[self.axis]), self.axis)
        wide = [1] * len(shape)
        wide[self.axis] = values.size
        return values.reshape(wide)


def grid_of(low: ArrayLike, high: ArrayLike, scheme: Scheme, *, axis: int = -1, block: int = 0) -> Grid:
    """Return the grid that covers [low, high], widened to hold 0.0 exactly.

    Asymmetric: scale = (high - low) / (qmax - qmin), zero_point = round(qmin - low / scale) (Jacob et al. 2018,
    "Quantization and Training of Neural Networks", section 2.1). Symmetric: scale = max(|low|, |high|) / (qmax -
    zero_point), with the zero point in the middle. A range of one point (a constant 0) gets scale 1.

    Parameters
    ----------
    low, high
        Shape () per tensor, or one of each per channel or group, shaped as `Grid.scale`.

    Raises
    ------
    InputError
        If a bound is inf or NaN, or the range so wide that its ends overflow float32.
    """
    lo, hi = np.asarray(low, dtype=np.float32), np.asarray(high, dtype=np.float32)
    require_finite(lo, hi)
    lo, hi = np.minimum(lo, np.float32(0)), np.maximum(hi, np.float32(0))
    qmin, qmax = scheme.limits
    with np.errstate(over="ignore", invalid="ignore"):  # a range wider than float32 is refused below
        if scheme.symmetric:
            middle = (qmin + qmax) // 2
            scale = _usable(np.maximum(-lo, hi) / np.float32(qmax - middle))
            zero = np.full(scale.shape, middle, np.int32)
        else:
            scale = _usable((hi - lo) / np.float32(qmax - qmin))
            zero = np.asarray(np.clip(np.rint(qmin - lo / scale), qmin, qmax), dtype=np.int32)
        grid = Grid(scale, zero, qmin, qmax, axis, block)
        if not (np.isfinite(grid.low).all() and np.isfinite(grid.high).all()):
            raise InputError(f"cannot quantize: the range {lo.min():g} to {hi.max():g} is too wide for float32")
    return grid


def quantize(x: Floats, grid: Grid) -> Integers:
    """Compute q = clip(round(x / scale) + zero_point, qmin, qmax), shaped as x.

    The quotient is rounded once, as ONNX and its runtime do. torch multiplies by the float32 reciprocal of the
    scale instead, and until 2.13 its `quantize_per_tensor` and `quantize_per_channel` add the zero point before they
    round (`fake_quantize` after): where x / scale is a tie up to float32's rounding, its integer may be the neighbour.

    Raises
    ------
    InputError
        If x holds inf or NaN.
    """
    x = np.asarray(x, np.float32)
    require_finite(x)
    with np.errstate(over="ignore"):  # far outside the range: inf, and clipped
        q = np.rint(x / grid.along(grid.scale, x.shape)) + grid.along(grid.zero_point, x.shape)
    return np.asarray(np.clip(q, grid.qmin, grid.qmax), dtype=grid.dtype)


def dequantize(q: Integers, grid: Grid) -> Floats:
    """Compute x̂ = (q - zero_point) · scale, shaped as q."""
    steps = q.astype(np.int32) - grid.along(grid.zero_point, q.shape)
    return np.asarray(steps * grid.along(grid.scale, q.shape), dtype=np.float32)


def require_finite(*arrays: Floats) -> None:
    """Raise InputError if any value is inf or NaN."""
    if not all(np.isfinite(a).all() for a in arrays):
        raise InputError("cannot quantize: the tensor holds inf or NaN, expected finite numbers")


def _usable(scale: NDArray[np.floating[Any]]) -> Floats:
    """Replace a scale by 1 where the range is one point (or denormal): nothing is divided by zero, 0.0 stays 0.0."""
    return np.asarray(np.where(scale > np.finfo(np.float32).tiny, scale, 1), dtype=np.float32)
