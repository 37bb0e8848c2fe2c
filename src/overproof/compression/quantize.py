"""Calibration, then static QDQ INT8: the ONNX file with its weights and activations on integer grids.

Weights of linear layers are S8 per output channel with reduced range (-64 … 64), activations U8 per
tensor over the range seen on calibration events, embeddings S8 per column. Static ranges keep a verdict
independent of its batch mates; the reduced range keeps it independent of the CPU (docs/decisions/003).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from overproof.affine import Grid, Scheme, fit, grid_of, quantize
from overproof.compression.export import INPUT
from overproof.errors import InputError
from overproof.runtime import session

ACTIVATIONS = Scheme()
WEIGHTS = Scheme(symmetric=True, signed=True, reduced=True)
EMBEDDINGS = Scheme(symmetric=True, signed=True)  # a looked-up row is never multiplied in integers: the whole range


def quantize_model(model: onnx.ModelProto, batches: Iterable[NDArray[np.int64]]) -> onnx.ModelProto:
    """The same graph with INT8 weights and activations, as a new QDQ model.

    Parameters
    ----------
    model
        FP32 model whose linear layers are Gemm and whose embeddings are Gather over a weight.
    batches
        Calibration input, each (rows, tokens).

    Raises
    ------
    InputError
        No calibration batch, or a weight that is not finite.
    """
    weights = {w.name: numpy_helper.to_array(w) for w in model.graph.initializer}
    gemms = [n for n in model.graph.node if n.op_type == "Gemm" and n.input[1] in weights]
    ranges = activation_ranges(model, sorted({n.input[0] for n in gemms}), batches)
    graph = _Rewrite(weights)
    for node in model.graph.node:
        if node.op_type == "Gemm" and node.input[1] in weights:
            graph.linear(node, ranges[node.input[0]])
        elif node.op_type == "Gather" and weights.get(node.input[0], np.empty(0)).ndim == 2:
            graph.embedding(node)
        else:
            graph.nodes.append(node)
    return graph.model(model)


def activation_ranges(
    model: onnx.ModelProto, names: Sequence[str], batches: Iterable[NDArray[np.int64]]
) -> dict[str, tuple[float, float]]:
    """Smallest and largest value of each named tensor over the calibration batches (min-max observer)."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.extend(helper.make_empty_tensor_value_info(n) for n in names)
    runner = session(watched.SerializeToString())
    low = np.full(len(names), np.inf)
    high = np.full(len(names), -np.inf)
    for batch in batches:
        for k, value in enumerate(runner.run(list(names), {INPUT: batch})):
            low[k], high[k] = min(low[k], value.min()), max(high[k], value.max())
    if not np.isfinite(low).all():
        raise InputError("cannot calibrate: no calibration events, expected at least one")
    return {n: (float(a), float(b)) for n, a, b in zip(names, low, high, strict=True)}


class _Rewrite:
    """The new graph while it is written: nodes in order, weights as stored."""

    def __init__(self, weights: dict[str, Any]) -> None:
        self.weights = dict(weights)
        self.nodes: list[onnx.NodeProto] = []
        self.done: set[str] = set()

    def linear(self, node: onnx.NodeProto, bounds: tuple[float, float]) -> None:
        """Gemm on x̂ and ŵ; the bias goes on the product's own grid, int32 at scale_x · scale_w."""
        x, w, b = node.input
        grid_x = grid_of(*bounds, ACTIVATIONS)
        if f"{x}.dq" not in self.done:
            self._pair(x, grid_x)
            self.done.add(f"{x}.dq")
        grid_w = fit(self.weights[w], WEIGHTS, axis=1)
        self._store(w, quantize(self.weights[w], grid_w), grid_w, axis=1)
        scale = grid_x.scale * grid_w.scale
        bias = np.rint(self.weights[b].astype(np.float64) / scale)
        limit = np.iinfo(np.int32)
        grid_b = Grid(scale, np.zeros(scale.shape, np.int32), limit.min, limit.max)
        self._store(b, np.clip(bias, limit.min, limit.max).astype(np.int32), grid_b, axis=0)
        self.nodes.append(helper.make_node("Gemm", [f"{x}.dq", f"{w}.dq", f"{b}.dq"], list(node.output), node.name))

    def embedding(self, node: onnx.NodeProto) -> None:
        """Look the integers up and dequantize only the rows that were asked for."""
        table, ids = node.input
        grid = fit(self.weights[table], EMBEDDINGS, axis=1)
        self.weights[table] = quantize(self.weights[table], grid)
        self.nodes.append(helper.make_node("Gather", [table, ids], [f"{table}.q"], node.name))
        self._scales(table, grid)
        inputs = [f"{table}.q", f"{table}.scale", f"{table}.zero"]
        self.nodes.append(helper.make_node("DequantizeLinear", inputs, list(node.output), f"{table}.dq", axis=2))

    def _pair(self, x: str, grid: Grid) -> None:
        self._scales(x, grid)
        for op, source, result in (("QuantizeLinear", x, f"{x}.q"), ("DequantizeLinear", f"{x}.q", f"{x}.dq")):
            self.nodes.append(helper.make_node(op, [source, f"{x}.scale", f"{x}.zero"], [result], result))

    def _store(self, name: str, values: NDArray[np.generic], grid: Grid, *, axis: int) -> None:
        self.weights[name] = values
        self._scales(name, grid)
        inputs = [name, f"{name}.scale", f"{name}.zero"]
        self.nodes.append(helper.make_node("DequantizeLinear", inputs, [f"{name}.dq"], f"{name}.dq", axis=axis))

    def _scales(self, name: str, grid: Grid) -> None:
        self.weights[f"{name}.scale"] = grid.scale
        stored = np.int32 if grid.qmax > 255 else grid.dtype
        self.weights[f"{name}.zero"] = grid.zero_point.astype(stored)

    def model(self, origin: onnx.ModelProto) -> onnx.ModelProto:
        result = onnx.ModelProto()
        result.CopyFrom(origin)
        del result.graph.node[:], result.graph.initializer[:], result.graph.value_info[:]
        result.graph.node.extend(self.nodes)
        used = {name for node in self.nodes for name in node.input}
        result.graph.initializer.extend(numpy_helper.from_array(v, k) for k, v in self.weights.items() if k in used)
        onnx.checker.check_model(result)
        return result
