"""Test whether verdicts are portable: whether they depend on anything but the event.

Each thing is varied alone, with the same events, and compared with what it was before: batch size, order, padding,
threads and graph optimization in ONNX Runtime, and the CPU's eight-bit product in an emulation.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from overproof.bundle.runtime import OPTIMIZATIONS, session
from overproof.bundle.scores import Floats
from overproof.errors import InputError
from overproof.quantization.onnx_inputs import (
    OnnxInput,
    Rows,
    fixed_batch,
    group_by_shape,
    input_specs,
    merge_batch,
    restore_order,
    split_batches,
)
from overproof.quantization.saturation import NotEmulated, emulate
from overproof.results.portability import PairSums, PortabilityReport, Variation

BATCH_SIZES = (1, 2, 7, 32)
ORDER_BATCH = 7  # small, so that another order means other batch mates
PADS = (1, 7)  # and up to the longest event
MASK = "attention_mask"
TOKENS = (onnx.TensorProto.INT32, onnx.TensorProto.INT64)


def portability(model: onnx.ModelProto | bytes, onnx_inputs: Sequence[OnnxInput]) -> PortabilityReport:
    """Vary what must not change a verdict, and report what it changed.

    Parameters
    ----------
    model
        ONNX classifier whose first output is the logits, (events, classes).
    onnx_inputs
        Input name to array for each event, with a batch axis of 1; a few hundred are enough. Text may differ
        in length.

    Raises
    ------
    InputError
        Not an ONNX model, no events, or events or an output that do not fit the description.
    """
    graph = _parsed(model)
    if not onnx_inputs:
        raise InputError("no events to compare verdicts on, expected at least one")
    runs = _Runs(graph, onnx_inputs)
    emulated, matrices = _instruction_set(graph, onnx_inputs)
    rows = (runs.batch_size(), runs.order(), runs.padding(), runs.threads(), runs.optimization(), emulated)
    return PortabilityReport(rows, matrices)


class _Runs:
    """The model under ONNX Runtime, and each event's logits when it is judged alone."""

    def __init__(self, graph: onnx.ModelProto, onnx_inputs: Sequence[OnnxInput]) -> None:
        self.graph, self.onnx_inputs = graph, onnx_inputs
        self.file = graph.SerializeToString()
        self.session = _opened(self.file)
        self.groups = group_by_shape(onnx_inputs)
        self.alone = _logits(self.session, onnx_inputs, split_batches(self.groups, 1))

    def batch_size(self) -> Variation:
        """Vary the number of events in a batch."""
        batches = {str(size): split_batches(self.groups, size) for size in BATCH_SIZES}
        batches["all of one shape"] = self.groups
        if reason := self._no_batches():
            return Variation("batch size", tuple(batches), unmeasured=reason)
        after = {name: self._shared(_logits(self.session, self.onnx_inputs, rows)) for name, rows in batches.items()}
        return _compared("batch size", self._shared(self.alone), after)

    def order(self) -> Variation:
        """Vary the order in batches of one size: every event gets other company."""
        shuffled = np.random.default_rng(0).permutation(len(self.onnx_inputs))
        orders = {"reversed": np.arange(len(self.onnx_inputs))[::-1], "shuffled": shuffled}
        if reason := self._no_batches():
            return Variation("order", tuple(orders), unmeasured=reason)
        before = _logits(self.session, self.onnx_inputs, split_batches(self.groups, ORDER_BATCH))
        after = {}
        for name, order in orders.items():
            onnx_inputs = [self.onnx_inputs[row] for row in order]
            logits = _logits(self.session, onnx_inputs, split_batches(group_by_shape(onnx_inputs), ORDER_BATCH))
            after[name] = self._shared(logits[np.argsort(order)])
        return _compared("order", self._shared(before), after)

    def padding(self) -> Variation:
        """Vary the padding, up to the longest event at most: a length that the model is known to take."""
        names = (*(f"{extra} more" for extra in PADS), "to the longest")
        ids = _padding(self.graph)
        if isinstance(ids, str):
            return Variation("padding", names, unmeasured=ids)
        lengths = np.array([next(iter(onnx_input.values())).shape[1] for onnx_input in self.onnx_inputs])
        longest = lengths.max()
        shorter = np.flatnonzero(lengths < longest).tolist()
        if not shorter:
            return Variation("padding", names, unmeasured="all events have one length")
        after = {}
        for name, extra in zip(names, (*PADS, longest), strict=True):
            onnx_inputs = [_padded(self.onnx_inputs[row], ids, min(lengths[row] + extra, longest)) for row in shorter]
            after[name] = _logits(self.session, onnx_inputs, split_batches(group_by_shape(onnx_inputs), 1))
        return _compared("padding", self.alone[shorter], after)

    def threads(self) -> Variation:
        """Vary the number of threads."""
        counts = sorted({1, 2, os.cpu_count() or 1})
        return self._in_sessions("threads", {str(n): {"threads": n} for n in counts})

    def optimization(self) -> Variation:
        """Vary how far ONNX Runtime optimizes the graph."""
        return self._in_sessions("graph optimization", {name: {"optimization": name} for name in OPTIMIZATIONS})

    def _in_sessions(self, varied: str, sessions: Mapping[str, Mapping[str, Any]]) -> Variation:
        """Run the same batches in other sessions; the largest ones possible, so that threads have work to share."""
        batches = self.groups if fixed_batch(self.graph) is None else split_batches(self.groups, 1)
        before = _logits(self.session, self.onnx_inputs, batches)
        after = {name: _logits(_opened(self.file, **how), self.onnx_inputs, batches) for name, how in sessions.items()}
        return _compared(varied, before, after)

    def _shared(self, logits: Floats) -> Floats:
        """Select the events that another one can share a batch with."""
        return np.asarray(logits[np.concatenate([rows for rows in self.groups if len(rows) > 1])])

    def _no_batches(self) -> str | None:
        if fixed := fixed_batch(self.graph):
            return f"the model's batch size is fixed at {fixed}"
        return None if len(self.groups) < len(self.onnx_inputs) else "no two events have one shape"


