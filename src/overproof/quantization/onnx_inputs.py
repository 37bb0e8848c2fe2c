"""Events as a model's input: one feed each, and several of one shape in one batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from overproof.bundle.runtime import session
from overproof.errors import InputError

Feed = Mapping[str, NDArray[Any]]
Rows = NDArray[np.intp]


def alike(feeds: Sequence[Feed]) -> list[Rows]:
    """The events' places, grouped by the shapes of their inputs: what can share a batch without padding."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for row, feed in enumerate(feeds):
        groups.setdefault(tuple((name, feed[name].shape) for name in sorted(feed)), []).append(row)
    return [np.array(rows) for rows in groups.values()]


def together(feeds: Sequence[Feed], rows: Rows) -> dict[str, NDArray[Any]]:
    """Some events of one shape as one batch, in the order of `rows`."""
    return {name: np.concatenate([feeds[row][name] for row in rows]) for name in feeds[rows[0]]}


def cut(groups: Sequence[Rows], size: int) -> list[Rows]:
    """Batches of at most `size` events out of each group."""
    return [rows[start : start + size] for rows in groups for start in range(0, len(rows), size)]


def in_order(results: Sequence[NDArray[Any]], batches: Sequence[Rows]) -> NDArray[Any]:
    """What batches gave, (events, …), in the events' order again."""
    return np.asarray(np.concatenate(results)[np.argsort(np.concatenate(batches))])


def with_outputs(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """The model with the named tensors as its outputs, in that order."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    del changed.graph.output[:]
    changed.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    return changed


def flowing(
    model: onnx.ModelProto, names: Sequence[str], feeds: Iterable[Feed]
) -> Iterator[tuple[Feed, dict[str, NDArray[Any]]]]:
    """What flows through the named tensors: each feed, and name to array for it."""
    runner = session(with_outputs(model, names).SerializeToString()) if names else None
    for feed in feeds:
        found = answer(runner, names, feed) if runner else []
        yield feed, dict(zip(names, found, strict=True))


def answer(running: Any, names: Sequence[str], feed: Feed) -> list[NDArray[Any]]:
    """What the model says; InputError if it cannot run on this input."""
    try:
        return list(running.run(list(names), dict(feed)))
    except Exception as error:  # ONNX Runtime raises its own classes for what a graph cannot do
        raise InputError(f"onnxruntime cannot run it on these events: {str(error).strip()[:300]}") from None


def inputs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """What a feed has to hold: the graph's inputs without those that only name a weight."""
    weights = {w.name for w in model.graph.initializer}
    return [spec for spec in model.graph.input if spec.name not in weights]


def fixed_batch(model: onnx.ModelProto) -> int | None:
    """The number of events that a model insists on; None if it takes any."""
    for spec in inputs(model):
        shape = spec.type.tensor_type.shape.dim
        if shape and shape[0].HasField("dim_value"):
            return int(shape[0].dim_value)
    return None
