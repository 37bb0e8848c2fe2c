"""Models of others in 16-bit floats are quantized from float32, with the numbers that they gave before."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import overproof
from overproof.bundle.runtime import session
from overproof.distillation.teachers import onnxfile
from overproof.distillation.teachers.onnxfloats import in_float32, short_floats
from overproof.events.schema import event_table
from overproof.progress import SILENT
from overproof.quantization.models import open_model

if TYPE_CHECKING:
    from .conftest import Flows

KINDS = [TensorProto.FLOAT16, TensorProto.BFLOAT16]
IDS = ["float16", "bfloat16"]


def shortened(model: onnx.ModelProto, kind: int, *, keep_ends: bool = False) -> onnx.ModelProto:
    """The model with its weights and all that it computes in 16 bits; with `keep_ends` it takes and gives float32."""
    graph = model.graph
    for weight in graph.initializer:
        if weight.data_type == TensorProto.FLOAT:
            made = helper.make_tensor(weight.name, kind, weight.dims, numpy_helper.to_array(weight).ravel())
            weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(made), weight.name))
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                attribute.i = kind
    floats = [one for one in (*graph.input, *graph.output) if one.type.tensor_type.elem_type == TensorProto.FLOAT]
    if not keep_ends:
        for one in floats:
            one.type.tensor_type.elem_type = kind
        return model
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [f"{name}.short" if name in [one.name for one in floats] else name for name in names]
    for one in floats:
        if one in graph.input:
            graph.node.insert(0, helper.make_node("Cast", [one.name], [f"{one.name}.short"], to=kind))
        else:
            graph.node.append(helper.make_node("Cast", [f"{one.name}.short"], [one.name], to=TensorProto.FLOAT))
    return model


def original(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    """What it gave: by ONNX Runtime, which has hardly a kernel for bfloat16, else by onnx's own evaluator."""
    if "bfloat16" not in short_floats(model):
        kind = np.float16 if model.graph.input[0].type.tensor_type.elem_type == TensorProto.FLOAT16 else np.float32
        return np.asarray(session(model.SerializeToString()).run(None, {"x": x.astype(kind)})[0], np.float32)
    taken = x
    if model.graph.input[0].type.tensor_type.elem_type == TensorProto.BFLOAT16:
        made = helper.make_tensor("x", TensorProto.BFLOAT16, x.shape, x.ravel())
        taken = numpy_helper.to_array(made)
    return np.asarray(ReferenceEvaluator(model).run(None, {"x": taken})[0]).astype(np.float32)


@pytest.mark.parametrize("keep_ends", [False, True], ids=["all", "inside"])
@pytest.mark.parametrize("kind", KINDS, ids=IDS)
def test_a_network_in_16_bits(kind: int, keep_ends: bool, flows: Flows, tmp_path: Path) -> None:
    path, events, name = flows.save(tmp_path), flows.csv(tmp_path), IDS[KINDS.index(kind)]
    model = shortened(flows.model(), kind, keep_ends=keep_ends)
    onnx.save(model, path)
    said: list[str] = []
    report = overproof.quantize(
        path, calibrate_on=[str(events)], out=tmp_path / "out", console=replace(SILENT, say=said.append)
    )
    assert said[0].endswith(f"; its {name} converted to float32, which holds each number exactly")
    assert report.bytes_before == path.stat().st_size, "what was given, not what it was converted to"
    assert {layer.name for layer in report.sensitivity} == {"w1", "w2", "head", "rare", "vote"}
    quantizable = open_model(path)
    table = quantizable.load([str(events)], None, overproof.events.sources.Rejects())
    before, after = original(model, flows.x), quantizable.logits(quantizable.model, quantizable.prepare(table))
    # bfloat16 has 8 bits: each of four layers is off by up to 1/256 of its largest term
    assert np.abs(before - after).max() < (0.05 if kind == TensorProto.FLOAT16 else 0.5)
    close = np.sort(before, axis=1)
    sure = close[:, -1] - close[:, -2] > 1
    assert sure.mean() > 0.9 and (before.argmax(1) == after.argmax(1))[sure].all()
    written = session(str(tmp_path / "out" / "flows.onnx"))
    expected = "tensor(float16)" if kind == TensorProto.FLOAT16 and not keep_ends else "tensor(float)"
    assert (written.get_inputs()[0].type, written.get_outputs()[0].type) == (expected, expected)
    values = flows.x.astype(np.float16 if "16" in expected else np.float32)
    found = np.asarray(written.run(None, {"x": values})[0], np.float32)
    assert (found.argmax(1) == before.argmax(1))[sure].mean() > 0.95


