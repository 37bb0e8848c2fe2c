"""Find what of an ONNX graph is quantized: the weights of linear layers, convolutions and embeddings."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from overproof.errors import InputError


@dataclass(frozen=True)
class Layer:
    """One node with a constant float32 weight.

    Attributes
    ----------
    name
        The weight's name; with `#2`, `#3` … for further nodes that share it.
    op
        `Gemm`, `MatMul`, `Conv` or `Gather`.
    node
        The node's place in the graph.
    weight
        Name of the weight.
    values
        The weight, as the file has it.
    channel
        The axis that has a scale each: output channels, or an embedding's columns.
    activation
        The tensor that is multiplied by it; None for an embedding, which is only looked up.
    result
        The tensor that is quantized again after a convolution, because integer convolutions end in integers.
    """

    name: str
    op: str
    node: int
    weight: str
    values: NDArray[np.float32]
    channel: int
    activation: str | None
    result: str | None = None

    @property
    def kind(self) -> str:
        """`linear`, `convolution` or `embedding`."""
        return {"Gather": "embedding", "Conv": "convolution"}.get(self.op, "linear")


def captured(graph: onnx.GraphProto) -> set[str]:
    """Collect the names that the branches of If and the bodies of loops read, their own included."""
    return {name for node in graph.node for inner in _subgraphs(node) for name in reads(inner)}


def reads(graph: onnx.GraphProto) -> set[str]:
    """Collect the names that the graph's nodes and outputs read."""
    return {name for node in graph.node for name in node.input} | {o.name for o in graph.output} | captured(graph)


def find_layers(model: onnx.ModelProto) -> tuple[Layer, ...]:
    """List every layer that can be quantized, in the order of the graph.

    Raises
    ------
    InputError
        If a weight holds inf or NaN; names it.
    """
    weights = {w.name: w for w in model.graph.initializer if w.data_type == onnx.TensorProto.FLOAT}
    readers = Counter(name for node in model.graph.node for name in node.input)
    outputs = {output.name for output in model.graph.output}
    for name in captured(model.graph):  # a branch or a loop goes on reading it as it is
        weights.pop(name, None)
    seen: Counter[str] = Counter()
    found = []
    for place, node in enumerate(model.graph.node):
        which = 0 if node.op_type == "Gather" else 1
        if len(node.input) <= which or node.input[which] not in weights or node.domain not in ("", "ai.onnx"):
            continue
        weight, other = node.input[which], node.input[1 - which]
        if other in weights or not _fits(node, len(weights[weight].dims)):
            continue
        values = numpy_helper.to_array(weights[weight])
        if not np.isfinite(values).all():
            raise InputError(f"layer {weight}: the weights hold inf or NaN, expected finite numbers")
        result = None
        if node.op_type == "Conv":
            result = _after_relu(model, node.output[0], readers)
            if result in outputs:
                continue
        seen[weight] += 1
        name = weight if seen[weight] == 1 else f"{weight}#{seen[weight]}"
        axis = {"Gather": 1, "Conv": 0}.get(node.op_type, 0 if attributes_of(node).get("transB") else 1)
        found.append(Layer(name, node.op_type, place, weight, values, axis, None if which == 0 else other, result))
    return tuple(found)


def _fits(node: onnx.NodeProto, dimensions: int) -> bool:
    """Return whether this node with a weight of that many dimensions is one that can be quantized."""
    attributes = attributes_of(node)
    if node.op_type == "Gemm":
        plain = attributes.get("alpha", 1.0) == 1.0 and attributes.get("beta", 1.0) == 1.0
        return dimensions == 2 and plain and not attributes.get("transA", 0)
    if node.op_type == "Conv":
        return dimensions >= 3
    return dimensions == 2 and (
        node.op_type == "MatMul" or (node.op_type == "Gather" and not attributes.get("axis", 0))
    )


def attributes_of(node: onnx.NodeProto) -> dict[str, Any]:
    """Return a node's attributes by name."""
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def _after_relu(model: onnx.ModelProto, name: str, readers: Counter[str]) -> str:
    """Name a convolution's output, or that of the Relu which alone reads it."""
    if readers[name] == 1:
        reader = next(node for node in model.graph.node if name in node.input)
        if reader.op_type == "Relu":
            return str(reader.output[0])
    return name


def _subgraphs(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    return [graph for a in node.attribute for graph in (a.g, *a.graphs) if graph.node or graph.output]
