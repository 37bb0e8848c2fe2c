"""The diagnostics of a quantized file, against what is counted in it directly."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from overproof.bundle.runtime import session
from overproof.errors import InputError
from overproof.quantization.affine import Grid, Scheme, fit, quantize
from overproof.quantization.layer_diagnostics import diagnose_layers
from overproof.results.layers import LayerDiagnostics

if TYPE_CHECKING:
    from ..conftest import Made


def weights(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {w.name: numpy_helper.to_array(w) for w in model.graph.initializer}


@pytest.fixture(scope="module")
def onnx_inputs() -> dict[str, list[dict[str, np.ndarray]]]:
    random = np.random.default_rng(5)
    batches = [{"input_ids": random.integers(2, 290, (128, n))} for n in (3, 9, 30)]
    return {"benign": batches[:1], "attack": batches[1:]}


@pytest.fixture(scope="module")
def report(made: Made, onnx_inputs: dict[str, list[dict[str, np.ndarray]]]) -> LayerDiagnostics:
    return diagnose_layers(made.fp32, made.int8, onnx_inputs)


def test_every_matrix_is_there_with_its_histogram_and_error(made: Made, report: LayerDiagnostics) -> None:
    before, after = weights(made.fp32), weights(made.int8)
    names = [layer.name for layer in report.layers]
    assert sorted(names) == sorted(n for n, w in before.items() if w.ndim == 2 and n != "positions")
    assert names[0] == "tokens.weight" and names[-1] == "head.weight", "in the order of the graph"
    for layer in report.layers:
        found, q, x = layer.weights, after[layer.name].astype(int), before[layer.name]
        assert found is not None
        assert sum(found.counts) == x.size
        assert found.counts == tuple(int((q == level).sum()) for level in range(found.qmin, found.qmax + 1))
        assert found.cost.lost == pytest.approx((q == 0).mean())
        assert found.grids == x.shape[1] and found.per == "channel"
        error = x - q * after[f"{layer.name}.scale"].astype(float)
        assert found.cost.sqnr_db == pytest.approx(10 * np.log10((x.astype(float) ** 2).sum() / (error**2).sum()))
        assert found.range == pytest.approx((-np.abs(x).max(), np.abs(x).max()))
        assert layer.bytes_before == 4 * x.size
        assert layer.bytes_after == x.size + 5 * x.shape[1]
    assert report.layer("tokens.weight").kind == "embedding"
    assert report.layer("tokens.weight").precision == "S8 symmetric, per channel"
    assert report.layer("head.weight").precision == "S8 symmetric, reduced range, per channel"


def test_saturation_is_what_is_counted_directly(
    made: Made, report: LayerDiagnostics, onnx_inputs: dict[str, list[dict[str, np.ndarray]]]
) -> None:
    watched = onnx.ModelProto()
    watched.CopyFrom(made.fp32)
    watched.graph.output.append(helper.make_empty_tensor_value_info("layers.1.attention_norm"))
    run, after = session(watched.SerializeToString()).run, weights(made.int8)
    scale, zero = (after[f"layers.1.attention_norm.{part}"].astype(float) for part in ("scale", "zero"))
    found = report.layer("layers.1.key_value.weight").activations
    assert found is not None and found.tensor == "layers.1.attention_norm"
    clipped = 0
    for kind, batches in onnx_inputs.items():
        steps = (
            np.concatenate([run(["layers.1.attention_norm"], onnx_input)[0].ravel() for onnx_input in batches]) / scale
            + zero
        )
        seen = found.seen[kind]
        assert (seen.below, seen.above) == ((steps < -0.5).sum(), (steps > 255.5).sum())
        assert seen.values == steps.size
        inside = np.rint(steps[(steps >= -0.5) & (steps <= 255.5)]).clip(0, 255)
        assert np.abs(np.bincount(inside.astype(int), minlength=256) - seen.counts).sum() <= 2, "ties aside"
        clipped += seen.below + seen.above
    assert clipped, "nothing is clipped: the test would pass for any count"
    assert report.inputs == {"benign": 128, "attack": 256}
    assert report.layer("tokens.weight").activations is None


def test_it_goes_through_json_unchanged(report: LayerDiagnostics) -> None:
    assert LayerDiagnostics.from_json(json.loads(json.dumps(report.to_json()))) == report


def other_tool(*, rename: str = "w4") -> tuple[onnx.ModelProto, onnx.ModelProto, dict[str, np.ndarray]]:
    """A MatMul model of someone else's: INT4 in blocks, U8 per tensor behind a Transpose, one layer left in float."""
    random = np.random.default_rng(0)
    matrices = {"w4": (8, 6), "w8": (5, 6), "kept": (5, 2)}
    fp32 = {name: random.normal(size=shape).astype(np.float32) for name, shape in matrices.items()}
    grid4, grid8 = fit(fp32["w4"], Scheme(4, signed=True), axis=0, block=4), fit(fp32["w8"], Scheme())
    grid_x = Grid(np.float32(0.01), np.int32(128), 0, 255)
    float_nodes = [
        helper.make_node("MatMul", ["x", "w4"], ["h"]),
        helper.make_node("Transpose", ["w8"], ["w8.t"], perm=[1, 0]),
        helper.make_node("MatMul", ["h", "w8.t"], ["g"]),
        helper.make_node("MatMul", ["g", "kept"], ["y"]),
    ]
    quantized_nodes = [
        helper.make_node("QuantizeLinear", ["x", "x.scale", "x.zero"], ["x.q"]),
        helper.make_node("DequantizeLinear", ["x.q", "x.scale", "x.zero"], ["x.dq"]),
        helper.make_node("DequantizeLinear", [rename, "w4.scale", "w4.zero"], ["w4.dq"], axis=0, block_size=4),
        helper.make_node("MatMul", ["x.dq", "w4.dq"], ["h"]),
        helper.make_node("DequantizeLinear", ["w8", "w8.scale", "w8.zero"], ["w8.dq"]),
        helper.make_node("Transpose", ["w8.dq"], ["w8.t"], perm=[1, 0]),
        *float_nodes[2:],
    ]

    def model(nodes: list[onnx.NodeProto], stored: list[onnx.TensorProto]) -> onnx.ModelProto:
        info = helper.make_tensor_value_info
        inputs, outputs = [info("x", TensorProto.FLOAT, ["n", 8])], [info("y", TensorProto.FLOAT, ["n", 2])]
        made = helper.make_model(
            helper.make_graph(nodes, "foreign", inputs, outputs, stored),
            opset_imports=[helper.make_opsetid("", 21)],
            ir_version=10,
        )
        onnx.checker.check_model(made)
        return made

    def four_bits(name: str, values: np.ndarray) -> onnx.TensorProto:
        return helper.make_tensor(name, TensorProto.INT4, values.shape, values.ravel().tolist())

    store = numpy_helper.from_array
    stored = [four_bits(rename, quantize(fp32["w4"], grid4)), four_bits("w4.zero", grid4.zero_point)]
    stored += [store(quantize(fp32["w8"], grid8), "w8"), store(grid8.zero_point.astype(np.uint8), "w8.zero")]
    stored += [store(grid4.scale, "w4.scale"), store(grid8.scale, "w8.scale"), store(fp32["kept"], "kept")]
    stored += [store(np.float32(grid_x.scale), "x.scale"), store(np.uint8(128), "x.zero")]
    return model(float_nodes, [store(w, name) for name, w in fp32.items()]), model(quantized_nodes, stored), fp32


