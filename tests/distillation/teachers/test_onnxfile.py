from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pytest
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing

from overproof.bundle import runtime
from overproof.bundle.scores import softmax
from overproof.distillation.teachers import cached_logits, load_teacher
from overproof.errors import InputError
from overproof.events.schema import event_table

CLASSES = ["benign", "sqli", "xss"]
EMBEDDING = np.random.default_rng(0).normal(size=(14, 3)).astype(np.float32)

Write = Callable[..., Path]


def summing_model(
    ids: str = "input_ids",
    *,
    mask: bool = True,
    types: bool = False,
    integer: int = TensorProto.INT64,
    shape: tuple[object, object] = ("batch", "length"),
    probabilities: bool = False,
) -> onnx.ModelProto:
    """logits = sum over tokens of embedding[token], padding masked out if there is a mask."""
    names = [ids] + ["attention_mask"] * mask + ["token_type_ids"] * types
    nodes = [helper.make_node("Gather", ["embedding", ids], ["tokens"])]
    if types:  # must be given, and all 0
        nodes += [
            helper.make_node("Cast", ["token_type_ids"], ["kind"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["kind", "last"], ["kinds"]),
            helper.make_node("Add", ["tokens", "kinds"], ["typed"]),
        ]
    if mask:
        nodes += [
            helper.make_node("Cast", ["attention_mask"], ["weight"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["weight", "last"], ["weights"]),
            helper.make_node("Mul", ["typed" if types else "tokens", "weights"], ["kept"]),
        ]
    nodes.append(helper.make_node("ReduceSum", ["kept" if mask else "tokens", "one"], ["sum"], keepdims=0))
    nodes.append(helper.make_node("Softmax" if probabilities else "Identity", ["sum"], ["logits"]))
    graph = helper.make_graph(
        nodes,
        "sum",
        [helper.make_tensor_value_info(name, integer, list(shape)) for name in names],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [shape[0], 3])],
        [
            numpy_helper.from_array(EMBEDDING, "embedding"),
            numpy_helper.from_array(np.array([1]), "one"),
            numpy_helper.from_array(np.array([-1]), "last"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def looping(times: str = "") -> onnx.ModelProto:
    """The same, its sum passed through a Loop that ends after `times` turns: never, if nothing says so."""
    model = summing_model()
    state = helper.make_tensor_value_info("state", TensorProto.FLOAT, None)
    turn = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Identity", ["state"], ["next"])],
        "turn",
        [helper.make_tensor_value_info("i", TensorProto.INT64, []), helper.make_tensor_value_info("go", 9, []), state],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, None),
        ],
    )
    last = model.graph.node.pop()
    model.graph.node.extend(
        [
            helper.make_node("Loop", [times, "true", *last.input], ["looped"], body=turn),
            helper.make_node("Identity", ["looped"], ["logits"]),
        ]
    )
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "true"))
    model.graph.initializer.append(numpy_helper.from_array(np.array(3), "three"))
    return model


@pytest.fixture
def write(tmp_path: Path, wordpiece: Callable[[Path], None]) -> Write:
    def write_model(model: onnx.ModelProto) -> Path:
        onnx.save(model, tmp_path / "m.onnx")
        wordpiece(tmp_path / "tokenizer.json")
        (tmp_path / "labels.json").write_text(json.dumps(CLASSES))
        return tmp_path / "m.onnx"

    return write_model


def expected(events: pa.Table, folder: Path, limit: int = 128) -> np.ndarray:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(limit)
    return np.array([EMBEDDING[tokenizer.encode(t).ids].sum(axis=0) for t in events.column("text").to_pylist()])


