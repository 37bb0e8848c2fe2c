"""Give a student's file its embedding as an output: what its head reads, in float or dequantized."""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper

from overproof.bundle.runtime import EMBEDDING, OUTPUT
from overproof.errors import InputError

HEAD, TOKENS = "head.weight", "embedded"
DEQUANTIZE = "DequantizeLinear"


def with_embedding(model: onnx.ModelProto) -> onnx.ModelProto:
    """Add a second output `embedding`, (windows, hidden): what the head reads. The logits stay as they are.

    A quantized head's input is dequantized once more for it, so that the head's product stays one of integers. A model
    that has the output already gets it anew.

    Raises
    ------
    InputError
        If the file is not a network that overproof wrote.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    maker = {name: node for node in graph.node for name in node.output}
    width = _width(graph)
    if width is None or OUTPUT not in maker:
        raise InputError("the model is not a network that overproof wrote: it has no head")
    if EMBEDDING in maker:
        _clear(graph, maker[EMBEDDING])
    read = maker[OUTPUT].input[0]
    if maker[read].op_type == DEQUANTIZE:
        shown = helper.make_node(DEQUANTIZE, list(maker[read].input), [EMBEDDING], EMBEDDING)
    else:
        shown = helper.make_node("Identity", [read], [EMBEDDING], EMBEDDING)
    graph.node.append(shown)
    if not gives_embedding(model):
        graph.output.append(helper.make_tensor_value_info(EMBEDDING, TensorProto.FLOAT, ["batch", width]))
    onnx.checker.check_model(result)
    return result


def follow_embedding(model: onnx.ModelProto) -> onnx.ModelProto:
    """Make a rewritten model's `embedding` what its head now reads; one that has none of ours is left as it is."""
    return with_embedding(model) if gives_embedding(model) and _width(model.graph) is not None else model


def gives_embedding(model: onnx.ModelProto) -> bool:
    """Return whether an output has that name."""
    return any(output.name == EMBEDDING for output in model.graph.output)


def _clear(graph: onnx.GraphProto, node: onnx.NodeProto) -> None:
    """Free the name: files from before there was an embedding call their embedded tokens so."""
    readers = [reader for reader in graph.node if EMBEDDING in reader.input]
    if not readers:
        graph.node.remove(node)
        return
    for reader in readers:
        reader.input[:] = [TOKENS if name == EMBEDDING else name for name in reader.input]
    node.name = node.output[0] = TOKENS


def _width(graph: onnx.GraphProto) -> int | None:
    return next((int(weight.dims[0]) for weight in graph.initializer if weight.name == HEAD), None)
