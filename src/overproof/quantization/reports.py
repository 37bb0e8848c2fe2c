"""Report on a quantized model besides its cost: each layer's grids, and whether its verdicts are portable."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx
import pyarrow as pa

from overproof.errors import InputError
from overproof.quantization.layer_diagnostics import by_kind, diagnose_layers
from overproof.quantization.layers import find_layers
from overproof.quantization.models.interface import QuantizableModel
from overproof.quantization.onnx_inputs import (
    OnnxInput,
    fixed_batch,
    group_by_shape,
    merge_batch,
    split_batches,
    with_outputs,
)
from overproof.quantization.portability import portability
from overproof.results.layers import LayerDiagnostics
from overproof.results.portability import PortabilityReport

PORTABLE_EVENTS, LEAST_EVENTS = 64, 8
MULTIPLICATIONS = 80e9  # of all these events in linear layers, each padded to the longest: well within a minute
BATCH = 32


def layer_report(
    quantizable: QuantizableModel, before: onnx.ModelProto, quantized: onnx.ModelProto, events: pa.Table
) -> LayerDiagnostics:
    """Report what rounding `before` to `quantized` did to each layer, on some events (see `layer_diagnostics`)."""
    onnx_inputs = {kind: _batches(quantizable, some) for kind, some in by_kind(events, quantizable.benign).items()}
    return diagnose_layers(before, quantized, onnx_inputs)


def portability_report(
    quantizable: QuantizableModel, quantized: onnx.ModelProto, events: pa.Table, *, seed: int = 0
) -> PortabilityReport:
    """Report whether verdicts depend on anything but the event, tried on some of the events.

    Fewer events are tried of large models and long texts, so that it takes no more than about a minute.
    """
    fixed = fixed_batch(quantized)
    if fixed not in (None, 1):
        return PortabilityReport.unmeasured(f"the model's batch size is fixed at {fixed}")
    order = np.random.default_rng(seed).permutation(events.num_rows)[:PORTABLE_EVENTS]
    onnx_inputs = one_by_one(quantizable, events.take(order))
    weights = sum(layer.values.size for layer in find_layers(quantizable.model) if layer.kind == "linear")
    heaviest = max(1, weights) * max(map(_positions, onnx_inputs), default=1)
    some = onnx_inputs[: max(LEAST_EVENTS, int(MULTIPLICATIONS / heaviest))]
    try:
        return portability(with_outputs(quantized, [quantizable.output]), some)
    except InputError as error:
        return PortabilityReport.unmeasured(str(error))


def one_by_one(quantizable: QuantizableModel, events: pa.Table) -> list[OnnxInput]:
    """Make one input of each event, or of each window of it; without padding, which no single event needs."""
    return [
        {name: values[row : row + 1] for name, values in onnx_input.items()}
        for place in range(events.num_rows)
        for onnx_input in quantizable.prepare(events.slice(place, 1)).onnx_inputs
        for row in range(len(next(iter(onnx_input.values()))))
    ]


def _batches(quantizable: QuantizableModel, events: pa.Table) -> Iterable[OnnxInput]:
    """Batch all events without padding; with it where the model insists on a number of events."""
    if fixed_batch(quantizable.model) is not None:
        return quantizable.prepare(events).onnx_inputs
    onnx_inputs = one_by_one(quantizable, events)
    return [merge_batch(onnx_inputs, rows) for rows in split_batches(group_by_shape(onnx_inputs), BATCH)]


def _positions(onnx_input: OnnxInput) -> int:
    """Count the tokens of a text, which linear layers see one by one; 1 for a tensor of features."""
    values = next(iter(onnx_input.values()))
    return values.size if values.dtype.kind in "iu" else 1
