"""What an ONNX file's numbers are, is told once for the file; and where it keeps them, beside it or not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from overproof.bundle.scores import softmax
from overproof.distillation.teachers import assumptions, load_teacher
from overproof.distillation.teachers.onnxgraph import outside_files, read_graph
from overproof.errors import InputError
from overproof.events.schema import event_table

CASES = Path(__file__).parents[2] / "cases"
TEXTS = ["GET /a?id=1' or 1=1--", "hello", "select 1 from users", "", "union select password", "alert 1"]
EMBEDDING = np.random.default_rng(1).normal(size=(14, 3)).astype(np.float32)

Write = Callable[..., Path]


def teacher_and_table() -> Any:
    return event_table({"text": TEXTS, "origin": [f"e:{i}" for i in range(len(TEXTS))]})


def node(op: str, inputs: str, outputs: str, **options: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs.split(), outputs.split(), **options)


def ends(*tail: onnx.NodeProto, output: onnx.ValueInfoProto | None = None, label: bool = False) -> onnx.ModelProto:
    """The sum of the tokens' embeddings, `z`, and what is done to it until `out`."""
    table = [
        numpy_helper.from_array(EMBEDDING, "embedding"),
        numpy_helper.from_array(np.array([1]), "one"),
        numpy_helper.from_array(np.array([-1]), "last"),
        numpy_helper.from_array(np.float32(1 / 256), "scale"),
        numpy_helper.from_array(np.uint8(0), "zero"),
        numpy_helper.from_array(np.eye(3, dtype=np.float32), "eye"),
        numpy_helper.from_array(np.float32(0.25), "quarter"),
    ]
    nodes = [
        node("Gather", "embedding ids", "tokens"),
        node("ReduceSum", "tokens one", "sum", keepdims=0),
        node("MatMul", "sum eye", "z"),
        *tail,
    ]
    outputs = [output or helper.make_tensor_value_info("out", TensorProto.FLOAT, ["batch", 3])]
    if label:  # as scikit-learn's converter: the label itself comes first
        nodes.append(node("ArgMax", "z", "label", axis=1, keepdims=0))
        outputs.insert(0, helper.make_tensor_value_info("label", TensorProto.INT64, ["batch"]))
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "length"])
    graph = helper.make_graph(nodes, "sum", [ids], outputs, table)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


@pytest.fixture
def write(tmp_path: Path, wordpiece: Callable[[Path], None]) -> Write:
    def write_model(model: onnx.ModelProto, classes: list[str] | None = ["normal", "sqli", "xss"]) -> Path:  # noqa: B006
        onnx.save(model, tmp_path / "m.onnx")
        wordpiece(tmp_path / "tokenizer.json")
        if classes is not None:
            (tmp_path / "labels.json").write_text(json.dumps(classes))
        return tmp_path / "m.onnx"

    return write_model


def own_answers(path: Path, output: str = "z") -> np.ndarray:
    """What ONNX Runtime gives for each text alone, of the tensor named, with the same tokens."""
    teacher = load_teacher([str(path)])
    model = onnx.load(path)
    model.graph.output.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", 3]))
    running = onnxruntime.InferenceSession(model.SerializeToString())
    rows = [running.run([output], one) for _, one in teacher.onnx_inputs(teacher_and_table())]
    order = np.concatenate([batch for batch, _ in teacher.onnx_inputs(teacher_and_table())])
    return np.concatenate([row[0] for row in rows])[np.argsort(order)]


SOFTMAX = node("Softmax", "z", "p", axis=1)
ROUNDED = (node("QuantizeLinear", "p scale zero", "q"), node("DequantizeLinear", "q scale zero", "out"))
BY_HAND = (
    node("Exp", "z", "e"),
    node("ReduceSum", "e one", "all", keepdims=1),
    node("Div", "e all", "out"),
)
HALF = helper.make_tensor_value_info("out", TensorProto.FLOAT16, ["batch", 3])


