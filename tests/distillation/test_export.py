"""The graph we write computes what torch computes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper

from overproof.bundle.runtime import session
from overproof.distillation.embedding_output import with_embedding
from overproof.distillation.export import describe
from overproof.distillation.network_graph import to_onnx
from overproof.distillation.students.encoder import Encoder
from overproof.distillation.students.presets import EncoderConfig
from overproof.errors import InputError
from overproof.quantization.onnx_inputs import with_outputs
from overproof.quantization.rewrite import quantize_model

if TYPE_CHECKING:
    from pathlib import Path

    from ..conftest import Made


OUTPUTS = ["logits", "embedding"]


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_logits_and_embedding_equal_torchs(layers: int) -> None:
    config = EncoderConfig(layers, 32, 4, 64, vocabulary=100, positions=24)
    network = Encoder(config, 5).initialize(1).eval()
    for p in network.parameters():  # biases and norms away from their neutral start, or mistakes would hide
        p.data.add_(torch.randn(p.shape, generator=torch.Generator().manual_seed(2)) * 0.1)
    ids = np.random.default_rng(0).integers(2, 100, (6, 20))
    ids[0, 3:] = 0
    ids[1, 1:] = 0
    read: list[torch.Tensor] = []
    network.head.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    with torch.inference_mode():
        expected = network(torch.from_numpy(ids)).numpy()
    logits, embedding = session(to_onnx(network).SerializeToString()).run(OUTPUTS, {"input_ids": ids})
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    np.testing.assert_allclose(embedding, read[0].numpy(), atol=1e-5)
    assert np.abs(embedding).max() > 0.1


def test_padding_changes_nothing_in_fp32(made: Made) -> None:
    runner = session(made.fp32.SerializeToString())
    ids = np.random.default_rng(0).integers(2, 200, (3, 10))
    wide = np.pad(ids, ((0, 0), (0, 20)))
    a, b = (runner.run(None, {"input_ids": x})[0] for x in (ids, wide))
    np.testing.assert_allclose(a, b, atol=1e-5)


def ids_of(count: int, length: int) -> np.ndarray:
    return np.random.default_rng(4).integers(2, 200, (count, length))


def without_embedding(model: onnx.ModelProto) -> onnx.ModelProto:
    """The file as it was written before there was an embedding: its embedded tokens had that name."""
    old = with_outputs(model, ["logits"])
    shown = next(node for node in old.graph.node if node.output[0] == "embedding")
    old.graph.node.remove(shown)
    for node in old.graph.node:
        for names in (node.input, node.output):
            names[:] = ["embedding" if name == "embedded" else name for name in names]
        node.name = "embedding" if node.name == "embedded" else node.name
    del old.graph.output[:]
    old.graph.output.append(model.graph.output[0])
    return old


def same_bits(one: np.ndarray, other: np.ndarray) -> bool:
    return np.array_equal(one.view(np.int32), other.view(np.int32))


@pytest.mark.parametrize("which", ["fp32", "int8"])
def test_the_embedding_changes_no_bit_of_the_logits(made: Made, which: str) -> None:
    model, feed = getattr(made, which), {"input_ids": ids_of(50, 14)}
    before = session(without_embedding(model).SerializeToString()).run(None, feed)
    after = session(model.SerializeToString()).run(None, feed)
    assert (len(before), len(after)) == (1, 2)
    assert same_bits(before[0], after[0])


def test_the_heads_integers_on_the_embedding_are_the_logits(made: Made) -> None:
    """Each logit is an integer, the product of the embedding's own integers, times one scale: nothing else went in."""
    stored = {w.name: numpy_helper.to_array(w) for w in made.int8.graph.initializer}
    logits, embedding = session(made.int8.SerializeToString()).run(OUTPUTS, {"input_ids": ids_of(200, 14)})
    step = stored["final_norm.scale"]
    integers = np.rint(embedding / step).astype(np.int64)
    assert same_bits(integers.astype(np.float32) * step, embedding)  # on the head's grid
    assert len(np.unique(integers)) > 100
    sums = integers @ stored["head.weight"].astype(np.int64) + stored["head.weight.bias"]
    unit = (step * stored["head.weight.scale"]).astype(np.float64)
    np.testing.assert_array_equal(np.rint(logits / unit), sums)
    np.testing.assert_allclose(logits, sums * unit, rtol=1e-6)
    assert (np.rint(logits / unit) != sums + stored["head.weight"][0]).any(0).all()  # one step of one number would show


