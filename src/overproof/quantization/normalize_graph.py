"""Normalize anyone's graph: bring it to the form that quantization expects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from overproof.errors import InputError
from overproof.quantization.layers import attributes_of, captured, reads

OPSET = 21  # INT4, and scales in groups


def normalize_graph(model: onnx.ModelProto, where: str = "the model") -> onnx.ModelProto:
    """Bring the model to an opset with everything that quantization writes, its weights all among the initializers.

    Raises
    ------
    InputError
        An opset that cannot be brought to 21, or a graph that onnx finds invalid.
    """
    version = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), OPSET)
    result = onnx.ModelProto()
    try:
        result.CopyFrom(onnx.version_converter.convert_version(model, OPSET) if version < OPSET else model)
        del result.graph.value_info[:]  # shapes that an exporter wrote down are wrong after a rewrite
        _fold(result.graph)
        _join(result)
        _turn(result.graph)
        onnx.checker.check_model(result)
    except Exception as error:  # the converter raises RuntimeError, the checker its own kind
        raise InputError(
            f"{where}: opset {version} cannot be brought to {OPSET} or is not valid there: {_first_line(error)}"
        ) from None
    return result


def _fold(graph: onnx.GraphProto) -> None:
    """Make constants, and what only renames or transposes one, initializers; none stays an input."""
    weights = {w.name: w for w in graph.initializer}
    kept = []
    for node in graph.node:
        value = _constant(node, weights)
        if value is None or any(node.output[0] == output.name for output in graph.output):
            kept.append(node)
            continue
        weights[node.output[0]] = graph.initializer.add()
        weights[node.output[0]].CopyFrom(value)
        weights[node.output[0]].name = node.output[0]
    _set(graph.node, kept)
    _set(graph.input, [entry for entry in graph.input if entry.name not in weights])
    used = reads(graph)
    _set(graph.initializer, [weight for weight in graph.initializer if weight.name in used])


def _set(field: Any, entries: Sequence[Any]) -> None:
    kept = list(entries)
    del field[:]
    field.extend(kept)


def _constant(node: onnx.NodeProto, weights: Mapping[str, onnx.TensorProto]) -> onnx.TensorProto | None:
    """Return what the node always gives, if that is a tensor stored as it is or only turned."""
    if node.domain not in ("", "ai.onnx"):
        return None
    attributes = attributes_of(node)
    if node.op_type == "Constant":
        return attributes.get("value")
    if node.op_type not in ("Identity", "Transpose", "Cast") or node.input[0] not in weights:
        return None
    source = weights[node.input[0]]
    if node.op_type == "Identity" or (node.op_type == "Cast" and attributes["to"] == source.data_type):
        return source
    if node.op_type == "Cast":
        return None
    return numpy_helper.from_array(
        np.ascontiguousarray(numpy_helper.to_array(source).transpose(attributes.get("perm")))
    )


def _join(model: onnx.ModelProto) -> None:
    """Join x · W + b of two dimensions to one Gemm, as the runtime would, but before its weights are integers.

    The runtime joins any MatMul to the Add behind it, and where that adds what is not a constant bias its Gemm then
    has no integer kernel; it does not join a Sum.
    """
    graph = model.graph
    matrices = {w.name: w for w in graph.initializer if w.data_type == onnx.TensorProto.FLOAT}
    flat = _flat(model)
    products = {
        node.output[0]: node
        for node in graph.node
        if node.op_type == "MatMul" and node.input[0] in flat and node.input[1] in matrices
    }
    readers = Counter([name for node in graph.node for name in node.input])
    readers.update([*captured(graph), *(output.name for output in graph.output)])
    for node in [node for node in graph.node if node.op_type == "Add"]:
        for product, other in (tuple(node.input), tuple(node.input)[::-1]):
            if product not in products:
                continue
            matrix = products[product]
            node.op_type = "Sum"
            width = list(matrices[matrix.input[1]].dims)[1:]
            if readers[product] == 1 and other in matrices and list(matrices[other].dims) == width:
                node.op_type = "Gemm"
                node.input[:] = [*matrix.input, other]
                graph.node.remove(matrix)
            break


def _turn(graph: onnx.GraphProto) -> None:
    """Transpose the weights of Gemms that do so themselves: the runtime's product of 4-bit groups wants them so."""
    weights = {w.name: w for w in graph.initializer}
    turning = [
        n for n in graph.node if n.op_type == "Gemm" and attributes_of(n).get("transB") and n.input[1] in weights
    ]
    elsewhere = captured(graph) | {name for node in graph.node if node not in turning for name in node.input}
    names = {name: f"{name}.T" if name in elsewhere else name for name in (node.input[1] for node in turning)}
    for name, turned in names.items():
        value = np.ascontiguousarray(numpy_helper.to_array(weights[name]).T)
        target = weights[name] if turned == name else graph.initializer.add()
        target.CopyFrom(numpy_helper.from_array(value, turned))
    for node in turning:
        node.input[1] = names[node.input[1]]
        _set(node.attribute, [a for a in node.attribute if a.name != "transB"])


def _flat(model: onnx.ModelProto) -> set[str]:
    """Collect the names of the tensors that are known to have two dimensions."""
    known = onnx.shape_inference.infer_shapes(model).graph
    entries = (*known.input, *known.value_info)
    return {e.name for e in entries if e.type.tensor_type.HasField("shape") and len(e.type.tensor_type.shape.dim) == 2}


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