@pytest.mark.parametrize(
    ("model", "numbers", "off"),
    [
        (ends(node("Identity", "z", "out")), "logits (it ends in MatMul)", 1e-6),
        (ends(node("Mul", "z quarter", "y"), node("Identity", "y", "out")), "logits (it ends in Mul)", 1e-6),
        (ends(node("LogSoftmax", "z", "out", axis=1)), "logits (it ends in LogSoftmax)", 1e-6),
        (ends(node("Softmax", "z", "out", axis=1)), "probabilities (it ends in Softmax)", 1e-6),
        (ends(SOFTMAX, *ROUNDED), "probabilities (it ends in Softmax)", 0.004),
        (ends(*BY_HAND), "probabilities (its answers to 8 made-up inputs add up to 1)", 1e-6),
        (ends(node("Tanh", "z", "out")), "logits (its answers to 8 made-up inputs are no distributions)", 1e-6),
        (ends(SOFTMAX, node("Cast", "p", "out", to=10), output=HALF), "probabilities (it ends in Softmax)", 1e-3),
        (ends(node("Cast", "z", "out", to=10), output=HALF), "logits (it ends in MatMul)", 2e-3),
        (ends(node("Identity", "z", "out"), label=True), "logits (it ends in MatMul)", 1e-6),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_numbers_are(model: onnx.ModelProto, numbers: str, off: float, write: Write) -> None:
    path = write(model)
    teacher = load_teacher([str(path)])
    assert assumptions(teacher) == [f"{path}: onnxruntime, its output taken for {numbers}"]
    z = own_answers(path)
    if "Mul)" in numbers and "Mat" not in numbers:
        z = z / 4
    if "made-up inputs are no" in numbers:
        z = np.tanh(z)
    found = softmax(teacher.logits(teacher_and_table()))
    assert np.abs(found - softmax(z)).max() < off
    alone = np.concatenate([teacher.logits(event_table({"text": [text]})) for text in TEXTS])
    assert np.allclose(softmax(alone), found, atol=1e-6)  # the same whatever is asked beside it


ONE = helper.make_tensor_value_info("out", TensorProto.FLOAT, ["batch", 1])
INDEPENDENT = "each number is a probability of its own"


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (ends(node("Sigmoid", "z", "out")), INDEPENDENT),
        (ends(node("Sigmoid", "z", "p"), *ROUNDED), INDEPENDENT),
        (ends(node("Sigmoid", "z", "p"), node("Mul", "p quarter", "out")), "gives numbers from 0 to 1 that add up to"),
        (ends(node("Slice", "z zero1 one last", "y"), node("Sigmoid", "y", "out"), output=ONE), "holds one number"),
        (ends(node("ReduceSum", "z one", "out", keepdims=0), output=helper.make_tensor_value_info("out", 1, ["b"])),
         r"no output of floats with shape .*; it has out: tensor.float. \['b'\]"),
    ],
)  # fmt: skip
def test_outputs_that_are_no_distributions(model: onnx.ModelProto, message: str, write: Write) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.array([0]), "zero1"))
    path = write(model)
    with pytest.raises(InputError, match=f"m.onnx: .*{message}"):
        load_teacher([str(path)])


@pytest.mark.parametrize("keys", [["normal", "xss", "sqli"], [0, 1, 2]])
@pytest.mark.parametrize("named", [True, False])
def test_scikit_learns_label_and_dictionaries(keys: list[Any], named: bool, write: Write) -> None:
    labels = {"classlabels_strings" if isinstance(keys[0], str) else "classlabels_int64s": keys}
    zipped = helper.make_tensor_type_proto(TensorProto.FLOAT, None)
    kind = helper.make_map_type_proto(TensorProto.STRING if isinstance(keys[0], str) else TensorProto.INT64, zipped)
    out = helper.make_value_info("out", helper.make_sequence_type_proto(kind))
    tail = (SOFTMAX, node("ZipMap", "p", "out", domain="ai.onnx.ml", **labels))
    path = write(ends(*tail, output=out, label=True), ["normal", "sqli", "xss"] if named else None)
    teacher = load_teacher([str(path)])
    z = softmax(own_answers(path))
    if isinstance(keys[0], str):
        assert teacher.classes == (("normal", "sqli", "xss") if named else ("normal", "xss", "sqli"))
        z = z[:, [0, 2, 1]] if named else z
    else:
        assert teacher.classes == (("normal", "sqli", "xss") if named else ("0", "1", "2"))
    assert np.allclose(softmax(teacher.logits(teacher_and_table())), z, atol=1e-6)
    if named and isinstance(keys[0], str):
        (path.parent / "labels.json").write_text('["normal", "sqli", "rce"]')
        with pytest.raises(InputError, match="the graph names the classes normal, xss, sqli, the file beside it"):
            load_teacher([str(path)])


