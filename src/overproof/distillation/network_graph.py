"""Write a network of torch as an ONNX graph of few nodes, and read one back.

The graph is written node by node (docs/decisions/002): a small model's time is its number of nodes, and
torch's exporter leaves shape arithmetic and unfused attention behind.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from overproof.bundle.ngrams import NgramTable
from overproof.bundle.runtime import OUTPUT
from overproof.bundle.tokenizer import PAD, TokenBytes
from overproof.bundle.windows import INPUT, NGRAMS_INPUT
from overproof.distillation.embedding_output import TOKENS, with_embedding
from overproof.distillation.students.encoder import MASKED, Encoder
from overproof.distillation.students.ngrams import NgramNetwork
from overproof.distillation.students.presets import EncoderConfig, NetworkConfig, NgramConfig
from overproof.errors import InputError

OPSET = 21
TABLE = "ngrams.table"  # not in the file: whole numbers are added up before it runs


@dataclass
class _Graph:
    """Nodes and weights gathered while the graph is written."""

    weights: dict[str, NDArray[np.generic]]
    nodes: list[onnx.NodeProto] = field(default_factory=list)

    def add(self, op: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Append one node with one output and return the output's name."""
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        self.weights[name] = value
        return name

    def linear(self, x: str, name: str) -> str:
        """Append x · W + b over rows; x is (rows, features)."""
        return self.add("Gemm", [x, f"{name}.weight", f"{name}.bias"], name)

    def norm(self, x: str, name: str) -> str:
        return self.add("LayerNormalization", [x, f"{name}.weight", f"{name}.bias"], name, axis=-1, epsilon=1e-5)


def to_onnx(network: Encoder | NgramNetwork) -> onnx.ModelProto:
    """Write a network as an ONNX model.

    An encoder's input is `input_ids` (batch, tokens) int64, padded with 0; what reads n-grams takes `ngrams` (batch,
    width) float32, what `NgramTable.pooled` returns, whose table is a file of its own. The first output is `logits`
    (batch, classes), the second, `embedding` (batch, hidden), what the head reads (see
    `embedding_output.with_embedding`). All linear layers work on (batch · tokens, features), so that each is one Gemm;
    only attention sees the batch.
    """
    config = network.config
    weights = {k: v.detach().cpu().numpy() for k, v in network.state_dict().items()}
    for name in [n for n in weights if n.endswith(".weight") and weights[n].ndim == 2 and n != "tokens.weight"]:
        weights[name] = np.ascontiguousarray(weights[name].T)  # (in, out): what Gemm wants without transB
    weights = {name: w * np.float32(folded(config, name)) for name, w in weights.items()}
    graph = _Graph(weights)
    read = _ngrams(graph) if isinstance(config, NgramConfig) else _encoder(graph, config)
    if isinstance(config, EncoderConfig) and config.ngrams is not None:
        known = graph.norm(_ngrams(graph), "ngrams_norm")
        read = graph.add("Concat", [read, known], "joined", axis=1)
    graph.linear(read, "head")
    graph.nodes[-1].output[0] = OUTPUT
    return _model(graph, config, classes=network.head.out_features)


@dataclass(frozen=True)
class ReadWith:
    """What a network's weights in ONNX do not tell: the table of its n-grams, and the bytes of its tokens."""

    table: NgramTable | None = None
    tokens: TokenBytes | None = None


def from_onnx(
    model: onnx.ModelProto, config: NetworkConfig, read_with: ReadWith = ReadWith()
) -> Encoder | NgramNetwork:
    """Read the network that `to_onnx` wrote: its inverse.

    Raises
    ------
    InputError
        If the file is not one of those, or is of other sizes.
    """
    stored = {w.name: numpy_helper.to_array(w) for w in model.graph.initializer}
    if "head.bias" not in stored:
        raise InputError("the model is not a network that overproof wrote")
    classes = len(stored["head.bias"])
    network: Encoder | NgramNetwork
    if isinstance(config, NgramConfig):
        network = NgramNetwork(config, classes)
    else:
        network = Encoder(config, classes, read_with.tokens)
    weights = {}
    for name, value in network.state_dict().items():
        if name == TABLE:
            weights[name] = value
            continue
        if name not in stored:
            raise InputError(f"the model has no weight {name}: it is not a network that overproof wrote")
        linear = value.ndim == 2 and name not in ("tokens.weight", "positions")
        found = stored[name].T if linear else stored[name]
        if found.shape != tuple(value.shape):
            raise InputError(f"weight {name} has shape {found.shape}, expected {tuple(value.shape)}")
        weights[name] = torch.from_numpy(np.ascontiguousarray(found / np.float32(folded(config, name))))
    network.load_state_dict(weights)
    if network.ngrams is not None and read_with.table is not None:
        network.ngrams.restore(read_with.table)
    return network.eval()


