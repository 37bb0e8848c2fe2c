"""What of an ONNX graph is quantized: the weights of linear layers, convolutions and embeddings."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from overproof.errors import InputError

MIN_OPSET, OPSET = 13, 21  # DequantizeLinear per channel; INT4 and groups


@dataclass(frozen=True)
class Layer:
    """One node with a constant float32 weight.

    Attributes
    ----------
    name
        The weight's name; with `#1`, `#2` … where several nodes share it.
    op
        `Gemm`, `MatMul`, `Conv` or `Gather`.
    node
        The node's place in the graph.
    weight
        Name of the weight.
    values
        The weight; (in, out) for linear layers, (out, in, …) for convolutions, (rows, columns) for embeddings.
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
    activation: str | None
    result: str | None = None

    @property
    def kind(self) -> str:
        """`linear`, `convolution` or `embedding`."""
        return {"Gather": "embedding", "Conv": "convolution"}.get(self.op, "linear")

    @property
    def channel(self) -> int:
        """The axis of `values` that has a scale each: output channels, or an embedding's columns."""
        return 0 if self.op == "Conv" else 1


def usable(model: onnx.ModelProto, where: str = "the model") -> onnx.ModelProto:
    """The model at an opset with everything that quantization writes.

    Raises
    ------
    InputError
        An opset that cannot be brought to 21, or weights in float16.
    """
    version = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)
    if any(w.data_type in (onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16) for w in model.graph.initializer):
        raise InputError(f"{where}: weights are 16-bit floats, expected float32: export it in float32")
    if version < OPSET:
        try:
            model = onnx.version_converter.convert_version(model, OPSET)
        except Exception as error:  # the converter raises RuntimeError and its own kinds
            if version < MIN_OPSET:
                raise InputError(
                    f"{where}: opset {version} cannot be brought to {OPSET} ({_first_line(error)}); "
                    f"expected {MIN_OPSET} or later: export it anew"
                ) from None
    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.graph.value_info[:]  # shapes that an exporter wrote down are wrong after a rewrite
    return result


def find_layers(model: onnx.ModelProto) -> tuple[Layer, ...]:
    """Every layer that can be quantized, in the order of the graph.

    Raises
    ------
    InputError
        If a weight holds inf or NaN; names it.
    """
    weights = {w.name: w for w in model.graph.initializer if w.data_type == onnx.TensorProto.FLOAT}
    readers = Counter(name for node in model.graph.node for name in node.input)
    outputs = {output.name for output in model.graph.output}
    seen: Counter[str] = Counter()
    found = []
    for place, node in enumerate(model.graph.node):
        which = 0 if node.op_type == "Gather" else 1
        if len(node.input) <= which or node.input[which] not in weights or node.domain not in ("", "ai.onnx"):
            continue
        weight, other = node.input[which], node.input[1 - which]
        values = _oriented(node, numpy_helper.to_array(weights[weight]))
        if values is None or other in weights:
            continue
        if not np.isfinite(values).all():
            raise InputError(f"layer {weight}: the weights hold inf or NaN, expected finite numbers")
        result = None
        if node.op_type == "Conv":
            result = _after_relu(model, node.output[0], readers)
            if result in outputs:
                continue
        seen[weight] += 1
        name = weight if readers[weight] == 1 else f"{weight}#{seen[weight]}"
        found.append(Layer(name, node.op_type, place, weight, values, None if which == 0 else other, result))
    return tuple(found)


def _oriented(node: onnx.NodeProto, w: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """The weight as `Layer.values` has it; None if this node is not one that can be quantized."""
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    if node.op_type == "Gemm" and w.ndim == 2:
        plain = attributes.get("alpha", 1.0) == 1.0 and attributes.get("beta", 1.0) == 1.0
        if not plain or attributes.get("transA", 0):
            return None
        return np.ascontiguousarray(w.T) if attributes.get("transB", 0) else w
    if node.op_type == "MatMul" and w.ndim == 2:
        return w
    if node.op_type == "Conv" and w.ndim >= 3:
        return w
    if node.op_type == "Gather" and w.ndim == 2 and attributes.get("axis", 0) == 0:
        return w
    return None


def _after_relu(model: onnx.ModelProto, name: str, readers: Counter[str]) -> str:
    """A convolution's output, or that of the Relu which alone reads it."""
    if readers[name] == 1:
        reader = next(node for node in model.graph.node if name in node.input)
        if reader.op_type == "Relu":
            return str(reader.output[0])
    return name


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
