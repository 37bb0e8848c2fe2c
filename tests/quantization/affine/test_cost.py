"""What quantization cost a tensor, against formulas written out."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from overproof.quantization.affine import Scheme, cost, dequantize, fit, grid_of, quantize
from overproof.quantization.affine.cost import EDGES

W = np.array([[0.127, -0.891, 0.342], [0.505, 0.012, -0.234], [-0.667, 0.789, 0.001]], dtype=np.float32)
U8 = Scheme()


def test_the_tutorials_matrix() -> None:
    """What its 8 bits cost: 0.001 becomes 0, and the small values have the great relative errors."""
    grid = fit(W, U8)
    paid = cost(W, grid)
    errors = np.abs(dequantize(quantize(W, grid), grid).astype(float) - W).ravel().tolist()
    assert paid.values == 9
    assert paid.max_error == pytest.approx(max(errors)) and paid.max_error <= float(grid.scale) / 2
    assert paid.mean_error == pytest.approx(sum(errors) / 9)
    signal = sum(float(w) ** 2 for w in W.ravel())
    assert paid.sqnr_db == pytest.approx(10 * math.log10(signal / sum(e * e for e in errors)))
    assert paid.lost == pytest.approx(1 / 9)
    assert paid.saturated == 0
    assert (paid.bytes_before, paid.bytes_after) == (36, 9 + 4 + 1)
    small, *_, large = paid.bands
    assert (small.low, small.high, small.values, small.mean_relative) == (0.0, 0.5, 1, 1.0)
    assert large.mean_relative is not None and large.mean_relative < 0.005


@given(x=hnp.arrays(np.float32, (3, 20), elements=st.floats(-1e3, 1e3, width=32)), bits=st.integers(2, 8))
def test_bands_hold_every_value_once_and_the_worst_error(x: np.ndarray, bits: int) -> None:
    for grid in (fit(x, Scheme(bits)), fit(x, Scheme(bits), axis=0), grid_of(-0.5, 0.25, Scheme(bits))):
        paid = cost(x, grid, bits=bits)
        assert sum(band.values for band in paid.bands) == paid.values == x.size
        assert max(band.max_error for band in paid.bands) == paid.max_error
        assert sum(band.values * band.mean_error for band in paid.bands) == pytest.approx(paid.mean_error * x.size)
        assert all(band.low in EDGES and band.high in EDGES for band in paid.bands)


def test_sqnr_of_a_uniform_tensor_is_six_decibels_a_bit() -> None:
    """20 · log10(2) dB for each bit (Bennett 1948): the error is uniform within a step."""
    x = np.random.default_rng(0).uniform(-1, 1, 200_000).astype(np.float32)
    found = [cost(x, fit(x, Scheme(bits))).sqnr_db for bits in range(4, 9)]
    assert np.diff(found) == pytest.approx(6.02, abs=0.6)
    assert found[-1] == pytest.approx(20 * 8 * math.log10(2), abs=0.1)


def test_saturation_counts_what_is_clipped() -> None:
    grid = grid_of(-1.0, 1.0, Scheme(symmetric=True, signed=True))
    step = float(grid.scale)
    x = np.array([-2.0, -1.0, 0.0, 1.0 + 0.4 * step, 1.0 + 0.6 * step, 3.0, 3e38, 0.1], dtype=np.float32)
    assert cost(x, grid).saturated == 4 / 8
    assert cost(x, grid).bands[-1].values == 3, "what is far outside is in the last band"


@pytest.mark.parametrize(
    ("bits", "axis", "block", "after"),
    [
        (8, None, 0, 60 + 4 + 1),
        (8, 0, 0, 60 + 4 * 6 + 6),
        (4, None, 0, 30 + 4 + 1),
        (4, 1, 4, 30 + 4 * 18 + 9),
        (3, None, 0, 23 + 4 + 1),
    ],
)
def test_bytes_count_scales_and_zero_points(bits: int, axis: int | None, block: int, after: int) -> None:
    x = np.ones((6, 10), dtype=np.float32)
    paid = cost(x, fit(x, Scheme(bits), axis=axis, block=block), bits=bits)
    assert (paid.bytes_before, paid.bytes_after) == (240, after)


@pytest.mark.parametrize("x", [[], [0.0], [0.0, 4.0]])
def test_where_nothing_is_lost_there_is_no_ratio(x: list[float]) -> None:
    values = np.array(x, dtype=np.float32)
    paid = cost(values, grid_of(0.0, 255.0, U8))
    assert (paid.sqnr_db, paid.max_error, paid.mean_error, paid.lost) == (None, 0.0, 0.0, 0.0)


def test_adversarial_tensors_have_finite_costs(adversarial: np.ndarray) -> None:
    for grid in (fit(adversarial, U8), grid_of(0.0, 1e-30, U8)):
        paid = cost(adversarial, grid)
        assert 0 <= paid.lost <= 1 and 0 <= paid.saturated <= 1
        assert sum(band.values for band in paid.bands) == adversarial.size
        assert "Infinity" not in json.dumps(paid.to_json()) and "NaN" not in json.dumps(paid.to_json())