@pytest.mark.parametrize(
    "model",
    [
        {},
        {"types": True},
        {"ids": "ids", "mask": False},
        {"integer": TensorProto.INT32},
        {"shape": (1, "length")},
        {"shape": (3, "length")},
    ],
    ids=str,
)
def test_logits_are_those_of_each_event_alone(model: dict[str, object], write: Write, events: pa.Table) -> None:
    path = write(summing_model(**model))
    teacher = load_teacher([str(path)], classes=CLASSES)
    reported: list[int] = []
    logits = teacher.logits(events, reported.append)
    assert teacher.classes == tuple(CLASSES)
    assert logits.dtype == np.float32
    assert np.allclose(logits, expected(events, path.parent), atol=1e-4)
    assert sum(reported) == events.num_rows
    assert teacher.labels_new_events


def test_no_event_at_all(write: Write) -> None:
    assert load_teacher([str(write(summing_model()))]).logits(event_table({"text": []})).shape == (0, 3)


def test_a_graph_of_fixed_length_cuts_and_pads(write: Write, events: pa.Table) -> None:
    path = write(summing_model(shape=(2, 8)))
    assert np.allclose(load_teacher([str(path)]).logits(events), expected(events, path.parent, 8), atol=1e-4)


def test_a_loop_that_ends_is_run(write: Write, events: pa.Table) -> None:
    path = write(looping("three"))
    assert np.allclose(load_teacher([str(path)]).logits(events), expected(events, path.parent), atol=1e-4)


def test_a_loop_that_never_ends_is_ended(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "LOOP_SECONDS", 0.2)
    with pytest.raises(InputError, match=r"m\.onnx: .*: a Loop in its graph has not ended within 0\.2 s$"):
        load_teacher([str(write(looping()))])


@pytest.mark.parametrize("where", ["tokenizer.json", "tokenizer_config.json"])
def test_the_window_is_the_tokenizers_own(where: str, write: Write, events: pa.Table) -> None:
    path = write(summing_model())
    wanted = expected(events, path.parent, 6)
    if where == "tokenizer.json":  # as MiniLM's: it says how to cut and, which must not matter, to pad
        tokenizer = Tokenizer.from_file(str(path.parent / where))
        tokenizer.enable_truncation(6)
        tokenizer.enable_padding(length=6)
        tokenizer.save(str(path.parent / where))
    else:
        (path.parent / where).write_text('{"model_max_length": 6}')
    assert np.allclose(load_teacher([str(path)]).logits(events), wanted, atol=1e-4)


def test_a_softmax_at_the_end_is_undone(write: Write, events: pa.Table) -> None:
    path = write(summing_model(probabilities=True))
    probabilities = softmax(load_teacher([str(path)]).logits(events))
    assert np.allclose(probabilities, softmax(expected(events, path.parent)), atol=1e-4)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("labels.json", {str(i): name for i, name in enumerate(CLASSES)}),
        ("config.json", {"id2label": {str(i): name for i, name in enumerate(CLASSES)}}),
        ("m.labels.json", CLASSES),
    ],
)
def test_where_class_names_stand(name: str, content: object, write: Write) -> None:
    path = write(summing_model())
    (path.parent / "labels.json").unlink()
    (path.parent / name).write_text(json.dumps(content))
    assert load_teacher([str(path)]).classes == tuple(CLASSES)


def test_the_card_counts_weights_stored_outside_too(write: Write) -> None:
    path = write(summing_model())
    inside = load_teacher([str(path)]).card
    assert inside.parameters == EMBEDDING.size + 2
    assert inside.bytes == path.stat().st_size
    onnx.save(summing_model(), path, save_as_external_data=True, location="w.bin", size_threshold=64)
    outside = load_teacher([str(path)]).card
    assert outside.parameters == inside.parameters
    assert outside.bytes == path.stat().st_size + (path.parent / "w.bin").stat().st_size
    data = bytearray((path.parent / "w.bin").read_bytes())
    data[0] ^= 1
    (path.parent / "w.bin").write_bytes(data)
    assert load_teacher([str(path)]).card.fingerprint != outside.fingerprint


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("tokenizer.json", None, r"expected one of m\.tokenizer\.json, tokenizer\.json beside it"),
        ("tokenizer.json", "{}", "tokenizers library"),
        ("labels.json", None, r"m\.labels\.json, .* beside it"),
        ("labels.json", "[1, 2]", "expected class names"),
        ("labels.json", '{"1": "a"}', "expected class names"),
        ("labels.json", "{", "expected class names"),
        ("m.onnx", "nonsense", "not an ONNX file"),
        ("m.onnx", "", "ONNX"),
    ],
)
def test_missing_and_broken_files(name: str, content: str | None, message: str, write: Write) -> None:
    path = write(summing_model())
    (path.parent / name).unlink()
    if content is not None:
        (path.parent / name).write_text(content)
    with pytest.raises(InputError, match=message):
        load_teacher([str(path)])