def test_another_tools_model_with_4_bit_blocks_and_a_layer_left_in_float() -> None:
    fp32, quantized, values = other_tool()
    x = np.array([[-1.29, -1.28, 0, 0, 0, 0, 1.27, 9.0]], dtype=np.float32)
    report = diagnose_layers(fp32, quantized, {"benign": [{"x": x * 0.5}], "attack": [{"x": x}, {"x": x}]})
    four, eight, kept = report.layers
    assert [layer.op for layer in report.layers] == ["MatMul"] * 3
    assert four.weights is not None and (four.weights.per, four.weights.bits, four.weights.grids) == ("group", 4, 12)
    assert (four.weights.qmin, four.weights.qmax) == (-8, 7)
    assert sum(four.weights.counts) == 48 and four.bytes_after == 24 + 12 * 4 + 6
    assert four.weights.cost.max_error <= four.weights.scale[1] * 0.5001
    assert eight.weights is not None and (eight.weights.per, eight.weights.grids) == ("tensor", 1)
    assert eight.weights.cost.sqnr_db is not None and eight.weights.cost.sqnr_db > 30
    assert eight.activations is None, "what the float layer before gives is not quantized"
    assert (kept.weights, kept.precision, kept.bytes_after) == (None, "float32", values["kept"].nbytes)
    assert four.activations is not None and four.activations.tensor == "x"
    seen = four.activations.seen
    assert (seen["attack"].below, seen["attack"].above) == (2, 2)
    assert (seen["benign"].below, seen["benign"].above) == (0, 1)
    assert "these weights stayed float32" in kept.render()


