"""Writing the quantized model: standard QDQ ONNX, each layer at the precision asked for.

w8a8: S8 weights per output channel in the reduced range, U8 activations per tensor over ranges fixed at
calibration: integer arithmetic, the same verdict in every batch and on every CPU. w4a8: the same with 4-bit
weights, which the runtime widens to S8 once, when it loads the file. w4a32: 4-bit weights in groups of 32, activations
in float. dynamic: w8a8 with ranges taken from each batch anew, to compare with only (docs/decisions/003).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from overproof.affine import Grid, Scheme, fit, grid_of, minmax, mse, quantize
from overproof.compression.feeds import Feed
from overproof.compression.quantization.calibrate import Ranges, observe
from overproof.compression.quantization.layers import Layer, find_layers
from overproof.errors import InputError

ACTIVATIONS = Scheme()
WEIGHTS = Scheme(symmetric=True, signed=True, reduced=True)
WEIGHTS_4 = Scheme(bits=4, symmetric=True, signed=True)
EMBEDDINGS = Scheme(symmetric=True, signed=True)  # a looked-up row is never multiplied in integers: the whole range
GROUP = 32
PRECISIONS = ("w8a8", "w4a8", "w4a32", "dynamic", "float")
Grids = Mapping[str, Grid]


def quantize_model(
    model: onnx.ModelProto,
    feeds: Iterable[Feed],
    precision: str = "w8a8",
) -> onnx.ModelProto:
    """The model with every layer at one precision, calibrated by min-max on `feeds`.

    Raises
    ------
    InputError
        No calibration batch, or a weight that is not finite.
    """
    layers = find_layers(model)
    ranges = observe(model, watched(layers), feeds, scheme=ACTIVATIONS)
    return rewrite(model, layers, ranges, {layer.name: precision for layer in layers})


def watched(layers: Iterable[Layer]) -> list[str]:
    """The tensors whose ranges calibration must find."""
    names = {name for layer in layers for name in (layer.activation, layer.result) if name is not None}
    return sorted(names)


def weight_grid(layer: Layer, precision: str) -> Grid:
    """The grid of a layer's weights: min-max at 8 bits, least squared error at 4, where clipping pays."""
    if layer.kind == "embedding":
        scheme = EMBEDDINGS if precision in ("w8a8", "dynamic") else WEIGHTS_4
        return fit(layer.values, scheme, axis=layer.channel, observer=minmax if scheme is EMBEDDINGS else mse)
    if precision in ("w8a8", "dynamic"):
        return fit(layer.values, WEIGHTS, axis=layer.channel)
    if precision == "w4a32" and layer.kind == "linear":
        return fit(layer.values, WEIGHTS_4, axis=1 - layer.channel, block=GROUP, observer=mse)
    return fit(layer.values, WEIGHTS_4, axis=layer.channel, observer=mse)


def rewrite(
    model: onnx.ModelProto,
    layers: Iterable[Layer],
    ranges: Ranges,
    precisions: Mapping[str, str],
    grids: Grids | None = None,
) -> onnx.ModelProto:
    """The same graph with each layer at its precision.

    Parameters
    ----------
    ranges
        Of the activations (see `calibrate.observe`).
    precisions
        Layer name to one of `PRECISIONS`; a layer that is not named stays in float.
    grids
        Layer name to the grid of its weights, where training has learned one.

    Raises
    ------
    InputError
        A precision that does not exist.
    """
    chosen = {layer.node: layer for layer in layers if precisions.get(layer.name, "float") != "float"}
    unknown = set(precisions.values()) - set(PRECISIONS)
    if unknown:
        raise InputError(f"precision {', '.join(sorted(unknown))}: expected one of {', '.join(PRECISIONS)}")
    graph = _Rewrite(model, ranges, {layer.name for layer in chosen.values()})
    for place, node in enumerate(model.graph.node):
        layer = chosen.get(place)
        if layer is None:
            graph.keep(node)
            continue
        precision = precisions[layer.name]
        grid = (grids or {}).get(layer.name) or weight_grid(layer, precision)
        if layer.kind == "embedding":
            graph.embedding(node, layer, grid)
        elif layer.kind == "convolution":
            graph.convolution(node, layer, grid, precision)
        else:
            graph.linear(node, layer, grid, precision)
    return graph.model()


