"""Write the quantized model: standard QDQ ONNX, each layer at the precision asked for.

w8a8: S8 weights per output channel in the reduced range, U8 activations per tensor over ranges fixed at
calibration: integer arithmetic, the same verdict in every batch and on every CPU. w4a8: the same with 4-bit
weights, which the runtime widens to S8 once, when it loads the file. w4a32: 4-bit weights in groups of 32,
activations in float; the runtime rounds those to 8 bits in groups of 32 as well, each event's by itself, unless it is
told not to (session.qdq_matmulnbits_accuracy_level). dynamic: w8a8 with ranges taken from each batch anew, to
compare with only (docs/decisions/003).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import onnx

from overproof.distillation.embedding_output import follow_embedding
from overproof.errors import InputError
from overproof.quantization.calibrate import Ranges, observe
from overproof.quantization.layers import Layer, find_layers
from overproof.quantization.onnx_inputs import OnnxInput
from overproof.quantization.precisions import PRECISIONS, STATIC
from overproof.quantization.qdq_writer import QdqWriter
from overproof.quantization.schemes import Grids, weight_grid


def quantize_model(
    model: onnx.ModelProto,
    onnx_inputs: Iterable[OnnxInput],
    precision: str = "w8a8",
) -> onnx.ModelProto:
    """Quantize every layer at one precision, calibrated by min-max on `onnx_inputs`.

    Raises
    ------
    InputError
        No calibration batch, or a weight that is not finite.
    """
    layers = find_layers(model)
    ranges = observe(model, watched(layers), onnx_inputs)
    return rewrite(model, layers, ranges, {layer.name: precision for layer in layers})


def watched(layers: Iterable[Layer]) -> list[str]:
    """List the tensors whose ranges calibration must find."""
    names = {name for layer in layers for name in (layer.activation, layer.result) if name is not None}
    return sorted(names)


def rewrite(
    model: onnx.ModelProto,
    layers: Iterable[Layer],
    ranges: Ranges,
    precisions: Mapping[str, str],
    grids: Grids | None = None,
) -> onnx.ModelProto:
    """Write the same graph with each layer at its precision.

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
    graph = QdqWriter(model, ranges, {layer.name for layer in chosen.values()})
    graph.as_integers.update(layer.activation for layer in chosen.values() if precisions[layer.name] in STATIC)
    for place, node in enumerate(model.graph.node):
        layer = chosen.get(place)
        if layer is None:
            graph.keep(node)
            continue
        precision = precisions[layer.name]
        grid = (grids or {}).get(layer.name) or weight_grid(layer, precision)
        if layer.kind == "embedding":
            graph.embedding(node, layer, grid)
        else:
            graph.linear(node, layer, grid, precision)
    return follow_embedding(graph.model())
