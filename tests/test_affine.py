"""The arithmetic of quantization against the tutorial, ONNX's own reference, and its properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from overproof.affine import Scheme, dequantize, fit, grid_of, quantize
from overproof.errors import InputError

W = np.array([[0.127, -0.891, 0.342], [0.505, 0.012, -0.234], [-0.667, 0.789, 0.001]], dtype=np.float32)
U8, S8 = Scheme(), Scheme(symmetric=True, signed=True)
REDUCED = Scheme(symmetric=True, signed=True, reduced=True)
VALUES = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=1, max_dims=2, max_side=20), elements=st.floats(-1e6, 1e6, width=32)
)


def test_the_tutorials_matrix() -> None:
    grid = fit(W, U8)
    assert float(grid.scale) == pytest.approx(1.680 / 255)
    assert int(grid.zero_point) == 135
    # the tutorial prints 100 for -0.234; its own formula gives 99
    assert quantize(W, grid).tolist() == [[154, 0, 187], [212, 137, 99], [34, 255, 135]]
    assert dequantize(quantize(W, grid), grid)[2, 2] == 0.0  # 0.001 is rounded away: 100 % error


@given(VALUES)
def test_agrees_with_the_onnx_reference(x: np.ndarray) -> None:
    onnx = pytest.importorskip("onnx")
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    for grid in (fit(x, U8), fit(x, S8)):
        zero = grid.zero_point.astype(grid.dtype)
        kind = onnx.TensorProto.UINT8 if grid.dtype == np.uint8 else onnx.TensorProto.INT8
        value = helper.make_tensor_value_info
        graph = helper.make_graph(
            [
                helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
                helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
            ],
            "pair",
            [
                value("x", onnx.TensorProto.FLOAT, x.shape),
                value("s", onnx.TensorProto.FLOAT, []),
                value("z", kind, []),
            ],
            [value("q", kind, x.shape), value("y", onnx.TensorProto.FLOAT, x.shape)],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
        q, y = ReferenceEvaluator(model).run(None, {"x": x, "s": grid.scale, "z": zero})
        np.testing.assert_array_equal(quantize(x, grid), q)
        np.testing.assert_array_equal(dequantize(q, grid), y)


@given(VALUES)
def test_error_within_half_a_step_zero_exact_and_idempotent(x: np.ndarray) -> None:
    for grid in (fit(x, U8), fit(x, REDUCED)):
        back = dequantize(quantize(x, grid), grid)
        # the zero point is rounded too, so the outermost step may be cut by half a step
        assert np.all(np.abs(back - x) <= grid.scale * (1 + 1e-3) + 1e-6)
        assert dequantize(quantize(np.zeros(1, np.float32), grid), grid)[0] == 0.0
        np.testing.assert_array_equal(quantize(back, grid), quantize(x, grid))


def test_per_channel_uses_each_channels_own_scale() -> None:
    x = np.array([[1.0, 100.0], [-1.0, -50.0]], dtype=np.float32)
    grid = fit(x, REDUCED, axis=1)
    assert quantize(x, grid).tolist() == [[64, 64], [-64, -32]]


def test_constant_zero_is_harmless_and_inf_is_refused() -> None:
    grid = grid_of(0.0, 0.0, U8)
    assert quantize(np.zeros(3, np.float32), grid).tolist() == [0, 0, 0]
    for bad in (np.inf, -np.inf, np.nan):
        with pytest.raises(InputError, match="inf or NaN"):
            quantize(np.array([bad], np.float32), grid)
        with pytest.raises(InputError, match="inf or NaN"):
            grid_of(0.0, bad, U8)


def test_reduced_range_cannot_saturate_a_16_bit_pair_sum() -> None:
    grid = grid_of(-1.0, 1.0, REDUCED)
    assert 2 * 255 * grid.qmax <= np.iinfo(np.int16).max < 2 * 255 * 127
