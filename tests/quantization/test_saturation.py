"""Saturating 16-bit pair sums: the emulation against a loop, ONNX Runtime, and a model that they make wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from overproof.bundle.runtime import session
from overproof.quantization.pair_sums import accumulate
from overproof.quantization.saturation import NotEmulated, emulate

if TYPE_CHECKING:
    from ..conftest import Made

HOT = np.full((1, 8), 0.98, np.float32)
COLD = np.full((1, 8), 0.3, np.float32)


def one_product(
    weights: np.ndarray,
    *,
    op: str = "MatMul",
    activations: Any = np.uint8,
    scale: Any = 0.01,
    zero: Any = None,
    moved: str = "Identity",
    **options: Any,
) -> onnx.ModelProto:
    """x (batch, …, k) in 0 … 1 → U8 or S8 → one product by `weights` → logits."""
    across = 0 if options.get("transB") else 1
    rank = "batch", *(["tokens"] if options.pop("tokens", False) else []), weights.shape[1 - across]
    constants = {
        "w": weights,
        "w.scale": np.asarray(scale, np.float32),
        "w.zero": np.zeros(np.shape(scale), weights.dtype) if zero is None else zero,
        "x.scale": np.float32(1 / 255),
        "x.zero": np.array(0 if activations is np.uint8 else -128, activations),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "x.scale", "x.zero"], ["x.q"]),
        helper.make_node("DequantizeLinear", ["x.q", "x.scale", "x.zero"], ["x.dq"]),
        helper.make_node("DequantizeLinear", ["w", "w.scale", "w.zero"], ["w.dq"], axis=across),
        helper.make_node(moved, ["x.dq"], ["x.moved"], **({"perm": [0, 1]} if moved == "Transpose" else {})),
        helper.make_node(op, ["x.moved", "w.dq"], ["logits"], name="product", **options),
    ]
    shape = (*rank[:-1], weights.shape[across])
    graph = helper.make_graph(
        nodes,
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, rank)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    model.ir_version = 10
    onnx.checker.check_model(model)
    return model


def full_range(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same weights over -127 … 127 instead of -64 … 64; each bias follows its product's grid."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    names = {n.removesuffix(".dq") for node in copy.graph.node if node.op_type == "Gemm" for n in node.input[1:]}
    for tensor in copy.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.name in names:
            tensor.CopyFrom(numpy_helper.from_array(np.rint(values * (127 / 64)).astype(values.dtype), tensor.name))
        elif tensor.name.removesuffix(".scale") in names:
            tensor.CopyFrom(numpy_helper.from_array(values * np.float32(64 / 127), tensor.name))
    return copy


def events(made: Made, count: int) -> list[dict[str, np.ndarray]]:
    random = np.random.default_rng(5)
    return [{"input_ids": random.integers(2, 200, (1, int(n)))} for n in random.integers(3, 32, count)]


def run(model: onnx.ModelProto, onnx_inputs: list[dict[str, np.ndarray]]) -> np.ndarray:
    runner = session(model.SerializeToString())
    return np.concatenate([runner.run(None, onnx_input)[0] for onnx_input in onnx_inputs])


def here(found: Any) -> np.ndarray:
    """The logits that this processor's runtime must give: without VNNI its own sums saturate, as they are emulated."""
    saturates = run(one_product(TIPPING), [{"x": HOT}]).argmax(1).tolist() == [1]
    return found.saturating if saturates else found.exact