class _Rewrite:
    """The new graph while it is written: nodes in order, weights as stored."""

    def __init__(self, origin: onnx.ModelProto, ranges: Ranges, replaced: set[str]) -> None:
        self.origin = origin
        self.ranges = ranges
        self.weights = {w.name: w for w in origin.graph.initializer}
        self.nodes: list[onnx.NodeProto] = []
        self.pairs: dict[tuple[str, bool], Grid | None] = {}
        self.renamed: dict[str, str] = {}  # tensors that are only read dequantized
        self.floats = {name: w for name, w in self.weights.items() if name in replaced}

    def keep(self, node: onnx.NodeProto) -> None:
        """The node as it is, but for inputs that now come from a grid."""
        for name in set(node.input) & set(self.floats):  # another node has the same weight as integers
            self.renamed[name] = f"{name}.float"
            self.weights[f"{name}.float"] = _named(self.floats[name], f"{name}.float")
        self.nodes.append(_reading(node, [self.renamed.get(name, name) for name in node.input]))
        self.requantize(node.output)

    def linear(self, node: onnx.NodeProto, layer: Layer, grid: Grid, precision: str) -> None:
        """x̂ · ŵ; a constant bias goes on the product's own grid, int32 at scale_x · scale_w."""
        x, grid_x = self.activation(layer, precision)
        bias = list(node.input[2:])
        if bias and isinstance(grid_x, Grid) and self.is_constant(bias[0]):
            bias = [self.bias(layer, bias[0], grid_x.scale * grid.scale)]
        self.nodes.append(_reading(node, [x, self.integers(layer, grid), *bias]))

    def convolution(self, node: onnx.NodeProto, layer: Layer, grid: Grid, precision: str) -> None:
        """As `linear`; integer convolutions also write integers, so that the result gets a grid too."""
        x, grid_x = self.activation(layer, precision)
        bias = list(node.input[2:])
        if bias and isinstance(grid_x, Grid) and self.is_constant(bias[0]):
            bias = [self.bias(layer, bias[0], grid_x.scale * grid.scale)]
        self.nodes.append(_reading(node, [x, self.integers(layer, grid), *bias]))
        if precision in ("w8a8", "w4a8") and layer.result is not None:
            self.renamed[layer.result] = f"{layer.result}.dq"
            self.requantize(node.output)

    def requantize(self, written: Iterable[str]) -> None:
        """Put a tensor that is to be read dequantized on its grid, as soon as it is there."""
        for name in written:
            if self.renamed.get(name) == f"{name}.dq":
                self.pair(name, static=True)

    def embedding(self, node: onnx.NodeProto, layer: Layer, grid: Grid) -> None:
        """Look the integers up and dequantize only the rows that were asked for."""
        table = self.stored(layer, grid)
        looked_up = f"{layer.name}.rows"
        self.nodes.append(helper.make_node("Gather", [table, *node.input[1:]], [looked_up], node.name, axis=0))
        inputs = [looked_up, *self.scales(layer.name, grid)]
        self.nodes.append(helper.make_node("DequantizeLinear", inputs, list(node.output), f"{layer.name}.dq", axis=-1))

    def activation(self, layer: Layer, precision: str) -> tuple[str, Grid | None]:
        """The name under which the layer reads its activation, and its grid if that is fixed."""
        assert layer.activation is not None
        name = self.renamed.get(layer.activation, layer.activation)
        if precision == "w4a32":
            return name, None
        if name != layer.activation:  # a convolution's result, on its grid already
            return name, self.pairs[layer.activation, True]
        static = precision != "dynamic"
        return f"{name}.{'dq' if static else 'dynamic'}", self.pair(name, static=static)

    def pair(self, x: str, *, static: bool) -> Grid | None:
        """QuantizeLinear and DequantizeLinear behind x, once; the grid if calibration fixed it."""
        if (x, static) in self.pairs:
            return self.pairs[x, static]
        grid = grid_of(*self.ranges[x], ACTIVATIONS) if static else None
        if grid is None:
            names = [f"{x}.dynamic.{part}" for part in ("q", "scale", "zero")]
            self.nodes.append(helper.make_node("DynamicQuantizeLinear", [x], names, names[0]))
            self.nodes.append(helper.make_node("DequantizeLinear", names, [f"{x}.dynamic"], f"{x}.dynamic"))
        else:
            scales = self.scales(x, grid)
            for op, source, result in (("QuantizeLinear", x, f"{x}.q"), ("DequantizeLinear", f"{x}.q", f"{x}.dq")):
                self.nodes.append(helper.make_node(op, [source, *scales], [result], result))
        self.pairs[x, static] = grid
        return grid

    def integers(self, layer: Layer, grid: Grid) -> str:
        """The weight, dequantized from what is stored; returns the tensor's name."""
        result = f"{layer.name}.dq"
        if grid.block:
            self.weights[layer.name] = _int4(layer.name, quantize(layer.values, grid))
            self.weights[f"{layer.name}.scale"] = numpy_helper.from_array(grid.scale, f"{layer.name}.scale")
            inputs = [layer.name, f"{layer.name}.scale"]
        else:
            inputs = [self.stored(layer, grid), *self.scales(layer.name, grid)]
        node = helper.make_node("DequantizeLinear", inputs, [result], result, axis=grid.axis % layer.values.ndim)
        if grid.block:
            node.attribute.append(helper.make_attribute("block_size", grid.block))
        self.nodes.append(node)
        return result

    def stored(self, layer: Layer, grid: Grid) -> str:
        """Store the integers; 4-bit ones are widened by a Cast that the runtime runs once, when it loads the file."""
        q = quantize(layer.values, grid)
        if grid.qmax - grid.qmin > 15:
            self.weights[layer.name] = numpy_helper.from_array(q, layer.name)
            return layer.name
        self.weights[layer.name] = _int4(layer.name, q)
        wide = f"{layer.name}.wide"
        self.nodes.append(helper.make_node("Cast", [layer.name], [wide], wide, to=TensorProto.INT8))
        return wide

    def bias(self, layer: Layer, name: str, scale: NDArray[np.float32]) -> str:
        limit = np.iinfo(np.int32)
        value = np.rint(numpy_helper.to_array(self.weights[name]).astype(np.float64) / scale)
        own = f"{layer.name}.bias"  # of this layer alone: its scale is
        self.weights[own] = numpy_helper.from_array(np.clip(value, limit.min, limit.max).astype(np.int32), own)
        scales = self.scales(own, Grid(np.asarray(scale), np.zeros(scale.shape, np.int32), limit.min, limit.max))
        self.nodes.append(helper.make_node("DequantizeLinear", [own, *scales], [f"{own}.dq"], f"{own}.dq", axis=0))
        return f"{own}.dq"

    def scales(self, name: str, grid: Grid) -> list[str]:
        stored: Any = np.int32 if grid.qmax > 255 else grid.dtype
        for part, value in (("scale", grid.scale), ("zero", grid.zero_point.astype(stored))):
            self.weights[f"{name}.{part}"] = numpy_helper.from_array(value, f"{name}.{part}")
        return [f"{name}.scale", f"{name}.zero"]

    def is_constant(self, name: str) -> bool:
        return name in self.weights and self.weights[name].data_type == TensorProto.FLOAT

    def model(self) -> onnx.ModelProto:
        result = onnx.ModelProto()
        result.ir_version = max(self.origin.ir_version, 10)
        result.producer_name = "overproof"
        result.opset_import.extend(self.origin.opset_import)
        result.metadata_props.extend(self.origin.metadata_props)
        result.functions.extend(self.origin.functions)
        graph = result.graph
        graph.name = self.origin.graph.name
        graph.input.extend(self.origin.graph.input)
        graph.output.extend(self.origin.graph.output)
        graph.node.extend(self.nodes)
        used = {name for node in self.nodes for name in node.input} | {o.name for o in graph.output}
        graph.initializer.extend(w for name, w in self.weights.items() if name in used)
        onnx.checker.check_model(result)
        return result


def _named(tensor: TensorProto, name: str) -> TensorProto:
    copy = TensorProto()
    copy.CopyFrom(tensor)
    copy.name = name
    return copy


def _reading(node: onnx.NodeProto, inputs: list[str]) -> onnx.NodeProto:
    """The node with other inputs."""
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    copy.input[:] = inputs
    return copy


def _int4(name: str, q: NDArray[np.integer[Any]]) -> TensorProto:
    """Two values a byte, the first in the low half (ONNX's packing of INT4)."""
    nibbles = np.append(q.reshape(-1), [0] * (q.size % 2)).astype(np.uint8) & 15
    packed = (nibbles[0::2] | nibbles[1::2] << 4).astype(np.uint8)
    return helper.make_tensor(name, TensorProto.INT4, q.shape, packed.tobytes(), raw=True)
