"""Read a QDQ file: which matrices a graph multiplies or looks up, and the grids that it stores for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from overproof.errors import InputError
from overproof.quantization.affine import Grid, Scheme
from overproof.quantization.affine.grid import Integers

LINEAR = ("Gemm", "MatMul", "Conv")
EMBEDDING = "Gather"
KINDS = {"Conv": "convolution", EMBEDDING: "embedding"}  # the others are linear
RESHAPING = ("Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Identity")
QUANTIZE, DEQUANTIZE, WIDEN = "QuantizeLinear", "DequantizeLinear", "Cast"
# stored type -> bits, signed
TYPES: dict[int, tuple[int, bool]] = {
    TensorProto.INT8: (8, True),
    TensorProto.UINT8: (8, False),
    TensorProto.INT4: (4, True),
    TensorProto.UINT4: (4, False),
}


@dataclass(frozen=True)
class Matrix:
    """A weight of two or more dimensions, and the operator that uses it first."""

    name: str
    kind: str
    op: str


@dataclass(frozen=True)
class OnGrid:
    """A tensor's name, its grid, and the scheme that the grid was made by."""

    name: str
    grid: Grid
    scheme: Scheme


class Graph:
    """An ONNX graph, read for its matrices."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._nodes = list(model.graph.node)
        self._stored = {weight.name: weight for weight in model.graph.initializer}
        self._maker = {output: node for node in self._nodes for output in node.output}
        self.tensors = {*self._maker, *(value.name for value in model.graph.input)}

    def matrices(self) -> Iterator[Matrix]:
        """Yield the matrices that are multiplied or looked up, in the order of their first use."""
        seen = set()
        for node, name in self._uses():
            if name not in seen:
                seen.add(name)
                yield Matrix(name, KINDS.get(node.op_type, "linear"), node.op_type)

    def array(self, name: str) -> NDArray[Any]:
        """Read a stored tensor; 4-bit integers as bytes.

        Raises
        ------
        InputError
            If the file stores none of that name.
        """
        if name not in self._stored:
            raise InputError(f"the quantized model stores no tensor {name!r}, expected the names of the FP32 model")
        values = numpy_helper.to_array(self._stored[name])
        bits, signed = TYPES.get(self._stored[name].data_type, (None, None))
        return values if bits is None else values.astype(np.int8 if signed else np.uint8)

    def weight(self, name: str) -> OnGrid | None:
        """Read the grid of a stored weight, whose `array` is then integers; None if it is stored as floats."""
        values = self.array(name)
        if self._stored[name].data_type not in TYPES:
            return None
        for node in self._nodes:
            if node.op_type == DEQUANTIZE and self._source(node.input[0], (EMBEDDING, WIDEN)) == name:
                looked_up = (
                    self._source(node.input[0], (WIDEN,)) != name
                )  # the axis is then one of the rows that were asked for: the last
                return self._on_grid(name, node, values, values.ndim - 1 if looked_up else None)
        raise InputError(f"the quantized model stores {name!r} as integers and never dequantizes them")

    def entry(self, name: str) -> OnGrid | None:
        """Read the grid of what a linear layer's weight is multiplied with; None if there is none, or none stored.

        Ranges taken from each batch are not stored; grids of 16 bits are left out.
        """
        for node, weight in self._uses():
            if weight == name and node.op_type in LINEAR:
                others = [x for x in node.input[:2] if self._matrix_behind(x) != name]
                back = self._maker.get(self._source(others[0], RESHAPING)) if others else None
                if back is None or back.op_type != DEQUANTIZE:
                    return None
                forth = self._maker.get(self._source(back.input[0], RESHAPING))
                if forth is None or forth.op_type != QUANTIZE or not self._is_plain(*forth.input[1:]):
                    return None
                return self._on_grid(forth.input[0], forth, None, None)
        return None

    def _is_plain(self, scale: str, zero: str = "") -> bool:
        """Return whether the file stores one scale for the whole tensor, and integers of a known type."""
        if scale not in self._stored or self.array(scale).size != 1:
            return False
        return not zero or (zero in self._stored and self._stored[zero].data_type in TYPES)

    def _uses(self) -> Iterator[tuple[onnx.NodeProto, str]]:
        """Yield every use of a stored matrix: the node, and the matrix' name."""
        for node in self._nodes:
            entries = node.input[:2] if node.op_type in LINEAR else node.input[:1] if node.op_type == EMBEDDING else []
            for tensor in entries:
                name = self._matrix_behind(tensor)
                if name is not None:
                    yield node, name

    def _matrix_behind(self, tensor: str) -> str | None:
        name = self._source(tensor, (*RESHAPING, DEQUANTIZE, WIDEN))
        weight = self._stored.get(name)
        known = weight is not None and len(weight.dims) >= 2 and weight.data_type in (TensorProto.FLOAT, *TYPES)
        return name if known else None

    def _source(self, tensor: str, through: tuple[str, ...]) -> str:
        """Follow a tensor back through nodes of those types alone, each along its first input."""
        while (node := self._maker.get(tensor)) is not None and node.op_type in through:
            tensor = node.input[0]
        return tensor

    def _on_grid(self, name: str, node: onnx.NodeProto, values: Integers | None, axis: int | None) -> OnGrid:
        """Read the grid of a QuantizeLinear or DequantizeLinear node."""
        scale = np.asarray(self.array(node.input[1]), dtype=np.float32)
        zero, kind = np.zeros(scale.shape, np.int32), TensorProto.UINT8
        if len(node.input) > 2:
            zero, kind = self.array(node.input[2]).astype(np.int32), self._stored[node.input[2]].data_type
        if values is not None:
            kind = self._stored[name].data_type
        scheme = _scheme(kind, zero, values)
        chosen = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        block = int(chosen.get("block_size", 0))
        if scale.size == 1 and not block:
            scale, zero = scale.reshape(()), zero.reshape(())
        place = int(chosen.get("axis", 1)) if axis is None else axis
        return OnGrid(name, Grid(scale, zero, *scheme.limits, place, block), scheme)


def _scheme(kind: int, zero: NDArray[np.int32], values: Integers | None) -> Scheme:
    """Find the narrowest scheme of a stored type that holds its zero points and, for weights, all integers."""
    bits, signed = TYPES[kind]
    widest = Scheme(bits, signed=signed)
    if values is None or not values.size:
        return widest
    for reduced in (True, False):
        scheme = Scheme(bits, symmetric=True, signed=signed, reduced=reduced)
        low, high = scheme.limits
        if (zero == (low + high) // 2).all() and values.min() >= low and values.max() <= high:
            return scheme
    return widest