def test_a_graph_that_reads_text_itself_needs_no_tokenizer(tmp_path: Path) -> None:
    """As scikit-learn's converter writes a pipeline: a vectorizer of words, and a linear classifier."""
    words = ["select", "hello", "alert"]
    options: dict[str, Any] = {
        "pool_strings": words, "ngram_counts": [0], "ngram_indexes": [0, 1, 2], "mode": "TF", "min_gram_length": 1,
        "max_gram_length": 1, "max_skip_count": 0,
    }  # fmt: skip
    nodes = [
        node("TfIdfVectorizer", "text", "flat", **options),
        node("Reshape", "flat row", "counts"),
        node("MatMul", "counts eye", "z"),
        node("Softmax", "z", "out", axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "words",
        [helper.make_tensor_value_info("text", TensorProto.STRING, [1])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 3])],
        [
            numpy_helper.from_array(5 * np.eye(3, dtype=np.float32), "eye"),
            numpy_helper.from_array(np.array([1, 3]), "row"),
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / "t.onnx")
    (tmp_path / "labels.json").write_text('["sqli", "normal", "xss"]')
    teacher = load_teacher([str(tmp_path / "t.onnx")])
    logits = teacher.logits(event_table({"text": ["select", "hello", "alert", "nothing"]}))
    assert softmax(logits).argmax(axis=1).tolist()[:3] == [0, 1, 2]
    assert np.allclose(softmax(logits)[3], 1 / 3, atol=1e-6)


def test_a_quantized_softmax_is_divided_by_its_sum() -> None:
    teacher = load_teacher([str(CASES / "55-onnx-not-a-distribution" / "qsoftmax" / "model.onnx")])
    raw = teacher.answers(teacher_and_table())
    assert np.abs(raw.sum(axis=1) - 1).max() > 1e-3  # the case: one such row made logits of all
    assert np.allclose(softmax(teacher.logits(teacher_and_table())), raw / raw.sum(axis=1, keepdims=True), atol=1e-6)


def test_a_sigmoid_is_refused() -> None:
    with pytest.raises(InputError, match=r"sigmoid/model\.onnx: ends in Sigmoid"):
        load_teacher([str(CASES / "55-onnx-not-a-distribution" / "sigmoid" / "model.onnx")])


def test_weights_in_a_folder_below() -> None:
    teacher = load_teacher([str(CASES / "56-onnx-external-data" / "ext-sub" / "model.onnx")])
    assert np.isfinite(teacher.logits(teacher_and_table())).all()
    assert (teacher.card.bytes or 0) > 33_000


def test_weights_that_are_not_there() -> None:
    with pytest.raises(InputError, match=r"its weights are in .*, which is not there"):
        load_teacher([str(CASES / "56-onnx-external-data" / "ext-missing" / "model.onnx")])


@pytest.mark.parametrize("place", ["../w.bin", "/etc/passwd", "", "a/../../w.bin"])
def test_weights_that_lie_elsewhere(place: str, write: Write) -> None:
    model = ends(node("Identity", "z", "out"))
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", place
    path = write(model)
    with pytest.raises(InputError, match="expected a file beside the model"):
        load_teacher([str(path)])


def test_weights_outside_are_found_in_sub_graphs_too(tmp_path: Path) -> None:
    inner = numpy_helper.from_array(np.ones(3, np.float32), "w")
    inner.ClearField("raw_data")
    inner.data_location = TensorProto.EXTERNAL
    entry = inner.external_data.add()
    entry.key, entry.value = "location", "deep.bin"
    branch = helper.make_graph([node("Constant", "", "c", value=inner)], "branch", [], [])
    graph = helper.make_graph([helper.make_node("If", ["x"], ["y"], then_branch=branch)], "g", [], [])
    (tmp_path / "m.onnx").write_bytes(helper.make_model(graph).SerializeToString())
    (tmp_path / "deep.bin").write_bytes(b"\0" * 12)
    assert outside_files(tmp_path / "m.onnx", read_graph(tmp_path / "m.onnx")) == (tmp_path / "deep.bin",)


def test_a_configuration_that_says_multi_label(write: Write) -> None:
    path = write(ends(node("Identity", "z", "out")))
    (path.parent / "config.json").write_text('{"problem_type": "multi_label_classification"}')
    with pytest.raises(InputError, match=r"config\.json: problem_type is 'multi_label_classification'"):
        load_teacher([str(path)])