def test_inputs_that_are_no_tokenizers(write: Write) -> None:
    with pytest.raises(InputError, match="inputs are pixels, attention_mask"):
        load_teacher([str(write(summing_model("pixels")))])


def test_another_number_of_classes(write: Write, events: pa.Table) -> None:
    path = write(summing_model())
    (path.parent / "labels.json").write_text('["benign", "sqli"]')
    with pytest.raises(InputError, match=r"shape \(\d+, 3\), expected \(\d+, 2\)"):
        load_teacher([str(path)]).logits(events)


def test_the_fingerprint_covers_every_file_that_decides_answers(write: Write) -> None:
    path = write(summing_model())
    before = load_teacher([str(path)]).card.fingerprint
    (path.parent / "tokenizer_config.json").write_text('{"model_max_length": 3}')  # cuts every text
    assert load_teacher([str(path)]).card.fingerprint != before


def test_a_name_that_is_not_utf8(write: Write, events: pa.Table) -> None:
    path = write(summing_model())
    wanted = load_teacher([str(path)]).logits(events)
    other = path.rename(path.with_name(os.fsdecode(b"\xff.onnx")))
    assert np.array_equal(load_teacher([str(other)]).logits(events), wanted)


@pytest.mark.parametrize(("shape", "message"), [((0, 8), "room for nothing"), (("batch", 0), "room for nothing")])
def test_a_graph_that_has_no_room(shape: tuple[object, object], message: str, write: Write) -> None:
    with pytest.raises(InputError, match=message):
        load_teacher([str(write(summing_model(shape=shape)))])


def test_a_window_of_special_tokens_alone(write: Write) -> None:
    path = write(summing_model())
    tokenizer = Tokenizer.from_file(str(path.parent / "tokenizer.json"))
    first, last = (tokenizer.id_to_token(i) for i in (0, 1))
    tokenizer.post_processor = TemplateProcessing(single=f"{first} $A {last}", special_tokens=[(first, 0), (last, 1)])
    tokenizer.save(str(path.parent / "tokenizer.json"))
    (path.parent / "tokenizer_config.json").write_text('{"model_max_length": 2}')
    with pytest.raises(InputError, match="events are cut at 2 tokens, 2 of them the tokenizer's own"):
        load_teacher([str(path)])


def test_a_tokenizer_configuration_nested_too_deep_says_nothing(write: Write, events: pa.Table) -> None:
    path = write(summing_model())
    (path.parent / "tokenizer_config.json").write_text("[" * 100_000)
    assert np.allclose(load_teacher([str(path)]).logits(events), expected(events, path.parent), atol=1e-4)


def two_outputs(name: str, op: str) -> onnx.ModelProto:
    """The summing model with a second output of the same shape before its own."""
    model = summing_model()
    model.graph.node.append(helper.make_node(op, ["sum"], [name]))
    own = model.graph.output.pop()
    model.graph.output.extend([helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3]), own])
    return model