def folded(config: NetworkConfig, name: str) -> float:
    """Return what a weight is multiplied by on its way into the file: the query carries 1 / √d of attention scores."""
    if ".query." not in name or not isinstance(config, EncoderConfig):
        return 1.0
    return float((config.hidden // config.heads) ** -0.5)


def _encoder(graph: _Graph, config: EncoderConfig) -> str:
    """Append the encoder; returns what a head reads of it, (batch, hidden)."""
    _constants(graph, config)
    x, mask = _embed(graph), _mask(graph)
    for i in range(config.layers):
        x = _layer(graph, x, mask, i, last=i == config.layers - 1)
    return graph.norm(x, "final_norm")


def _ngrams(graph: _Graph) -> str:
    """Append the layer behind the n-grams; returns its features, (batch, hidden)."""
    return graph.add("Relu", [graph.linear(NGRAMS_INPUT, "ngrams.hidden")], "ngrams.relu")


def _constants(graph: _Graph, config: EncoderConfig) -> None:
    d, h = config.hidden, config.heads
    graph.constant("zero", np.array([0]))
    graph.constant("first", np.array(0))
    graph.constant("pad", np.array(PAD))
    graph.constant("masked", np.array(MASKED, dtype=np.float32))
    graph.constant("kept", np.array(0, dtype=np.float32))
    graph.constant("rows", np.array([-1, d]))
    graph.constant("one_by_head", np.array([0, 1, h, d // h]))
    graph.constant("tail_by_head", np.array([-1, h, d // h]))
    graph.constant("tail_by_token", np.array([-1, d]))
    graph.add("Shape", [INPUT], "batch", start=0, end=1)
    graph.add("Concat", ["batch", "tail_by_head"], "by_head", axis=0)
    graph.add("Concat", ["batch", "tail_by_token"], "by_token", axis=0)


def _embed(graph: _Graph) -> str:
    """Add token and position, normalized, as rows (batch · tokens, hidden)."""
    graph.add("Shape", [INPUT], "length", start=1, end=2)
    graph.add("Slice", ["positions", "zero", "length"], "place")
    graph.add("Gather", ["tokens.weight", INPUT], "token")
    return graph.norm(
        graph.add("Reshape", [graph.add("Add", ["token", "place"], "sum"), "rows"], TOKENS), "embedding_norm"
    )


def _mask(graph: _Graph) -> str:
    """Make what is added to attention scores, (batch, 1, 1, tokens): 0, and MASKED at padding."""
    graph.add("Where", [graph.add("Equal", [INPUT, "pad"], "padding"), "masked", "kept"], "bias")
    return graph.add("Unsqueeze", ["bias", graph.constant("axes_1_2", np.array([1, 2]))], "mask")


def _layer(graph: _Graph, x: str, mask: str, index: int, *, last: bool) -> str:
    """Append one layer on rows (batch · tokens, hidden); the last one answers for [CLS] alone: (batch, hidden)."""
    p = f"layers.{index}"
    normal = asked = graph.norm(x, f"{p}.attention_norm")
    if last:
        x, asked = _first_token(graph, x, f"{p}.stream"), _first_token(graph, normal, f"{p}.asked")
    both = graph.linear(normal, f"{p}.key_value")
    graph.nodes.append(helper.make_node("Split", [both], [f"{p}.k", f"{p}.v"], f"{p}.split", axis=1, num_outputs=2))
    query = _heads(graph, graph.linear(asked, f"{p}.query"), f"{p}.q", "one_by_head" if last else "by_head")
    key = _heads(graph, f"{p}.k", f"{p}.kt", "by_head", perm=[0, 2, 3, 1])
    value = _heads(graph, f"{p}.v", f"{p}.vt", "by_head")
    scores = graph.add("Add", [graph.add("MatMul", [query, key], f"{p}.qk"), mask], f"{p}.scores")
    mixed = graph.add("MatMul", [graph.add("Softmax", [scores], f"{p}.share", axis=-1), value], f"{p}.mixed")
    context = graph.add(
        "Reshape", [graph.add("Transpose", [mixed], f"{p}.ct", perm=[0, 2, 1, 3]), "rows"], f"{p}.context"
    )
    x = graph.add("Add", [graph.linear(context, f"{p}.output"), x], f"{p}.attended")
    inner = graph.add("Relu", [graph.linear(graph.norm(x, f"{p}.feed_forward_norm"), f"{p}.widen")], f"{p}.inner")
    return graph.add("Add", [graph.linear(inner, f"{p}.narrow"), x], f"{p}.result")


def _heads(graph: _Graph, x: str, name: str, shape: str, perm: tuple[int, ...] | list[int] = (0, 2, 1, 3)) -> str:
    """Turn rows to (batch, heads, tokens, width), or to the order that `perm` says."""
    return graph.add("Transpose", [graph.add("Reshape", [x, shape], f"{name}.split")], name, perm=list(perm))


def _first_token(graph: _Graph, x: str, name: str) -> str:
    """Cut rows to the first row of each event: (batch, hidden)."""
    return graph.add("Gather", [graph.add("Reshape", [x, "by_token"], f"{name}.tokens"), "first"], name, axis=1)


def _inputs(config: NetworkConfig) -> list[onnx.ValueInfoProto]:
    found = []
    if isinstance(config, EncoderConfig):
        found.append(helper.make_tensor_value_info(INPUT, TensorProto.INT64, ["batch", "tokens"]))
    if config.ngrams is not None:
        width = config.ngrams.width
        found.append(helper.make_tensor_value_info(NGRAMS_INPUT, TensorProto.FLOAT, ["batch", width]))
    return found


def _model(graph: _Graph, config: NetworkConfig, classes: int) -> onnx.ModelProto:
    used = {name for node in graph.nodes for name in node.input}
    body = helper.make_graph(
        graph.nodes,
        "overproof",
        _inputs(config),
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", classes])],
        [numpy_helper.from_array(w, name) for name, w in graph.weights.items() if name in used],
    )
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="overproof")
    model.ir_version = 10
    return with_embedding(model)
