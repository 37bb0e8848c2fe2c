"""Write QDQ nodes: a quantized graph while it grows, its nodes in order and its weights as stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from overproof.quantization.affine import Grid, grid_of, quantize
from overproof.quantization.calibrate import Ranges
from overproof.quantization.layers import Layer, captured, reads
from overproof.quantization.precisions import STATIC
from overproof.quantization.schemes import ACTIVATIONS

# What ONNX Runtime joins to a product before it looks for integer kernels, which such a pair does not have.
FUSED = (
    "Relu",
    "Clip",
    "Elu",
    "HardSigmoid",
    "LeakyRelu",
    "Sigmoid",
    "Softplus",
    "Softsign",
    "Tanh",
    "ThresholdedRelu",
)


class QdqWriter:
    """A new graph while it is written: nodes in order, weights as stored."""

    def __init__(self, origin: onnx.ModelProto, ranges: Ranges, replaced: set[str]) -> None:
        self.origin = origin
        self.ranges = ranges
        self.weights = {w.name: w for w in origin.graph.initializer}
        self.as_integers: set[str | None] = set()  # activations that are read on a fixed grid
        self.nodes: list[onnx.NodeProto] = []
        self.pairs: dict[tuple[str, bool], tuple[str, Grid | None]] = {}
        self.results: dict[str, str] = {}  # what a convolution ends in → its name when dequantized
        self.renamed: dict[str, str] = {}  # tensors that are read under another name from here on
        self.floats = {name: w for name, w in self.weights.items() if name in replaced}
        self.dequantized: dict[str, list[tuple[Grid, str]]] = {}  # weight → its grids, each with a tensor's name
        self.readers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
        for node in origin.graph.node:
            for name in node.input:
                self.readers[name].append(node)
        written = {name for node in origin.graph.node for name in node.output}
        self.taken = {*self.weights, *written, *(i.name for i in origin.graph.input), *captured(origin.graph)}

    def fresh(self, name: str) -> str:
        """Return the name, or one like it that nothing in the graph has."""
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name

    def store(self, name: str, value: NDArray[Any]) -> str:
        """Store a constant under a name of its own."""
        name = self.fresh(name)
        self.weights[name] = numpy_helper.from_array(value, name)
        return name

    def keep(self, node: onnx.NodeProto) -> None:
        """Keep the node as it is, but for inputs that now come from a grid."""
        self.nodes.append(_reading(node, [self.read(name) for name in node.input]))
        self.requantize(node.output)

    def read(self, name: str) -> str:
        """Return the name under which a tensor is read in float."""
        if name in self.floats and name not in self.renamed:  # another node has the same weight as integers
            self.renamed[name] = self.store(f"{name}.float", numpy_helper.to_array(self.floats[name]))
        return self.renamed.get(name, name)

    def linear(self, node: onnx.NodeProto, layer: Layer, grid: Grid, precision: str) -> None:
        """Append x̂ · ŵ or a convolution; a constant bias goes on the product's own grid, int32 at scale_x · scale_w."""
        x, grid_x = self.activation(layer, precision)
        bias = [self.read(name) for name in node.input[2:]]
        value = self.constant_bias(node, layer)
        if value is not None and grid_x is not None:
            grid = _wide_enough(grid, layer, value, grid_x.scale)
            bias = [self.bias(layer, value, grid_x.scale * grid.scale)]
        elif value is not None:
            bias = [self.store(f"{layer.name}.bias", value)]
        self.nodes.append(_reading(node, [x, self.integers(layer, grid), *bias]))
        if layer.kind == "linear" and self.would_be_fused(node.output[0], precision):
            self.nodes[-1].output[0] = self.fresh(f"{layer.name}.product")
            self.nodes.append(
                helper.make_node("Sum", [self.nodes[-1].output[0]], list(node.output), f"{layer.name}.sum")
            )
        if layer.result is not None and precision in STATIC:
            self.results[layer.result] = self.renamed[layer.result] = self.fresh(f"{layer.result}.dq")
            self.requantize(node.output)

    def would_be_fused(self, product: str, precision: str) -> bool:
        """Return whether the runtime would join the float product with an activation, if nothing is between."""
        after = self.readers[product]
        to_integers = precision in STATIC and any(reader.output[0] in self.as_integers for reader in after)
        return any(reader.op_type in FUSED for reader in after) and not to_integers

    def requantize(self, written: Iterable[str]) -> None:
        """Put a convolution's result on its grid as soon as it is there; integer convolutions also end in integers."""
        for name in written:
            if name in self.results:
                self.pair(name, static=True)

    def embedding(self, node: onnx.NodeProto, layer: Layer, grid: Grid) -> None:
        """Look the integers up and dequantize only the rows that were asked for."""
        table = self.stored(layer, grid)
        looked_up = self.fresh(f"{layer.name}.rows")
        indices = self.read(node.input[1])
        self.nodes.append(helper.make_node("Gather", [table, indices], [looked_up], node.name, axis=0))
        inputs = [looked_up, *self.scales(layer.name, grid)]
        self.nodes.append(helper.make_node("DequantizeLinear", inputs, list(node.output), f"{layer.name}.dq", axis=-1))
        self.requantize(node.output)

    def activation(self, layer: Layer, precision: str) -> tuple[str, Grid | None]:
        """Return the name under which the layer reads its activation, and its grid if that is fixed."""
        assert layer.activation is not None
        if precision == "w4a32":
            return self.read(layer.activation), None
        return self.pair(layer.activation, static=precision != "dynamic" or layer.activation in self.results)

    def pair(self, x: str, *, static: bool) -> tuple[str, Grid | None]:
        """Put QuantizeLinear and DequantizeLinear behind x, once; return their output, and the grid if it is fixed."""
        if (x, static) not in self.pairs:
            self.pairs[x, static] = self.static_pair(x) if static else self.dynamic_pair(x)
        return self.pairs[x, static]

    def static_pair(self, x: str) -> tuple[str, Grid]:
        grid = grid_of(*self.ranges[x], ACTIVATIONS)
        scales = self.scales(x, grid)
        q, result = self.fresh(f"{x}.q"), self.results.get(x) or self.fresh(f"{x}.dq")
        self.nodes.append(helper.make_node("QuantizeLinear", [x, *scales], [q], q))
        self.nodes.append(helper.make_node("DequantizeLinear", [q, *scales], [result], result))
        return result, grid

    def dynamic_pair(self, x: str) -> tuple[str, None]:
        names = [self.fresh(f"{x}.dynamic.{part}") for part in ("q", "scale", "zero")]
        result = self.fresh(f"{x}.dynamic")
        self.nodes.append(helper.make_node("DynamicQuantizeLinear", [x], names, names[0]))
        self.nodes.append(helper.make_node("DequantizeLinear", names, [result], result))
        return result, None

    def integers(self, layer: Layer, grid: Grid) -> str:
        """Dequantize the weight from what is stored; returns the tensor's name."""
        for known, name in self.dequantized.setdefault(layer.weight, []):
            if _same(known, grid):  # another node has the same weight on the same grid
                return name
        result = self.fresh(f"{layer.name}.dq")
        attributes: dict[str, Any] = {"block_size": grid.block} if grid.block else {}
        inputs = [self.stored(layer, grid), *self.scales(layer.name, grid)]
        axis = grid.axis % layer.values.ndim
        self.nodes.append(helper.make_node("DequantizeLinear", inputs, [result], result, axis=axis, **attributes))
        self.dequantized[layer.weight].append((grid, result))
        return result

    def stored(self, layer: Layer, grid: Grid) -> str:
        """Store the integers; 4-bit ones of a channel are widened by a Cast that the runtime runs once, at loading."""
        q = quantize(layer.values, grid)
        if grid.qmax - grid.qmin > 15:
            self.weights[layer.name] = numpy_helper.from_array(q, layer.name)
            return layer.name
        self.weights[layer.name] = _int4(layer.name, q)
        if grid.block:
            return layer.name
        wide = self.fresh(f"{layer.name}.wide")
        self.nodes.append(helper.make_node("Cast", [layer.name], [wide], wide, to=TensorProto.INT8))
        return wide

    def constant_bias(self, node: onnx.NodeProto, layer: Layer) -> NDArray[np.float32] | None:
        """Return the bias, one number a channel, if it is a constant."""
        stored = self.weights.get(node.input[2]) if len(node.input) > 2 else None
        if stored is None or stored.data_type != TensorProto.FLOAT or max(stored.dims[:-1], default=1) > 1:
            return None
        return np.broadcast_to(numpy_helper.to_array(stored).reshape(-1), layer.values.shape[layer.channel])

    def bias(self, layer: Layer, value: NDArray[np.float32], scale: NDArray[np.float32]) -> str:
        limit = np.iinfo(np.int32)
        q = np.clip(np.rint(value.astype(np.float64) / scale), limit.min, limit.max).astype(np.int32)
        grid = Grid(np.asarray(scale), np.zeros(scale.shape, np.int32), limit.min, limit.max)
        inputs = [self.store(f"{layer.name}.bias", q), *self.scales(f"{layer.name}.bias", grid)]
        result = self.fresh(f"{inputs[0]}.dq")
        self.nodes.append(helper.make_node("DequantizeLinear", inputs, [result], result, axis=0))
        return result

    def scales(self, name: str, grid: Grid) -> list[str]:
        """Store scale and zero point; groups have none, so that the runtime finds its product of 4-bit groups."""
        scale = self.store(f"{name}.scale", grid.scale)
        if grid.block:
            return [scale]
        kind: Any = np.int32 if grid.qmax > 255 else grid.dtype
        return [scale, self.store(f"{name}.zero", grid.zero_point.astype(kind))]

    def model(self) -> onnx.ModelProto:
        result = onnx.ModelProto()
        result.CopyFrom(self.origin)
        result.ir_version = max(self.origin.ir_version, 10)
        result.producer_name = "overproof"
        del result.graph.node[:], result.graph.initializer[:]
        result.graph.node.extend(self.nodes)
        used = reads(result.graph)
        result.graph.initializer.extend(weight for name, weight in self.weights.items() if name in used)
        onnx.checker.check_model(result)
        return result


