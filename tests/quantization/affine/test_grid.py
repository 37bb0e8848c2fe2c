"""The arithmetic of quantization against the tutorial, and its properties for every scheme."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from overproof.errors import InputError
from overproof.quantization.affine import OBSERVERS, Grid, Scheme, dequantize, fit, grid_of, quantize

W = np.array([[0.127, -0.891, 0.342], [0.505, 0.012, -0.234], [-0.667, 0.789, 0.001]], dtype=np.float32)
U8 = Scheme()
REDUCED = Scheme(symmetric=True, signed=True, reduced=True)
ALL = [Scheme(*choice) for choice in product(range(2, 9), *[(False, True)] * 3)]
SCHEMES = st.sampled_from(ALL)
VALUES = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=1, max_dims=2, max_side=12),
    elements=st.floats(-1e6, 1e6, width=32) | st.floats(-1, 1, width=32),
)
BOUND = st.floats(-1e6, 1e6, width=32)
FINITE = st.floats(allow_nan=False, allow_infinity=False, width=32)
FEW = [Scheme(), Scheme(4), Scheme(2, symmetric=True), Scheme(8, True, True, True)]
EPSILON = float(np.finfo(np.float32).eps)


def grids(x: np.ndarray, scheme: Scheme) -> Iterator[Grid]:
    """Per tensor, per channel and per group."""
    yield fit(x, scheme)
    yield fit(x, scheme, axis=0)
    yield fit(x, scheme, axis=-1, block=5)


def rounded(x: np.ndarray, grid: Grid) -> np.ndarray:
    return dequantize(quantize(x, grid), grid)


def test_the_tutorials_matrix() -> None:
    grid = fit(W, U8)
    assert float(grid.scale) == pytest.approx(1.680 / 255)
    assert int(grid.zero_point) == 135
    # the tutorial prints 100 for -0.234; its own formula gives 99
    assert quantize(W, grid).tolist() == [[154, 0, 187], [212, 137, 99], [34, 255, 135]]
    assert rounded(W, grid)[2, 2] == 0.0  # 0.001 is rounded away: 100 % error


@pytest.mark.parametrize("scheme", ALL, ids=str)
def test_limits_have_the_bits_that_they_say(scheme: Scheme) -> None:
    low, high = scheme.limits
    assert (-(2 ** (scheme.bits - 1)) <= low) if scheme.signed else (low >= 0)
    assert high < 2 ** (scheme.bits - scheme.signed)
    levels = high - low + 1
    used = scheme.bits - scheme.reduced
    # reduced range keeps one level above half, as ONNX Runtime's -64 ... 64; one bit is the least
    assert levels in (2**used - 1, 2**used, 2**used + 1)
    middle = 0 if scheme.signed else 2 ** (scheme.bits - 1)
    assert not scheme.symmetric or high - middle == middle - low


@settings(max_examples=300)
@given(scheme=SCHEMES, x=VALUES)
def test_error_is_at_most_half_a_step_inside_the_range(scheme: Scheme, x: np.ndarray) -> None:
    for grid in grids(x, scheme):
        scale, low, high = (grid.along(v, x.shape).astype(float) for v in (grid.scale, grid.low, grid.high))
        inside = np.clip(x, low, high).astype(np.float32)
        for values in (x, inside):  # of min-max, the range holds x itself, up to the rounding of its zero point
            error = np.abs(rounded(values, grid).astype(float) - values)
            assert (error <= scale / 2 + 2 * EPSILON * np.maximum(np.abs(values), scale)).all()


@settings(max_examples=300)
@given(scheme=SCHEMES, x=VALUES)
def test_zero_is_exact_and_what_was_rounded_stays(scheme: Scheme, x: np.ndarray) -> None:
    for grid in grids(x, scheme):
        zero = np.zeros_like(x)
        np.testing.assert_array_equal(rounded(zero, grid), zero)
        assert (grid.low <= 0).all() and (grid.high >= 0).all()
        q = quantize(x, grid)
        np.testing.assert_array_equal(quantize(dequantize(q, grid), grid), q)
        assert q.dtype == grid.dtype and q.min() >= grid.qmin and q.max() <= grid.qmax


@given(scheme=SCHEMES, bounds=st.tuples(BOUND, BOUND), x=hnp.arrays(np.float32, 30, elements=FINITE))
def test_monotone_even_where_it_clips(scheme: Scheme, bounds: tuple[float, float], x: np.ndarray) -> None:
    grid = grid_of(min(bounds), max(bounds), scheme)
    assert (np.diff(quantize(np.sort(x), grid).astype(int)) >= 0).all()


@pytest.mark.parametrize("observer", OBSERVERS)
def test_adversarial_tensors(observer: str, adversarial: np.ndarray) -> None:
    for scheme, (axis, block) in product(ALL if observer == "minmax" else FEW, [(None, 0), (0, 0), (1, 4)]):
        x = adversarial.reshape(1, -1)
        grid = fit(x, scheme, axis=axis, block=block, observer=OBSERVERS[observer])
        back = rounded(x, grid)
        assert (np.sign(back) * np.sign(x) >= 0).all(), "rounding never changes a sign"
        if observer == "minmax":
            assert (np.abs(back - x) <= grid.along(grid.scale, x.shape) * 0.5001).all()


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (2, 0, 3)])
@pytest.mark.parametrize("observer", OBSERVERS)
def test_empty_tensors_keep_their_shape(shape: tuple[int, ...], observer: str) -> None:
    x = np.zeros(shape, np.float32)
    for axis in range(len(shape)):
        for block in (0, 4):
            grid = fit(x, U8, axis=axis, block=block, observer=OBSERVERS[observer])
            assert rounded(x, grid).shape == shape


def test_a_channel_and_a_group_use_their_own_scale() -> None:
    x = np.array([[1.0, 100.0], [-1.0, -50.0]], dtype=np.float32)
    assert quantize(x, fit(x, REDUCED, axis=1)).tolist() == [[64, 64], [-64, -32]]
    row = np.array([[1.0, -0.5, 100.0, -50.0, 7.0]], dtype=np.float32)
    grid = fit(row, REDUCED, axis=1, block=2)
    assert grid.scale.shape == (1, 3), "the last group is short"
    assert quantize(row, grid).tolist() == [[64, -32, 64, -32, 64]]
    np.testing.assert_array_equal(quantize(row.T, fit(row.T, REDUCED, axis=0, block=2)), quantize(row, grid).T)


def test_an_axis_that_is_not_there_is_refused() -> None:
    for axis in (2, -3):
        with pytest.raises(ValueError, match="out of bounds"):
            fit(W, U8, axis=axis)


def test_constant_zero_is_harmless() -> None:
    grid = grid_of(0.0, 0.0, U8)
    assert quantize(np.zeros(3, np.float32), grid).tolist() == [0, 0, 0]


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_inf_and_nan_are_refused(bad: float) -> None:
    x = np.array([1.0, bad], np.float32)
    for refuse in (
        lambda: quantize(x, grid_of(0.0, 1.0, U8)),
        lambda: grid_of(0.0, bad, U8),
        *(lambda observer=observer: fit(x, U8, observer=observer) for observer in OBSERVERS.values()),
    ):
        with pytest.raises(InputError, match="holds inf or NaN, expected finite numbers"):
            refuse()


@pytest.mark.parametrize("scheme", ALL, ids=str)
def test_a_range_wider_than_float32_is_refused_or_held(scheme: Scheme) -> None:
    x = np.array([-3.4e38, 3.4e38], np.float32)
    try:
        grid = fit(x, scheme)
    except InputError as error:
        assert "-3.4e+38 to 3.4e+38 is too wide for float32" in str(error)
    else:
        assert np.isfinite(rounded(x, grid)).all()


@pytest.mark.parametrize("bits", [-1, 0, 1, 9, 16])
def test_other_bits_are_refused(bits: int) -> None:
    with pytest.raises(InputError, match="expected 2 to 8"):
        Scheme(bits)


def test_reduced_range_cannot_saturate_a_16_bit_pair_sum() -> None:
    grid = grid_of(-1.0, 1.0, REDUCED)
    assert 2 * 255 * grid.qmax <= np.iinfo(np.int16).max < 2 * 255 * 127
