"""Emulate in numpy what a CPU without exact INT8 products would compute: saturating 16-bit pair sums.

AVX2 multiplies eight-bit integers with `vpmaddubsw`: the products u8 · s8 of two adjacent k are summed in 16
bits with signed saturation, and only those sums are added up in 32 bits (Intel, Software Developer's Manual,
volume 2, PMADDUBSW; it is what ONNX Runtime does with S8 weights on a CPU with AVX2 and without VNNI). A pair
sum beyond 32,767 is silently cut there and exact elsewhere: one file, two verdicts. S8 activations are moved to
U8 first (their sign bit is flipped), and saturate alike; U8 weights are widened to 16 bits and never saturate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from overproof.bundle.scores import Floats
from overproof.errors import InputError
from overproof.quantization.onnx_inputs import (
    OnnxInput,
    fixed_batch,
    group_by_shape,
    merge_batch,
    restore_order,
    split_batches,
)
from overproof.quantization.pair_sums import Array, SeenPairSums, accumulate
from overproof.results.portability import PairSums

DOMAIN, OPERATOR = "overproof", "IntegerProduct"
SIGN = 128
PRODUCTS = ("Gemm", "MatMul")
MOVES = ("Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")  # what the runtime does on the integers
INTEGER_OPERATORS = frozenset(  # of models written another way than QDQ
    "ConvInteger DynamicQuantizeMatMul MatMulInteger MatMulIntegerToFloat "
    "QAttention QGemm QLinearConv QLinearMatMul".split()
)


class NotEmulated(InputError):
    """A model that the emulation cannot run; the message says why."""


@dataclass(frozen=True)
class Product:
    """A product of eight-bit activations by S8 weights.

    Attributes
    ----------
    name
        The weights' name.
    weights
        int8, (k, n): features in, features out.
    x_scale, x_zero
        Grid of the activations; the zero point as U8.
    w_scale, w_zero
        Grid of the weights, (1,) or (n,).
    """

    name: str
    weights: NDArray[np.int8]
    x_scale: np.float32
    x_zero: int
    w_scale: Floats
    w_zero: NDArray[np.float64]


@dataclass(frozen=True)
class Emulation:
    """One model run with exact and with saturating pair sums, all else alike.

    Attributes
    ----------
    exact, saturating
        Logits, (events, classes).
    matrices
        The products found, and their pair sums on the activations of the exact run.
    """

    exact: Floats
    saturating: Floats
    matrices: tuple[PairSums, ...]


def emulate(model: onnx.ModelProto, onnx_inputs: Sequence[OnnxInput]) -> Emulation:
    """Run a QDQ model in numpy with exact integer products, and again with saturating pair sums.

    Parameters
    ----------
    model
        A classifier whose first output is the logits.
    onnx_inputs
        Input name to array, one event each (a batch axis of 1).

    Raises
    ------
    NotEmulated
        No product of eight-bit activations by S8 weights, one of another kind (a convolution, only the weights
        quantized, another format than QDQ), or an operator that onnx's reference evaluator does not have.
    """
    rewritten, products = with_integer_products(model)
    seen = [SeenPairSums(product.weights) for product in products]
    try:
        exact = _run(rewritten, products, onnx_inputs, seen)
        saturating = _run(rewritten, products, onnx_inputs, None)
    except Exception as error:  # the reference evaluator raises anything for what it cannot do
        raise NotEmulated(f"onnx's reference evaluator cannot run it: {error}") from error
    return Emulation(exact, saturating, tuple(s.sums(p.name) for s, p in zip(seen, products, strict=True)))


def with_integer_products(model: onnx.ModelProto) -> tuple[onnx.ModelProto, list[Product]]:
    """Make each product one node of our own, and list the products in the order of their nodes.

    Raises
    ------
    NotEmulated
        As for `emulate`.
    """
    graph = _GraphReader(model)
    nodes: list[onnx.NodeProto] = []
    products: list[Product] = []
    for node in model.graph.node:
        product = graph.product(node)
        if product is None:
            nodes.append(node)
            continue
        inputs = [node.input[0], *node.input[2:]]
        nodes.append(helper.make_node(OPERATOR, inputs, list(node.output), domain=DOMAIN, index=len(products)))
        products.append(product)
    if not products:
        raise NotEmulated("it has no product of eight-bit activations by S8 weights")
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.node[:]
    copy.graph.node.extend(_needed(nodes, {output.name for output in model.graph.output}))
    copy.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    return copy, products


class _GraphReader:
    """What a graph's names stand for, and the products in it."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.makers = {name: node for node in model.graph.node for name in node.output}
        self.constants: dict[str, Array] = {w.name: numpy_helper.to_array(w) for w in model.graph.initializer}
        for node in model.graph.node:
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                self.constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
            elif node.op_type == "Cast" and node.input[0] in self.constants:  # 4-bit weights, widened
                wide = helper.tensor_dtype_to_np_dtype(next(a.i for a in node.attribute if a.name == "to"))
                self.constants[node.output[0]] = self.constants[node.input[0]].astype(wide)

    def product(self, node: onnx.NodeProto) -> Product | None:
        """Read the product that a node is; None if it has no S8 weights, NotEmulated if it is of another kind.

        Of floats by quantized weights ONNX Runtime makes its MatMulNBits, which quantizes the floats by blocks.
        """
        nested = any(a.type == onnx.AttributeProto.GRAPH for a in node.attribute)
        if nested or node.op_type in INTEGER_OPERATORS:
            raise NotEmulated(f"{node.name or node.op_type}: {node.op_type} is not emulated")
        x, w = (self._dequantized(name) for name in (*node.input, "", "")[:2])
        what = f"{node.name or node.op_type}: a {node.op_type}"
        if x is None and w is not None and node.op_type in PRODUCTS:
            raise NotEmulated(f"{what} of floats by quantized weights, which a runtime computes in its own way")
        if x is None or w is None or self._type(w) != np.int8 or self._type(x) not in (np.int8, np.uint8):
            return None
        found = self._linear(node, x, w) if node.op_type in PRODUCTS and w.output[0] == node.input[1] else None
        if found is None:
            raise NotEmulated(f"{what} by S8 in this form is not emulated")
        return found

    def _linear(self, node: onnx.NodeProto, x: onnx.NodeProto, w: onnx.NodeProto) -> Product | None:
        """Read the product of a Gemm or MatMul; None if it is no plain linear layer with constant grids."""
        weights, w_scale, w_zero = (self.constants.get(name) for name in (*w.input, "")[:3])
        x_scale, x_zero = (self.constants.get(name) for name in (*x.input, "")[1:3])
        options = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        across = 0 if options.get("transB") else 1
        if options.get("alpha", 1.0) != 1.0 or options.get("beta", 1.0) != 1.0 or options.get("transA"):
            return None
        if weights is None or weights.ndim != 2 or w_scale is None or x_scale is None or x_scale.size != 1:
            return None
        if w_scale.size > 1 and (w_scale.shape != weights.shape[across : across + 1] or _axis(w) % 2 != across):
            return None
        widened = self.makers.get(w.input[0])
        return Product(
            name=widened.input[0] if widened is not None and widened.op_type == "Cast" else w.input[0],
            weights=np.ascontiguousarray(weights if across else weights.T),
            x_scale=np.float32(x_scale.item()),
            x_zero=(0 if x_zero is None else int(x_zero.item())) + SIGN * (self._type(x) == np.int8),
            w_scale=w_scale.reshape(-1),
            w_zero=np.zeros(1) if w_zero is None else w_zero.reshape(-1).astype(np.float64),
        )

    def _dequantized(self, name: str) -> onnx.NodeProto | None:
        """Find the DequantizeLinear that a tensor comes from, at most moved since."""
        maker = self.makers.get(name)
        while maker is not None and maker.op_type in MOVES:
            maker = self.makers.get(maker.input[0])
        return maker if maker is not None and maker.op_type == "DequantizeLinear" else None

    def _type(self, node: onnx.NodeProto) -> np.dtype[Any] | None:
        """Return the type of integers that a DequantizeLinear reads; U8 by default, as ONNX defines."""
        for name in (node.input[0], *node.input[2:]):
            if name in self.constants:
                return self.constants[name].dtype
        maker = self.makers.get(node.input[0])
        if maker is None or maker.op_type not in ("QuantizeLinear", "DynamicQuantizeLinear"):
            return None
        stated = [a.i for a in maker.attribute if a.name == "output_dtype"]
        return helper.tensor_dtype_to_np_dtype(stated[0]) if stated else np.dtype(np.uint8)


