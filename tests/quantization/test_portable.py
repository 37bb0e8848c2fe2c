"""The report on portable verdicts: what is measured, what cannot be, and that it can fail."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from overproof.errors import InputError
from overproof.quantization.portability import portability
from overproof.results.portability import PortabilityReport, Variation

if TYPE_CHECKING:
    from ..conftest import Made

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def node(op: str, given: str, made: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, given.split(), made.split(), **attributes)


def graph_of(
    nodes: Sequence[onnx.NodeProto],
    inputs: dict[str, tuple[int, Sequence[Any]]],
    constants: dict[str, Any],
    output: tuple[int, Sequence[Any]] = (FLOAT, ("batch", 2)),
) -> onnx.ModelProto:
    """A model that answers with `logits`."""
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(name, *spec) for name, spec in inputs.items()],
        [helper.make_tensor_value_info("logits", *output)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 10
    onnx.checker.check_model(model)
    return model


def dynamic(batch: str | int = "batch") -> onnx.ModelProto:
    """Dynamic quantization as runtimes write it: the activations' range is that of the batch."""
    return graph_of(
        [
            node("DynamicQuantizeLinear", "x", "q scale zero"),
            node("MatMulInteger", "q w zero", "sums"),
            node("Cast", "sums", "floats", to=FLOAT),
            node("Mul", "floats scale", "logits"),
        ],
        {"x": (FLOAT, (batch, 4))},
        {"w": np.array([[9, 8], [-8, -9], [7, 8], [-9, -8]], np.int8)},
        (FLOAT, (batch, 2)),
    )


def bag_of_tokens(*, masked: bool) -> onnx.ModelProto:
    """The mean of the tokens' vectors; with a mask among its inputs that it heeds or does not."""
    return graph_of(
        [
            node("Gather", "table input_ids", "vectors"),
            node("Shape", "input_ids", "shape"),
            node("Expand", "one shape", "ones"),
            node("Cast", "attention_mask" if masked else "ones", "kept", to=FLOAT),
            node("Unsqueeze", "kept last", "column"),
            node("Mul", "vectors column", "weighted"),
            node("ReduceSum", "weighted middle", "sum", keepdims=0),
            node("ReduceSum", "kept middle", "count"),
            node("Div", "sum count", "logits"),
        ],
        {"input_ids": (INT64, ("batch", "tokens")), "attention_mask": (INT64, ("batch", "tokens"))},
        {
            "table": np.array([[0, 9], [1, 0], [3, 1], [1, 2]], np.float32),
            "one": np.int64(1),
            "last": np.array([2]),
            "middle": np.array([1]),
        },
    )


def row(report: PortabilityReport, varied: str) -> Variation:
    return next(v for v in report.variations if v.varied == varied)


def texts(count: int, seed: int = 0, *, top: int = 200, mask: bool = False) -> list[dict[str, np.ndarray]]:
    random = np.random.default_rng(seed)
    onnx_inputs = [{"input_ids": random.integers(1, top, (1, int(n)))} for n in random.integers(2, 12, count)]
    return [{**f, "attention_mask": np.ones_like(f["input_ids"])} for f in onnx_inputs] if mask else onnx_inputs


def test_our_own_model_is_measured_in_every_row_and_flips_nothing(made: Made) -> None:
    onnx_inputs = texts(120)
    onnx_inputs.append({"input_ids": np.full((1, 20), 7)})  # the only one of its length: it has no company
    report = portability(made.int8.SerializeToString(), onnx_inputs)
    assert [v.unmeasured for v in report.variations] == [None] * 6
    assert report.flips == 0
    assert [v.events for v in report.variations] == [120, 120, 120, 121, 121, 121]
    for varied in ("batch size", "order", "threads", "instruction set"):
        assert row(report, varied).max_difference == 0
    assert len(report.matrices) == 11
    assert "none of 11 matrices can saturate" in report.render()
    assert json.loads(json.dumps(report.to_json()))["variations"][0]["varied"] == "batch size"