@pytest.mark.parametrize("kind", KINDS, ids=IDS)
def test_a_classifier_of_text_in_16_bits(kind: int, texts: Path, tmp_path: Path) -> None:
    """As a model to quantize and as a teacher."""
    events = event_table({"text": ["get index", "select union users", "home", "or 1 quote"]})
    before = onnxfile.load(texts).logits(events)
    onnx.save(shortened(onnx.load(texts), kind), texts)
    np.testing.assert_allclose(onnxfile.load(texts).logits(events), before, atol=0.3)
    out = tmp_path / "out"
    report = overproof.quantize(texts, calibrate_on=[str(tmp_path / "events.jsonl")], out=out)
    assert report.step.found.flips == 0
    np.testing.assert_allclose(onnxfile.load(out / "waf.onnx").logits(events), before, atol=0.5)


def test_weights_outside_in_16_bits(flows: Flows, tmp_path: Path) -> None:
    path, events = flows.save(tmp_path), flows.csv(tmp_path)
    model = shortened(flows.model(), TensorProto.BFLOAT16)
    onnx.save(model, path, save_as_external_data=True, location="w.bin", size_threshold=64)
    report = overproof.quantize(path, calibrate_on=[str(events)], out=tmp_path / "out")
    assert report.bytes_before == path.stat().st_size + (tmp_path / "w.bin").stat().st_size
    assert session(str(tmp_path / "out" / "flows.onnx")).run(None, {"x": flows.x})[0].shape == (1200, 3)


@pytest.mark.parametrize("kind", KINDS, ids=IDS)
def test_sub_graphs_and_constants_are_converted_too(kind: int) -> None:
    """Each branch of an If reads a tensor from outside, which is an input of the model, and makes its own constant."""

    def branch(name: str, number: float) -> onnx.GraphProto:
        value = helper.make_tensor("", kind, [1], [number])
        nodes = [
            helper.make_node("Constant", [], [f"{name}.c"], value=value),
            helper.make_node("Mul", ["x", f"{name}.c"], [name]),
        ]
        return helper.make_graph(nodes, name, [], [helper.make_tensor_value_info(name, kind, None)])

    nodes = [helper.make_node("If", ["on"], ["y"], then_branch=branch("a", 2.5), else_branch=branch("b", -1.5))]
    graph = helper.make_graph(
        nodes,
        "g",
        [
            helper.make_tensor_value_info("x", kind, ["n"]),
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("y", kind, ["n"])],
    )
    model = in_float32(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9))
    onnx.checker.check_model(model, full_check=True)
    taken = np.float16 if kind == TensorProto.FLOAT16 else np.float32
    for on, factor in ((True, 2.5), (False, -1.5)):
        (y,) = session(model.SerializeToString()).run(None, {"x": np.array([1, 2], taken), "on": np.array(on)})
        assert y.dtype == taken and y.tolist() == [factor, 2 * factor]
    assert short_floats(model) == (("float16",) if kind == TensorProto.FLOAT16 else ())


@pytest.mark.parametrize("kind", KINDS, ids=IDS)
def test_each_number_is_held_exactly(kind: int) -> None:
    """All 65,536 of them, infinities and numbers that are none included."""
    bits = np.arange(1 << 16, dtype=np.uint16)
    raw = TensorProto(name="w", data_type=kind, dims=[1 << 16], raw_data=bits.tobytes())
    graph = helper.make_graph([helper.make_node("Identity", ["w"], ["y"])], "g", [], [], [raw])
    (found,) = in_float32(helper.make_model(graph)).graph.initializer
    expected = (
        bits.view(np.float16).astype(np.float32)
        if kind == TensorProto.FLOAT16
        else (bits.astype(np.uint32) << 16).view(np.float32)
    )
    np.testing.assert_array_equal(numpy_helper.to_array(found), expected)


def test_names_of_a_graph_go_along(flows: Flows, tmp_path: Path) -> None:
    """ZipMap names the classes, and is no more after it is quantized."""
    from .test_quantize_job import zipped

    path, events = flows.save(tmp_path), flows.csv(tmp_path)
    onnx.save(zipped(flows.model(), ["benign", "sqli", "ldap"]), path)
    (tmp_path / "labels.json").unlink()
    overproof.quantize(path, calibrate_on=[str(events)], out=tmp_path / "out")
    assert json.loads((tmp_path / "out" / "labels.json").read_text()) == ["benign", "sqli", "ldap"]
    assert open_model(tmp_path / "out" / "flows.onnx").classes == ("benign", "sqli", "ldap")