def test_no_events_of_a_kind_is_unmeasured_not_zero() -> None:
    fp32, quantized, _ = other_tool()
    report = diagnose_layers(fp32, quantized, {"benign": [], "attack": []})
    activations = report.layers[0].activations
    assert activations is not None and activations.seen["attack"].saturated is None
    assert report.layers[0].render().count("unmeasured") == 2


def test_ranges_of_16_bits_or_computed_as_it_runs_are_left_out() -> None:
    fp32, quantized, _ = other_tool()
    zero = next(w for w in quantized.graph.initializer if w.name == "x.zero")
    zero.CopyFrom(numpy_helper.from_array(np.uint16(128), "x.zero"))
    assert diagnose_layers(fp32, quantized, {}).layers[0].activations is None
    quantized.graph.initializer.remove(next(w for w in quantized.graph.initializer if w.name == "x.scale"))
    assert diagnose_layers(fp32, quantized, {}).layers[0].activations is None


def test_integers_that_are_not_the_nearest_are_judged_as_stored() -> None:
    fp32, quantized, _ = other_tool()
    w8 = next(w for w in quantized.graph.initializer if w.name == "w8")
    w8.CopyFrom(numpy_helper.from_array(np.full((5, 6), 3, np.uint8), "w8"))
    found = diagnose_layers(fp32, quantized, {}).layer("w8").weights
    assert found is not None and found.counts[3] == 30
    assert found.cost.sqnr_db is not None and found.cost.sqnr_db < 3


def test_a_weight_of_another_name_is_named() -> None:
    fp32, quantized, _ = other_tool(rename="other")
    with pytest.raises(InputError, match="stores no tensor 'w4'"):
        diagnose_layers(fp32, quantized, {})


def test_a_weight_of_another_shape_is_named() -> None:
    fp32, quantized, _ = other_tool()
    w8 = next(w for w in quantized.graph.initializer if w.name == "w8")
    w8.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(w8).T.copy(), "w8"))
    with pytest.raises(InputError, match=r"'w8': \(6, 5\) in the quantized model, \(5, 6\)"):
        diagnose_layers(fp32, quantized, {})


def test_weights_that_are_not_finite_are_refused() -> None:
    fp32, quantized, values = other_tool()
    w8 = next(w for w in fp32.graph.initializer if w.name == "w8")
    w8.CopyFrom(numpy_helper.from_array(np.full_like(values["w8"], np.nan), "w8"))
    with pytest.raises(InputError, match="inf or NaN"):
        diagnose_layers(fp32, quantized, {})