def test_the_product_of_the_head_stays_one_of_integers(made: Made, tmp_path: Path) -> None:
    import onnxruntime

    def products(model: onnx.ModelProto) -> int:
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath, options.log_severity_level = str(tmp_path / "optimized.onnx"), 3
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return sum(node.op_type == "QGemm" for node in onnx.load(tmp_path / "optimized.onnx").graph.node)

    assert products(made.int8) == products(without_embedding(made.int8)) == 11


@pytest.mark.parametrize("precision", ["w8a8", "w4a8", "w4a32", "dynamic"])
def test_at_every_precision_the_embedding_is_what_the_head_reads(made: Made, precision: str) -> None:
    feed = {"input_ids": ids_of(16, 12)}
    model = quantize_model(made.fp32, [feed], precision)
    assert [output.name for output in model.graph.output] == OUTPUTS
    head = next(node for node in model.graph.node if node.output[0] == "logits")
    read = session(with_outputs(model, [head.input[0]]).SerializeToString(), optimization="none").run(None, feed)[0]
    assert same_bits(session(model.SerializeToString(), optimization="none").run(["embedding"], feed)[0], read)


@pytest.mark.parametrize("which", ["fp32", "int8"])
def test_a_file_from_before_gets_the_same_output(made: Made, which: str) -> None:
    model, feed = getattr(made, which), {"input_ids": ids_of(9, 7)}
    again = with_embedding(without_embedding(model))
    for one, other in zip(*(session(m.SerializeToString()).run(OUTPUTS, feed) for m in (model, again)), strict=True):
        assert same_bits(one, other)
    assert with_embedding(model) == model


def test_a_graph_of_others_has_no_embedding(made: Made) -> None:
    other = onnx.ModelProto()
    other.CopyFrom(made.fp32)
    head = next(weight for weight in other.graph.initializer if weight.name == "head.weight")
    head.name = "classifier"
    with pytest.raises(InputError, match="not a network that overproof wrote"):
        with_embedding(other)


def test_an_output_of_others_with_that_name_is_left_alone() -> None:
    weight = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Relu", ["x"], ["y"]),
        helper.make_node("Identity", ["y"], ["embedding"]),
        helper.make_node("MatMul", ["y", "w"], ["logits"]),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "other",
        [value("x", 1, ["n", 4])],
        [value("logits", 1, ["n", 3]), value("embedding", 1, ["n", 4])],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    feed = {"x": np.random.default_rng(1).normal(size=(6, 4)).astype(np.float32)}
    shown = session(quantize_model(model, [feed]).SerializeToString()).run(["embedding"], feed)[0]
    assert same_bits(shown, np.maximum(feed["x"], 0))


def test_the_file_says_what_it_is_at_every_precision(made: Made) -> None:
    graph = onnx.ModelProto()
    graph.CopyFrom(made.fp32)
    describe(graph, ["a", "é\ud800"], ["a"])
    quantized = quantize_model(graph, [{"input_ids": np.ones((2, 4), np.int64)}], "w8a8")
    for model in (graph, quantized):
        found = session(model.SerializeToString()).get_modelmeta().custom_metadata_map
        assert (json.loads(found["classes"]), json.loads(found["benign"])) == (["a", "é\ud800"], ["a"])
        assert found["library"] == "overproof" and "security events" in found["task"]
