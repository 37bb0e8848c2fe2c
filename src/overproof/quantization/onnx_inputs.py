"""Feed events to an ONNX model: one by one, or several of one shape in a batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from overproof.bundle.runtime import session
from overproof.errors import InputError

OnnxInput = Mapping[str, NDArray[Any]]
Rows = NDArray[np.intp]


def group_by_shape(onnx_inputs: Sequence[OnnxInput]) -> list[Rows]:
    """Group the events' places by the shapes of their inputs: what can share a batch without padding."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for row, onnx_input in enumerate(onnx_inputs):
        groups.setdefault(tuple((name, onnx_input[name].shape) for name in sorted(onnx_input)), []).append(row)
    return [np.array(rows) for rows in groups.values()]


def merge_batch(onnx_inputs: Sequence[OnnxInput], rows: Rows) -> dict[str, NDArray[Any]]:
    """Merge some events of one shape into one batch, in the order of `rows`."""
    return {name: np.concatenate([onnx_inputs[row][name] for row in rows]) for name in onnx_inputs[rows[0]]}


def split_batches(groups: Sequence[Rows], size: int) -> list[Rows]:
    """Split each group into batches of at most `size` events."""
    return [rows[start : start + size] for rows in groups for start in range(0, len(rows), size)]


def restore_order(results: Sequence[NDArray[Any]], batches: Sequence[Rows]) -> NDArray[Any]:
    """Put what batches gave, (events, …), in the events' order again."""
    return np.asarray(np.concatenate(results)[np.argsort(np.concatenate(batches))])


def with_outputs(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """Copy the model with the named tensors as its outputs, in that order."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    del changed.graph.output[:]
    changed.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    return changed


def run_activations(
    model: onnx.ModelProto, names: Sequence[str], onnx_inputs: Iterable[OnnxInput]
) -> Iterator[tuple[OnnxInput, dict[str, NDArray[Any]]]]:
    """Yield what flows through the named tensors: each input, and name to array for it."""
    runner = session(with_outputs(model, names).SerializeToString()) if names else None
    for onnx_input in onnx_inputs:
        found = run_model(runner, names, onnx_input) if runner else []
        yield onnx_input, dict(zip(names, found, strict=True))


def run_model(running: Any, names: Sequence[str], onnx_input: OnnxInput) -> list[NDArray[Any]]:
    """Run the model on one input; InputError if it cannot run on it."""
    try:
        return list(running.run(list(names), dict(onnx_input)))
    except Exception as error:  # ONNX Runtime raises its own classes for what a graph cannot do
        raise InputError(f"onnxruntime cannot run it on these events: {str(error).strip()[:300]}") from None


def input_specs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """List what an input has to hold: the graph's inputs without those that only name a weight."""
    weights = {w.name for w in model.graph.initializer}
    return [spec for spec in model.graph.input if spec.name not in weights]


def fixed_batch(model: onnx.ModelProto) -> int | None:
    """Return the number of events that a model insists on; None if it takes any."""
    for spec in input_specs(model):
        shape = spec.type.tensor_type.shape.dim
        if shape and shape[0].HasField("dim_value"):
            return int(shape[0].dim_value)
    return None
