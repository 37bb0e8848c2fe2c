"""Convert the 16-bit floats of an ONNX graph (float16, bfloat16) to float32, which holds each of them exactly.

What is quantized is a graph in float32. bfloat16 cannot even be run otherwise: ONNX Runtime has next to no kernels for
it on a CPU, and numpy no such numbers to give it. Types and attributes are those of onnx.proto3 and ONNX's operators.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SHORT = {TensorProto.FLOAT16: "float16", TensorProto.BFLOAT16: "bfloat16"}
TYPE_ATTRIBUTES = ("to", "dtype", "output_dtype", "stash_type", "softmax_precision")  # whose integer is a type


def short_floats(model: onnx.ModelProto) -> tuple[str, ...]:
    """Name the kinds of 16-bit floats that a model computes with, or takes and gives."""
    found = {_kind(part) for part in _parts(model)}
    return tuple(name for kind, name in SHORT.items() if kind in found)


def in_float32(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with all of its 16-bit floats in float32; what it takes and gives in float16 stays so.

    Parameters
    ----------
    model
        With its weights in it, none outside.
    """
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    graph = changed.graph
    taken = [one.name for one in graph.input if _kind(one.type.tensor_type) == TensorProto.FLOAT16]
    given = [one.name for one in graph.output if _kind(one.type.tensor_type) == TensorProto.FLOAT16]
    weights = {weight.name for weight in graph.initializer}
    for part in list(_parts(changed)):
        _widen(part)
    for name in taken:
        if name not in weights:  # else the input only names a weight
            _rename(changed, name, f"{name}.float32")
            graph.node.insert(0, helper.make_node("Cast", [name], [f"{name}.float32"], to=TensorProto.FLOAT))
    for name in given:
        _rename(changed, name, f"{name}.float32")
        graph.node.append(helper.make_node("Cast", [f"{name}.float32"], [name], to=TensorProto.FLOAT16))
    for one in (*graph.input, *graph.output):
        if one.name in (*given, *(set(taken) - weights)):
            one.type.tensor_type.elem_type = TensorProto.FLOAT16
    return changed


def _parts(message: Any) -> Iterator[Any]:
    """Yield every part of a model that states a type: tensors, attributes, types of inputs, outputs and values."""
    if isinstance(message, (onnx.TensorProto, onnx.AttributeProto, onnx.TypeProto.Tensor)):
        yield message
    if isinstance(message, onnx.TensorProto):
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in value if hasattr(value, "add") else [value]:  # repeated or one
                yield from _parts(part)


def _kind(part: Any) -> int | None:
    if isinstance(part, onnx.TensorProto):
        return int(part.data_type)
    if isinstance(part, onnx.AttributeProto):
        return int(part.i) if part.type == onnx.AttributeProto.INT and part.name in TYPE_ATTRIBUTES else None
    return int(part.elem_type)


def _widen(part: Any) -> None:
    if _kind(part) not in SHORT:
        return
    if isinstance(part, onnx.TensorProto):
        part.CopyFrom(numpy_helper.from_array(np.asarray(numpy_helper.to_array(part)).astype(np.float32), part.name))
    elif isinstance(part, onnx.AttributeProto):
        part.i = TensorProto.FLOAT
    else:
        part.elem_type = TensorProto.FLOAT


def _rename(model: onnx.ModelProto, old: str, new: str) -> None:
    """Rename a tensor where a node makes it and where nodes read it, in sub-graphs too."""
    for node in _nodes(model.graph):
        for names in (node.input, node.output):
            names[:] = [new if name == old else name for name in names]


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in ([attribute.g] if attribute.HasField("g") else []) + list(attribute.graphs):
                yield from _nodes(inner)
