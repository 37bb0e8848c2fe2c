"""Bit for bit what torch computes; where it differs, x / scale is a tie, since torch multiplies by 1 / scale."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from overproof.quantization.affine import Grid, Scheme, dequantize, fit, quantize

SCHEMES = pytest.mark.parametrize(
    "scheme",
    [Scheme(), Scheme(symmetric=True, signed=True), Scheme(4), Scheme(4, signed=True), Scheme(reduced=True)],
    ids=str,
)
HALVES = np.arange(-300, 300, dtype=np.float32) / 2
EIGHTS = np.arange(-3000, 3000, dtype=np.float32) / 8


def fake(x: np.ndarray, grid: Grid) -> np.ndarray:
    """torch's fake quantization, quantize and dequantize in one, shaped as x."""
    t, scale, zero = torch.from_numpy(x), torch.from_numpy(grid.scale), torch.from_numpy(grid.zero_point)
    if grid.scale.ndim:
        return torch.fake_quantize_per_channel_affine(t, scale, zero, grid.axis, grid.qmin, grid.qmax).numpy()
    return torch.fake_quantize_per_tensor_affine(t, scale, zero, grid.qmin, grid.qmax).numpy()


def stored(x: np.ndarray, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """The integers that torch stores for an 8-bit grid, and what it makes of them again."""
    t, kind = torch.from_numpy(x), torch.qint8 if grid.dtype == np.int8 else torch.quint8
    scale, zero = torch.from_numpy(grid.scale), torch.from_numpy(grid.zero_point)
    per = torch.quantize_per_channel(t, scale, zero, grid.axis, kind) if grid.scale.ndim else None
    q = torch.quantize_per_tensor(t, scale, zero, kind) if per is None else per
    return q.int_repr().numpy(), q.dequantize().numpy()


def by_reciprocal(x: np.ndarray, grid: Grid) -> np.ndarray:
    """x̂ with x times the float32 reciprocal of the scale, rounded before the zero point is added."""
    scale, zero = grid.along(grid.scale, x.shape), grid.along(grid.zero_point, x.shape)
    q = np.clip(np.rint(x * (np.float32(1) / scale)) + zero, grid.qmin, grid.qmax)
    return np.asarray((q - zero).astype(np.float32) * scale, dtype=np.float32)


def near_a_tie(x: np.ndarray, grid: Grid) -> np.ndarray:
    """Whether x / scale, or with the zero point added, is k + 1/2 up to float32's rounding."""
    steps = x.astype(np.float64) / grid.along(grid.scale, x.shape)
    coarse = np.spacing((np.abs(steps) + np.abs(grid.along(grid.zero_point, x.shape)) + 1).astype(np.float32))
    return np.asarray(np.abs(steps - np.floor(steps) - 0.5) <= 2 * coarse)


def of_scale(scale: float, zero_point: int, signed: bool = False) -> Grid:
    low = -128 if signed else 0
    return Grid(np.asarray(scale, np.float32), np.asarray(zero_point, np.int32), low, low + 255)


@pytest.mark.parametrize("zero_point", [0, 7, 128, 255])
@pytest.mark.parametrize("exponent", [-20, -3, 0, 5])
def test_scales_that_are_powers_of_two_give_the_same_ties_included(exponent: int, zero_point: int) -> None:
    grid = of_scale(2.0**exponent, zero_point)
    x = HALVES * grid.scale
    beside = np.concatenate([x, np.nextafter(x, np.float32(np.inf)), np.nextafter(x, np.float32(-np.inf))])
    np.testing.assert_array_equal(dequantize(quantize(beside, grid), grid), fake(beside, grid))


@SCHEMES
@given(x=hnp.arrays(np.float32, (4, 16), elements=st.floats(-1e4, 1e4, width=32)))
def test_torch_is_the_reciprocal_and_differs_from_the_quotient_at_ties_alone(scheme: Scheme, x: np.ndarray) -> None:
    for grid in (fit(x, scheme), fit(x, scheme, axis=0), fit(x, scheme, axis=1)):
        ties = np.asarray(HALVES[-64:].reshape(x.shape) * grid.along(grid.scale, x.shape), dtype=np.float32)
        for values in (x, ties):
            ours, theirs = dequantize(quantize(values, grid), grid), fake(values, grid)
            np.testing.assert_array_equal(theirs, by_reciprocal(values, grid))
            assert near_a_tie(values, grid)[ours != theirs].all()


def test_such_ties_exist() -> None:
    grid = of_scale(0.0123, 0)
    x = HALVES[HALVES > 0] * grid.scale
    differs = dequantize(quantize(x, grid), grid) != fake(x, grid)
    assert 0 < differs.sum() < len(x) / 2


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
class TestStoredIntegers:
    """Until torch 2.13 `quantize_per_tensor` and `_per_channel` add the zero point before they round, and a tie goes by
    their sum; from 2.14 on they round first, as we do."""

    @pytest.mark.parametrize("zero_point", [0, 6, 128])
    def test_an_even_zero_point_gives_the_same_ties_included(self, zero_point: int) -> None:
        for grid in (of_scale(0.25, zero_point), of_scale(0.25, 0, signed=True)):
            q, back = stored(EIGHTS * grid.scale, grid)
            np.testing.assert_array_equal(quantize(EIGHTS * grid.scale, grid), q)
            np.testing.assert_array_equal(dequantize(q, grid), back)

    def test_an_odd_zero_point_differs_at_ties_alone(self) -> None:
        grid = of_scale(0.25, 7)
        differs = quantize(EIGHTS * grid.scale, grid) != stored(EIGHTS * grid.scale, grid)[0]
        assert differs.any() == (torch.__version__ < (2, 14))
        assert np.array_equal(differs, differs & (np.abs(EIGHTS) % 1 == 0.5))

    @pytest.mark.parametrize("scheme", [Scheme(), Scheme(symmetric=True, signed=True)], ids=str)
    @pytest.mark.parametrize("axis", [None, 0, 1])
    def test_random_tensors(self, scheme: Scheme, axis: int | None) -> None:
        x = np.random.default_rng(0).normal(size=(64, 512)).astype(np.float32)
        grid = fit(x, scheme, axis=axis)
        q, back = stored(x, grid)
        differs = quantize(x, grid) != q
        assert near_a_tie(x, grid)[differs].all()
        assert differs.mean() < 1e-3
        np.testing.assert_array_equal(dequantize(q, grid), back)


@pytest.mark.parametrize("scheme", [Scheme(), Scheme(symmetric=True, signed=True)], ids=str)
def test_adversarial_tensors(scheme: Scheme, adversarial: np.ndarray) -> None:
    grid = fit(adversarial, scheme)
    ours, theirs = dequantize(quantize(adversarial, grid), grid), fake(adversarial, grid)
    assert near_a_tie(adversarial, grid)[ours != theirs].all()