def test_dynamic_quantization_ties_a_verdict_to_its_batch() -> None:
    random = np.random.default_rng(0)
    scales = random.choice([0.01, 1.0, 100.0], 90)
    onnx_inputs = [{"x": (random.normal(size=(1, 4)) * s).astype(np.float32)} for s in scales]
    report = portability(dynamic(), onnx_inputs)
    for varied in ("batch size", "order"):
        assert row(report, varied).flips > 0
        assert row(report, varied).max_difference > 0.1
    assert row(report, "threads").flips == row(report, "graph optimization").flips == 0
    assert row(report, "padding").unmeasured == "the model reads tensors, not tokens"
    assert "MatMulInteger is not emulated" in str(row(report, "instruction set"))


def test_a_mask_that_is_not_heeded_is_found() -> None:
    onnx_inputs = texts(60, top=4, mask=True)
    heeded, ignored = (row(portability(bag_of_tokens(masked=m), onnx_inputs), "padding") for m in (True, False))
    assert (heeded.unmeasured, heeded.flips) == (None, 0)
    assert ignored.flips > 10


def test_a_fixed_batch_size_leaves_batches_unmeasured() -> None:
    onnx_inputs = [{"x": np.full((1, 4), v, np.float32)} for v in (1, 2, 3)]
    report = portability(dynamic(batch=1), onnx_inputs)
    for varied in ("batch size", "order"):
        assert row(report, varied).unmeasured == "the model's batch size is fixed at 1"
        assert row(report, varied).events == 0
    assert row(report, "threads").events == 3


def test_what_the_events_do_not_allow_is_unmeasured(made: Made) -> None:
    single = portability(made.int8, texts(1))
    assert row(single, "batch size").unmeasured == "no two events have one shape"
    assert row(single, "padding").unmeasured == "all events have one length"
    assert "padding: unmeasured: all events have one length" in single.render()


def test_padding_needs_a_mask_and_a_free_length(made: Made) -> None:
    unmasked = onnx.ModelProto()
    unmasked.CopyFrom(made.int8)
    next(w for w in unmasked.graph.initializer if w.name == "pad").name = "other"
    unmasked.graph.node.insert(0, helper.make_node("Identity", ["other"], ["pad"]))
    assert row(portability(unmasked, texts(9)), "padding").unmeasured == "nothing in the model masks padding"
    fixed = onnx.ModelProto()
    fixed.CopyFrom(made.int8)
    fixed.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 5
    onnx_inputs = [{"input_ids": np.full((1, 5), i + 2)} for i in range(4)]
    assert row(portability(fixed, onnx_inputs), "padding").unmeasured == "the model's length is fixed"


@pytest.mark.parametrize(
    ("change", "onnx_inputs", "message"),
    [
        ({}, [], "no events"),
        ({}, [{"x": np.ones((1, 4), np.float32)}], "cannot run the model on these events"),
        ({"model": b"\x08garbage"}, [{"input_ids": np.ones((1, 3), np.int64)}], "not an ONNX model|cannot open"),
        ({"output": ("ArgMax", INT64)}, [{"input_ids": np.ones((1, 3), np.int64)}], "expected logits of"),
        ({"output": ("Log", FLOAT)}, [{"input_ids": np.ones((1, 3), np.int64)}], "inf or NaN"),
    ],
    ids=["no events", "other input", "not ONNX", "labels", "NaN"],
)
def test_what_cannot_be_used_is_refused(
    made: Made, change: dict[str, Any], onnx_inputs: list[dict[str, np.ndarray]], message: str
) -> None:
    model: onnx.ModelProto | bytes = change.get("model", made.int8)
    if "output" in change:
        op, kind = change["output"]
        model = onnx.ModelProto()
        model.CopyFrom(made.int8)
        options = {"axis": 1} if op == "ArgMax" else {}
        model.graph.node.append(helper.make_node(op, ["logits"], ["answer"], **options))
        del model.graph.output[:]
        model.graph.output.append(helper.make_tensor_value_info("answer", kind, None))
    with pytest.raises(InputError, match=message):
        portability(model, onnx_inputs)
