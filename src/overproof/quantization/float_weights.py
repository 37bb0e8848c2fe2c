"""Read the weights of a quantized student back in float: what somebody knows who holds its file."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

from overproof.bundle.runtime import session

FROM_CONSTANTS = ("Cast", "DequantizeLinear")  # between the integers that are stored and the numbers that are computed


def float_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model of initializers alone: each weight in float, under its name before quantization.

    The inverse of `rewrite`, but for what rounding took. A model that is not quantized gives its own weights.
    """
    nodes = _dequantizing(model)
    stored = {weight.name: weight for weight in model.graph.initializer}
    found = {name: numpy_helper.to_array(weight) for name, weight in stored.items() if not _rounded(weight)}
    if nodes:
        outputs = [node.output[0] for node in nodes if node.op_type == "DequantizeLinear"]
        used = {name for node in nodes for name in node.input}
        body = helper.make_graph(
            nodes,
            "weights",
            [],
            [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in outputs],
            [weight for name, weight in stored.items() if name in used],
        )
        alone = helper.make_model(body, opset_imports=model.opset_import, ir_version=model.ir_version)
        values = session(alone.SerializeToString()).run(outputs, {})
        found.update(zip((name.removesuffix(".dq") for name in outputs), values, strict=True))
    read = onnx.ModelProto()
    read.graph.initializer.extend(
        numpy_helper.from_array(np.ascontiguousarray(value), name.replace(".weight.bias", ".bias"))
        for name, value in found.items()
    )
    return read


def _rounded(weight: onnx.TensorProto) -> bool:
    return weight.data_type not in (onnx.TensorProto.FLOAT, onnx.TensorProto.INT64)


def _dequantizing(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """Return what computes float weights from stored ones; of a table of which rows are looked up, all rows."""
    constant = {weight.name for weight in model.graph.initializer}
    tables: dict[str, str] = {}  # rows that are looked up → where
    found = []
    for node in model.graph.node:
        if node.op_type == "Gather" and node.input[0] in constant:
            tables[node.output[0]] = node.input[0]
        if node.op_type not in FROM_CONSTANTS:
            continue
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        if node.input[0] in tables:
            copy.input[0] = tables[node.input[0]]
            copy.output[0] = f"{copy.input[0].removesuffix('.wide')}.dq"
        if all(name in constant for name in copy.input):
            constant.add(copy.output[0])
            found.append(copy)
    return found