def by_hand(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Pair by pair, as the instruction is described."""
    out = np.zeros((len(x), w.shape[1]), int)
    for k in range(0, len(w), 2):
        pair = x[:, k : k + 2].astype(int) @ w[k : k + 2].astype(int)
        out += np.clip(pair, -32768, 32767)
    return out


@given(st.integers(0, 9), st.integers(1, 9), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_pair_sums_are_those_of_the_instruction(rows: int, k: int, n: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    x = random.choice([0, 3, 128, 254, 255], (rows, k)).astype(np.uint8)
    w = random.choice([-128, -127, -64, 0, 1, 127], (k, n)).astype(np.int8)
    np.testing.assert_array_equal(accumulate(x, w, saturate=True), by_hand(x, w))
    np.testing.assert_array_equal(accumulate(x, w, saturate=False), x.astype(int) @ w.astype(int))


def test_the_reduced_range_cannot_saturate_and_one_more_step_can() -> None:
    x = np.full((1, 2), 255, np.uint8)
    for top, cut in ((64, 0), (65, 2 * 255 * 65 - 32767)):
        w = np.full((2, 1), top, np.int8)
        difference = accumulate(x, w, saturate=False) - accumulate(x, w, saturate=True)
        assert difference.item() == cut


def test_exact_sums_agree_with_onnxruntime_and_the_default_saturates_nowhere(made: Made) -> None:
    onnx_inputs = events(made, 200)
    found, runtime = emulate(made.int8, onnx_inputs), run(made.int8, onnx_inputs)
    assert len(set(runtime.argmax(1))) > 1
    np.testing.assert_array_equal(found.exact.argmax(1), runtime.argmax(1))
    np.testing.assert_array_equal(found.exact, found.saturating)
    assert len(found.matrices) == 2 * 5 + 1
    assert not any(m.can_saturate or m.saturated for m in found.matrices)
    assert all(0 < m.largest <= m.bound <= 2 * 255 * 64 for m in found.matrices)


def test_the_full_range_saturates_on_the_same_weights(made: Made) -> None:
    onnx_inputs = events(made, 200)
    found = emulate(full_range(made.int8), onnx_inputs)
    np.testing.assert_array_equal(here(found).argmax(1), run(full_range(made.int8), onnx_inputs).argmax(1))
    assert all(m.can_saturate for m in found.matrices)
    assert sum(m.saturated for m in found.matrices) > 0
    assert np.abs(found.exact - found.saturating).max() > 0.01


# Column 0 has both weights of a pair at the end of the range, column 1 has as much, less a little, in more pairs.
TIPPING = np.array([[127, 90], [127, 0], [0, 90], [0, 0]] * 2, np.int8)


def test_hot_activations_on_the_full_range_flip_a_verdict_and_cold_ones_do_not() -> None:
    found = emulate(one_product(TIPPING), [{"x": HOT}, {"x": COLD}])
    assert found.exact.argmax(1).tolist() == [0, 0]
    assert found.saturating.argmax(1).tolist() == [1, 0]
    (matrix,) = found.matrices
    assert (matrix.saturated, matrix.total) == (2, 2 * 4 * 2)
    assert matrix.largest == 250 * 254
    assert matrix.bound == 255 * 254
    reduced = emulate(one_product(np.rint(TIPPING / 127 * 64).astype(np.int8)), [{"x": HOT}, {"x": COLD}])
    assert reduced.saturating.argmax(1).tolist() == [0, 0]


@pytest.mark.parametrize(
    "options",
    [
        {"scale": np.array([0.01, 0.02], np.float32)},
        {"scale": np.array([0.01, 0.02], np.float32), "zero": np.array([3, -2], np.int8)},
        {"activations": np.int8},
        {"tokens": True},
        {"moved": "Transpose"},
        {"op": "Gemm"},
        {"op": "Gemm", "transB": 1, "scale": np.array([0.01, 0.02], np.float32)},
    ],
    ids=["per-channel", "zero-points", "S8-activations", "three-axes", "moved", "gemm", "transposed"],
)
def test_every_form_of_the_product_agrees_with_onnxruntime(options: dict[str, Any]) -> None:
    model = one_product(TIPPING.T if options.get("transB") else TIPPING, **options)
    random = np.random.default_rng(0)
    shape = (1, 3, 8) if options.get("tokens") else (1, 8)
    onnx_inputs = [{"x": random.uniform(0, 1, shape).astype(np.float32)} for _ in range(20)]
    found = emulate(model, onnx_inputs)
    np.testing.assert_allclose(here(found), run(model, onnx_inputs), rtol=1e-5, atol=1e-5)
    assert (found.exact != found.saturating).any()


def test_an_odd_number_of_features_ends_in_half_a_pair() -> None:
    found = emulate(one_product(TIPPING[:7]), [{"x": np.ones((1, 7), np.float32)}])
    assert found.matrices[0].total == 4 * 2
    assert (found.exact - found.saturating)[0].tolist() == pytest.approx([2 * (255 * 254 - 32767) / 25500, 0])


def test_unsigned_weights_have_no_product_that_saturates() -> None:
    with pytest.raises(NotEmulated, match="no product of eight-bit activations by S8 weights"):
        emulate(one_product(np.abs(TIPPING).astype(np.uint8)), [{"x": HOT}])


def test_what_is_not_emulated_is_said(made: Made) -> None:
    with pytest.raises(NotEmulated, match="no product"):
        emulate(made.fp32, events(made, 1))
    with pytest.raises(NotEmulated, match="product: a Gemm by S8 in this form is not emulated"):
        emulate(one_product(TIPPING, op="Gemm", alpha=0.5), [{"x": HOT}])
    with pytest.raises(NotEmulated, match="product: a MatMul of floats by quantized weights"):
        emulate(one_product(TIPPING, moved="Flatten"), [{"x": HOT}])
    with pytest.raises(NotEmulated, match="MatMulInteger is not emulated"):
        node = helper.make_node("MatMulInteger", ["x", "w"], ["y"])
        emulate(helper.make_model(helper.make_graph([node], "g", [], [])), [])
    turned = one_product(TIPPING)
    turned.graph.node.insert(3, helper.make_node("Transpose", ["w.dq"], ["w.turned"]))
    turned.graph.node[-1].input[1] = "w.turned"
    with pytest.raises(NotEmulated, match="product: a MatMul by S8 in this form is not emulated"):
        emulate(turned, [{"x": HOT}])
    unknown = one_product(TIPPING)
    unknown.graph.node[-1].output[0] = "product"
    unknown.graph.node.append(helper.make_node("Strange", ["product"], ["logits"], domain="elsewhere"))
    unknown.opset_import.append(helper.make_opsetid("elsewhere", 1))
    with pytest.raises(NotEmulated, match=r"reference evaluator cannot run it: .*Strange"):
        emulate(unknown, [{"x": HOT}])
