"""Round every activation of a quantized model to a neighbouring point of its grid.

A verdict that hangs on which of two neighbouring integers an activation became is one that an attacker can push over by
moving between grid points, and one that another runtime may give otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import onnx
from onnx import helper, numpy_helper

from overproof.bundle.manifest import FIRST, MODEL, Bundle
from overproof.bundle.scores import Floats
from overproof.bundle.tiers import open_student

HALF_A_STEP = 0.5 * (1 - 1e-6)  # just below, so that what lies on a grid point stays there
DRAWS = 8


def neighbouring_logits(bundle: Bundle, texts: Sequence[str], *, draws: int = DRAWS, seed: int = 0) -> Floats | None:
    """Compute logits under neighbouring roundings, shape (draws, texts, classes).

    None if no activation is rounded in the file, or in neither of two students'. Each draw rounds every tensor's
    activations up, or every one's down, by a coin for each tensor; the first two are all up and all down.
    """
    graphs = {
        name: onnx.load_from_string(bundle.files[name]) for name in (MODEL, f"{FIRST}{MODEL}") if name in bundle.files
    }
    if not any(map(rounded_activations, graphs.values())):
        return None
    found = []
    for moved in zip(*(shifted(graph, draws, seed) for graph in graphs.values()), strict=True):
        files = {name: model.SerializeToString() for name, model in zip(graphs, moved, strict=True)}
        found.append(open_student(replace(bundle, files={**bundle.files, **files})).score(texts).logits)
    return np.stack(found)


def rounded_activations(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """List the nodes that round something that depends on the event."""
    constant = {tensor.name for tensor in model.graph.initializer}
    return [node for node in model.graph.node if node.op_type == "QuantizeLinear" and node.input[0] not in constant]


def shifted(model: onnx.ModelProto, draws: int, seed: int) -> Iterator[onnx.ModelProto]:
    """Yield copies of the model in which half a step is added to, or taken from, what is rounded."""
    scales = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    count = len(rounded_activations(model))
    random = np.random.default_rng(seed)
    for draw in range(draws):
        signs = random.choice([-1.0, 1.0], count) if draw > 1 else np.full(count, 1.0 - 2.0 * draw)
        moved = onnx.ModelProto()
        moved.CopyFrom(model)
        for place, (node, sign) in enumerate(zip(rounded_activations(moved), signs, strict=True)):
            _shift(moved.graph, node, f"neighbour_{place}", np.float32(sign * HALF_A_STEP) * scales[node.input[1]])
        yield moved


def _shift(graph: onnx.GraphProto, node: onnx.NodeProto, name: str, by: Floats) -> None:
    graph.initializer.append(numpy_helper.from_array(np.asarray(by, dtype=np.float32), f"{name}_by"))
    added = helper.make_node("Add", [node.input[0], f"{name}_by"], [name], name=name)
    place = next(i for i, other in enumerate(graph.node) if other is node or other.output[0] == node.output[0])
    node.input[0] = name
    graph.node.insert(place, added)
