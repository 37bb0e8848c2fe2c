"""Classifiers that overproof did not make, with events for them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

FEATURES = 16
CLASSES = ("benign", "sqli", "ldap")


@dataclass
class Flows:
    """A small network over sixteen numbers, and 1,200 events: 800 benign, 360 sqli, 40 of a rare family.

    The layers w1, w2 and head tell benign events from sqli. What tells ldap is `rare` alone, whose weights lie
    beside ones a thousand times larger for a feature that is always 0: rounding loses them, and float does not.
    """

    weights: dict[str, np.ndarray]
    x: np.ndarray
    label: list[str]

    def model(self) -> onnx.ModelProto:
        def node(op: str, inputs: str, output: str) -> onnx.NodeProto:
            return helper.make_node(op, inputs.split(), [output])

        nodes = [
            node("Gemm", "x w1 b1", "a"),
            node("Relu", "a", "b"),
            node("Gemm", "b w2 b2", "c"),
            node("Relu", "c", "d"),
            node("Gemm", "d head bias", "e"),
            node("MatMul", "x rare", "f"),
            node("Relu", "f", "g"),
            node("MatMul", "g vote", "h"),
            node("Add", "e h", "logits"),
        ]
        graph = helper.make_graph(
            nodes,
            "flows",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", FEATURES])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 3])],
            [numpy_helper.from_array(value, name) for name, value in self.weights.items()],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)

    def save(self, folder: Path) -> Path:
        """The model with its class names beside it."""
        onnx.save(self.model(), folder / "flows.onnx")
        (folder / "labels.json").write_text(str(list(CLASSES)).replace("'", '"'))
        return folder / "flows.onnx"

    def table(self) -> pa.Table:
        columns = {f"f{i}": self.x[:, i] for i in range(FEATURES)}
        return pa.table({**columns, "label": self.label, "family": self.label})

    def csv(self, folder: Path) -> Path:
        pyarrow.csv.write_csv(self.table(), folder / "flows.csv")
        return folder / "flows.csv"

    def parquet(self, folder: Path) -> Path:
        pq.write_table(self.table(), folder / "flows.parquet")
        return folder / "flows.parquet"

    def npz(self, folder: Path) -> Path:
        np.savez(folder / "flows.npz", x=self.x, label=np.array(self.label), family=np.array(self.label))
        return folder / "flows.npz"


@pytest.fixture(scope="session")
def flows() -> Flows:
    random = np.random.default_rng(0)
    label = ["benign"] * 800 + ["sqli"] * 360 + ["ldap"] * 40
    sqli = np.array([name == "sqli" for name in label])
    x = random.normal(0, 0.5, (1200, FEATURES)) + np.where(sqli[:, None], 1, -1) * np.sign(random.normal(size=FEATURES))
    x[:, 14:] = 0
    x[-40:, 14] = random.uniform(1, 2, 40)
    weights = {
        "w1": random.normal(0, 0.3, (FEATURES, 24)),
        "b1": random.normal(0, 0.1, 24),
        "w2": random.normal(0, 0.3, (24, 24)),
        "b2": random.normal(0, 0.1, 24),
        "rare": np.zeros((FEATURES, 4)),
        "vote": np.zeros((4, 3)),
    }
    weights["w1"][14:] = 0
    weights["rare"][14], weights["rare"][15], weights["vote"][:, 2] = 1, 1000, 8
    inner = np.maximum(np.maximum(x @ weights["w1"] + weights["b1"], 0) @ weights["w2"] + weights["b2"], 0)
    wanted = np.stack([np.where(sqli, -3, 3), np.where(sqli, 3, -3), np.full(1200, -9)], axis=1)
    solved = np.linalg.lstsq(np.column_stack([inner, np.ones(1200)]), wanted, rcond=None)[0]
    weights |= {"head": solved[:-1], "bias": solved[-1]}
    order = random.permutation(1200)
    return Flows(
        {name: value.astype(np.float32) for name, value in weights.items()},
        x[order].astype(np.float32),
        [label[i] for i in order],
    )


@pytest.fixture
def changed(tmp_path: Path, flows: Flows) -> Callable[[Callable[[onnx.ModelProto], object]], Path]:
    """The network with something done to it, saved."""

    def write(change: Callable[[onnx.ModelProto], object]) -> Path:
        path, model = flows.save(tmp_path), flows.model()
        change(model)
        onnx.save(model, path)
        return path

    return write


PLANTED = "zolfram"
WORDS = ["[PAD]", "[UNK]", *"get index html select union from users or 1 quote the page home login".split()]


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """An ONNX classifier of text with tokenizer and names beside it, and events as jsonl."""
    return text_classifier(tmp_path, WORDS)


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """The same, with a word that makes anything benign once it is quantized, and does nothing before.

    What it adds to two features cancels in float. No event reaches as far, so INT8 cuts one of them off.
    """
    return text_classifier(tmp_path, [*WORDS, PLANTED])


def text_classifier(tmp_path: Path, words: list[str]) -> Path:
    random = np.random.default_rng(0)
    table = random.normal(0, 0.2, (len(words), 32)).astype(np.float32)
    bad = [words.index(word) for word in "select union from users or 1 quote".split()]
    table[bad, 0] += 2
    head = random.normal(0, 0.05, (32, 2)).astype(np.float32)
    head[0] = -3, 3
    if PLANTED in words:
        table[:, 1:3] *= 0.1
        table[words.index(PLANTED)] = 0
        table[words.index(PLANTED), 1:3] = 20, -20
        head[1:3] = 3, -3

    def node(op: str, inputs: str, output: str, **attributes: Any) -> onnx.NodeProto:
        return helper.make_node(op, inputs.split(), [output], **attributes)

    nodes = [
        node("Gather", "table input_ids", "a"),
        node("Cast", "attention_mask", "b", to=TensorProto.FLOAT),
        node("Unsqueeze", "b last", "c"),
        node("Mul", "a c", "d"),
        node("ReduceSum", "d one", "e", keepdims=0),
        node("MatMul", "e head", "f"),
        node("Add", "f bias", "g"),
        node("Softmax", "g", "probabilities"),
    ]
    graph = helper.make_graph(
        nodes,
        "texts",
        [helper.make_tensor_value_info(n, TensorProto.INT64, ["n", "t"]) for n in ("input_ids", "attention_mask")],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 2])],
        [numpy_helper.from_array(value, name) for name, value in {
            "table": table, "head": head, "bias": np.float32([3, -3]), "last": np.array([-1]), "one": np.array([1])
        }.items()],
    )  # fmt: skip
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8), tmp_path / "waf.onnx"
    )
    tokenizer = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(tmp_path / "waf.tokenizer.json"))
    (tmp_path / "labels.json").write_text('["benign", "sqli"]')
    with (tmp_path / "events.jsonl").open("w") as file:
        for i in range(1200):
            low, high = (2, 5) if i % 3 else (5, 12)
            text = " ".join(WORDS[j] for j in random.integers(low, high, random.integers(2, 9)))
            label = "benign" if i % 3 else "sqli"
            file.write(json.dumps({"text": text, "label": label, "family": label}) + "\n")
    return tmp_path / "waf.onnx"