def _same(one: Grid, other: Grid) -> bool:
    """Return whether two grids round alike."""
    kinds = [(g.axis, g.block, g.qmin, g.qmax) for g in (one, other)]
    return kinds[0] == kinds[1] and all(
        np.array_equal(getattr(one, part), getattr(other, part)) for part in ("scale", "zero_point")
    )


def _wide_enough(grid: Grid, layer: Layer, bias: NDArray[np.float32], scale_x: NDArray[np.float32]) -> Grid:
    """Widen the grid's steps until the bias fits int32 at scale_x · scale_w.

    That only moves channels whose weights are a billionth of their bias or less; those without any weight get
    steps as fine as the bias allows.
    """
    reach = np.maximum(np.abs(bias.astype(np.float64)) / (2**31 - 1), np.finfo(np.float32).tiny)
    least = (reach / scale_x * (1 + 1e-6)).astype(np.float32)
    weights = np.moveaxis(layer.values, layer.channel, 0).reshape(len(bias), -1)
    return replace(grid, scale=np.where(weights.any(axis=1), np.maximum(grid.scale, least), least))


def _reading(node: onnx.NodeProto, inputs: list[str]) -> onnx.NodeProto:
    """Copy the node with other inputs."""
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    copy.input[:] = inputs
    return copy


def _int4(name: str, q: NDArray[np.integer[Any]]) -> TensorProto:
    """Pack two values a byte, the first in the low half (ONNX's packing of INT4)."""
    nibbles = np.append(q.reshape(-1), [0] * (q.size % 2)).astype(np.uint8) & 15
    packed = (nibbles[0::2] | nibbles[1::2] << 4).astype(np.uint8)
    return helper.make_tensor(name, TensorProto.INT4, q.shape, packed.tobytes(), raw=True)