def _logits(running: Any, onnx_inputs: Sequence[OnnxInput], batches: Sequence[Rows]) -> Floats:
    """Compute logits of each event, (events, classes), in the events' order."""
    return restore_order([_run(running, merge_batch(onnx_inputs, rows), len(rows)) for rows in batches], batches)


def _run(running: Any, batch: OnnxInput, size: int) -> Floats:
    try:
        logits = np.asarray(running.run(None, dict(batch))[0])
    except Exception as error:  # ONNX Runtime raises its own classes for what a graph cannot do
        raise InputError(f"ONNX Runtime cannot run the model on these events: {error}") from error
    if logits.ndim != 2 or len(logits) != size or logits.shape[1] < 2 or logits.dtype.kind != "f":
        raise InputError(f"the first output is {logits.dtype} {logits.shape}, expected logits of ({size}, classes)")
    if not np.isfinite(logits).all():
        raise InputError("the first output holds inf or NaN, expected finite logits")
    return logits


def _compared(varied: str, before: Floats, after: Mapping[str, Floats]) -> Variation:
    """Make one row: an event counts as flipped if any variant changes its label."""
    flipped = np.any([before.argmax(1) != logits.argmax(1) for logits in after.values()], axis=0)
    largest = max(float(np.abs(before - logits).max()) for logits in after.values())
    return Variation(varied, tuple(after), len(before), int(flipped.sum()), largest)


def _instruction_set(
    graph: onnx.ModelProto, onnx_inputs: Sequence[OnnxInput]
) -> tuple[Variation, tuple[PairSums, ...]]:
    name = "saturating 16-bit pair sums, emulated"
    try:
        found = emulate(graph, onnx_inputs)
    except NotEmulated as error:
        return Variation("instruction set", (name,), unmeasured=str(error)), ()
    return _compared("instruction set", found.exact, {name: found.saturating}), found.matrices


def _padding(graph: onnx.ModelProto) -> dict[str, int] | str:
    """Find what each input is padded with; a text with the reason if it cannot be.

    What masks padding is an input of its own, or made in the graph: our own encoder compares the ids with the
    padding's id. What stands behind a mask is of no matter: 0 is an id that every model has.
    """
    specs = {spec.name: spec.type.tensor_type for spec in input_specs(graph)}
    if any(t.elem_type not in TOKENS or len(t.shape.dim) != 2 for t in specs.values()):
        return "the model reads tensors, not tokens"
    if any(t.shape.dim[1].HasField("dim_value") for t in specs.values()):
        return "the model's length is fixed"
    if MASK in specs:
        return dict.fromkeys(specs, 0)
    constants = {w.name: numpy_helper.to_array(w) for w in graph.graph.initializer}
    for node in graph.graph.node:
        if node.op_type == "Equal" and [node.input[0]] == list(specs) and node.input[1] in constants:
            return {node.input[0]: int(constants[node.input[1]].reshape(-1)[0])}
    return "nothing in the model masks padding"


def _padded(onnx_input: OnnxInput, ids: Mapping[str, int], length: int) -> OnnxInput:
    return {
        name: np.pad(array, ((0, 0), (0, length - array.shape[1])), constant_values=ids[name])
        for name, array in onnx_input.items()
    }


def _parsed(model: onnx.ModelProto | bytes) -> onnx.ModelProto:
    if isinstance(model, onnx.ModelProto):
        return model
    try:
        return onnx.load_from_string(model)
    except Exception as error:  # protobuf's DecodeError, which it does not export in one place
        raise InputError(f"not an ONNX model: {error}") from None


def _opened(file: bytes, **how: Any) -> Any:
    try:
        return session(file, **how)
    except Exception as error:  # as when it runs
        raise InputError(f"ONNX Runtime cannot open the model: {error}") from None