def test_of_outputs_of_one_shape_the_name_decides(write: Write, events: pa.Table) -> None:
    path = write(two_outputs("hidden", "Sin"))
    assert np.allclose(load_teacher([str(path)]).logits(events), expected(events, path.parent), atol=1e-4)
    model = onnx.load(path)
    model.graph.node[-2].output[0] = model.graph.output[1].name = "other"
    with pytest.raises(InputError, match="several of its outputs may be of classes: hidden, other; expected one"):
        load_teacher([str(write(model))])


def test_outputs_that_say_the_same_are_one(write: Write, events: pa.Table) -> None:
    path = write(two_outputs("chances", "Softmax"))
    found = softmax(load_teacher([str(path)]).logits(events))
    assert np.allclose(found, softmax(expected(events, path.parent)), atol=1e-4)


def test_what_onnxruntime_says_is_said_without_its_own_source(write: Write) -> None:
    model = summing_model()
    model.ir_version = 99
    with pytest.raises(InputError, match=r"failed:Unsupported model IR version: 99"):
        load_teacher([str(write(model))])


def with_tail(*nodes: onnx.NodeProto, **weights: np.ndarray) -> onnx.ModelProto:
    """The same, its sum passed on by other nodes."""
    model = summing_model(mask=False)
    model.graph.node.pop()
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in weights.items())
    return model


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            with_tail(helper.make_node("ReduceMean", ["sum", "first"], ["logits"]), first=np.array([0])),
            r"shape \(1, 3\), expected \(\d+, 3\)",
        ),
        (with_tail(helper.make_node("Concat", ["sum", "sum"], ["logits"], axis=0)), "expected"),
        (with_tail(helper.make_node("RandomNormalLike", ["sum"], ["logits"])), "other answers when it is asked again"),
        (
            with_tail(
                helper.make_node("Dropout", ["sum", "ratio", "training"], ["logits"]),
                ratio=np.array(0.5, np.float32),
                training=np.array(True),
            ),
            "other answers when it is asked again",
        ),
    ],
    ids=["one row for a batch", "two rows an event", "random", "dropout in training"],
)
def test_what_answers_no_row_an_event_or_by_chance_is_refused_when_opened(
    model: onnx.ModelProto, message: str, write: Write
) -> None:
    """Events of unlike lengths were asked about one by one, so that it showed when the first two of a length came."""
    model.opset_import[0].version = 18
    with pytest.raises(InputError, match=message):
        load_teacher([str(write(model))])


def test_numbers_that_float32_cannot_hold_are_refused_in_one_line(
    write: Write, recwarn: pytest.WarningsRecorder
) -> None:
    model = with_tail(
        helper.make_node("Cast", ["sum"], ["wide"], to=TensorProto.DOUBLE),
        helper.make_node("Mul", ["wide", "huge"], ["logits"]),
        huge=np.array(1e300),
    )
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    teacher = load_teacher([str(write(model))])
    with pytest.raises(InputError, match="not finite"):
        cached_logits(teacher, event_table({"text": ["a b"]}), None)
    assert not recwarn.list


def test_two_files_that_name_the_classes_in_another_order_are_refused(write: Write) -> None:
    path = write(summing_model())
    config = {"id2label": {str(i): name for i, name in enumerate(reversed(CLASSES))}}
    path.with_name("config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=r"config\.json: names the classes xss, sqli, benign, labels\.json benign, "):
        load_teacher([str(path)])
    config = {"id2label": {str(i): f"LABEL_{i}" for i in range(3)}}
    path.with_name("config.json").write_text(json.dumps(config))
    assert load_teacher([str(path)]).classes == tuple(CLASSES)


def test_class_names_with_a_number_twice_are_refused(write: Write) -> None:
    """The last of them counted."""
    path = write(summing_model())
    path.with_name("labels.json").write_text('{"0": "benign", "1": "sqli", "2": "xss", "0": "normal"}')
    with pytest.raises(InputError, match=r"labels\.json: .*the name '0' stands twice"):
        load_teacher([str(path)])