def _axis(node: onnx.NodeProto) -> int:
    return next((int(a.i) for a in node.attribute if a.name == "axis"), 1)


def _needed(nodes: Sequence[onnx.NodeProto], wanted: set[str]) -> list[onnx.NodeProto]:
    """List the nodes that the wanted names depend on: the weights' DequantizeLinear no longer are."""
    kept = []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            wanted = wanted.union(node.input)
            kept.append(node)
    return kept[::-1]


def _run(
    rewritten: onnx.ModelProto,
    products: Sequence[Product],
    onnx_inputs: Sequence[OnnxInput],
    seen: Sequence[SeenPairSums] | None,
) -> Floats:
    """Compute logits of all events, with exact sums, noted in `seen`, or saturating ones where there is none."""

    class IntegerProduct(OpRun):
        op_domain = DOMAIN

        def _run(self, x: Floats, bias: Floats | None = None, *, index: int) -> tuple[Floats]:
            product = products[index]
            back = np.rint(x / product.x_scale) + product.x_zero  # x lies on the grid: these are its integers
            rows = back.reshape(-1, x.shape[-1]).astype(np.uint8)
            if seen is not None:
                seen[index].note(rows)
            sums = _centred(product, rows, accumulate(rows, product.weights, saturate=seen is None))
            result = (sums * product.x_scale * product.w_scale).astype(np.float32).reshape(*x.shape[:-1], -1)
            return (result if bias is None else result + bias,)

    evaluator: Any = ReferenceEvaluator(rewritten, new_ops=[IntegerProduct])
    output = [rewritten.graph.output[0].name]
    batches = split_batches(group_by_shape(onnx_inputs), fixed_batch(rewritten) or len(onnx_inputs))
    return restore_order([evaluator.run(output, merge_batch(onnx_inputs, rows))[0] for rows in batches], batches)


def _centred(product: Product, x: NDArray[np.uint8], sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute Σ (x - x_zero)(w - w_zero) from Σ x · w, as runtimes do: what the zero points add is summed apart."""
    by_column = product.weights.sum(axis=0, dtype=np.float64)
    by_row = x.sum(axis=1, dtype=np.float64)[:, None]
    centred = sums - product.x_zero * by_column - product.w_zero * (by_row - len(product.weights) * product.x_zero)
    return np.asarray(centred)
