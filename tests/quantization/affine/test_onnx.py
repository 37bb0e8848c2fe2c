"""Bit for bit what ONNX's own reference computes, and what its runtime computes."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from overproof.bundle.runtime import session
from overproof.quantization.affine import Grid, Scheme, dequantize, fit, quantize

TYPES = {
    Scheme(8): TensorProto.UINT8,
    Scheme(8, symmetric=True, signed=True): TensorProto.INT8,
    Scheme(8, signed=True): TensorProto.INT8,
    Scheme(8, symmetric=True, signed=True, reduced=True): TensorProto.INT8,
    Scheme(4): TensorProto.UINT4,
    Scheme(4, symmetric=True, signed=True): TensorProto.INT4,
    Scheme(4, signed=True): TensorProto.INT4,
}
SCHEMES = pytest.mark.parametrize("scheme", list(TYPES), ids=str)
MATRICES = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=3, max_side=9),
    elements=st.floats(-1e6, 1e6, width=32) | st.floats(-1, 1, width=32),
)


def pair(grid: Grid, kind: int, shape: tuple[int, ...]) -> onnx.ModelProto:
    """x → QuantizeLinear → q → DequantizeLinear → y, with the grid's scales as weights."""
    zero = helper.make_tensor("z", kind, grid.zero_point.shape, grid.zero_point.ravel().tolist())
    scale = helper.make_tensor("s", TensorProto.FLOAT, grid.scale.shape, grid.scale.ravel().tolist())
    where = {"axis": grid.axis} if grid.scale.ndim else {}
    if grid.block:
        where["block_size"] = grid.block
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [
            helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], **where),
            helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"], **where),
        ],
        "pair",
        [info("x", TensorProto.FLOAT, shape)],
        [info("q", kind, shape), info("y", TensorProto.FLOAT, shape)],
        [scale, zero],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def grids(x: np.ndarray, scheme: Scheme) -> list[Grid]:
    """Per tensor, per channel along each axis, in blocks along each axis."""
    found = [fit(x, scheme)]
    for axis in range(x.ndim):
        found += [fit(x, scheme, axis=axis), *(fit(x, scheme, axis=axis, block=block) for block in (1, 2, 4))]
    return found


def check_reference(x: np.ndarray, grid: Grid, scheme: Scheme) -> None:
    q, y = ReferenceEvaluator(pair(grid, TYPES[scheme], x.shape)).run(None, {"x": x})
    np.testing.assert_array_equal(quantize(x, grid), q.astype(grid.dtype))
    np.testing.assert_array_equal(dequantize(quantize(x, grid), grid), y)


@SCHEMES
@given(x=MATRICES)
def test_agrees_with_the_reference(scheme: Scheme, x: np.ndarray) -> None:
    for grid in grids(x, scheme):
        check_reference(x, grid, scheme)


@SCHEMES
def test_agrees_with_the_reference_on_adversarial_tensors(scheme: Scheme, adversarial: np.ndarray) -> None:
    for x in (adversarial, adversarial.reshape(-1, 1), adversarial.reshape(1, -1)):
        for grid in [fit(x, scheme)] + [fit(x, scheme, axis=axis) for axis in range(x.ndim)]:
            check_reference(x, grid, scheme)


@SCHEMES
@pytest.mark.parametrize(("axis", "block"), [(None, 0), (0, 0), (1, 0), (0, 16), (1, 32)])
def test_agrees_with_the_runtime_that_is_deployed(scheme: Scheme, axis: int | None, block: int) -> None:
    random = np.random.default_rng(0)
    ties = (np.arange(64 * 64).reshape(64, 64) % 255 - 127) / 2
    for x in (random.normal(size=(64, 64)), random.laplace(size=(64, 64)) * 1e-4, ties):
        x = x.astype(np.float32)
        grid = fit(x, scheme, axis=axis, block=block)
        model = pair(grid, TYPES[scheme], x.shape)
        del model.graph.output[0]  # 4-bit integers have no numpy type
        (y,) = session(model.SerializeToString()).run(None, {"x": x})
        np.testing.assert_array_equal(dequantize(quantize(x, grid), grid), y)


@pytest.mark.parametrize("outside", [1.01, 50.0])
def test_values_outside_the_range_are_clipped_as_onnx_clips_them(outside: float) -> None:
    x = np.linspace(-1, 1, 100, dtype=np.float32)
    grid = fit(x, Scheme())
    check_reference(x * np.float32(outside), grid, Scheme())
