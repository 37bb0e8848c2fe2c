"""What is told of a quantized model besides its cost: each layer's grids, and whether its verdicts are portable."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx
import pyarrow as pa

from overproof.errors import InputError
from overproof.quantization.layer_diagnostics import by_kind, describe
from overproof.quantization.layers import find_layers
from overproof.quantization.onnx_inputs import Feed, alike, cut, fixed_batch, together, with_outputs
from overproof.quantization.portability import portability
from overproof.quantization.quantizable_model import QuantizableModel
from overproof.results.layers import LayerDiagnostics
from overproof.results.portability import PortabilityReport

PORTABLE_EVENTS, LEAST_EVENTS = 64, 8
MULTIPLICATIONS = 80e9  # of all these events in linear layers, each padded to the longest: well within a minute
BATCH = 32


def layer_report(
    subject: QuantizableModel, before: onnx.ModelProto, quantized: onnx.ModelProto, events: pa.Table
) -> LayerDiagnostics:
    """What rounding `before` to `quantized` did to each layer, observed on some events (see `layers.by_kind`)."""
    feeds = {kind: _batches(subject, some) for kind, some in by_kind(events, subject.benign).items()}
    return describe(before, quantized, feeds)


def portability_report(
    subject: QuantizableModel, quantized: onnx.ModelProto, events: pa.Table, *, seed: int = 0
) -> PortabilityReport:
    """Whether verdicts hang on anything but the event, tried on some of the events.

    Fewer events are tried of large models and long texts, so that it takes no more than about a minute.
    """
    fixed = fixed_batch(quantized)
    if fixed not in (None, 1):
        return PortabilityReport.unmeasured(f"the model's batch size is fixed at {fixed}")
    order = np.random.default_rng(seed).permutation(events.num_rows)[:PORTABLE_EVENTS]
    feeds = singly(subject, events.take(order))
    weights = sum(layer.values.size for layer in find_layers(subject.model) if layer.kind == "linear")
    heaviest = max(1, weights) * max(map(_positions, feeds), default=1)
    some = feeds[: max(LEAST_EVENTS, int(MULTIPLICATIONS / heaviest))]
    try:
        return portability(with_outputs(quantized, [subject.output]), some)
    except InputError as error:
        return PortabilityReport.unmeasured(str(error))


def singly(subject: QuantizableModel, events: pa.Table) -> list[Feed]:
    """A feed for each event, or for each window of it; without padding, which no single event needs."""
    return [
        {name: values[row : row + 1] for name, values in feed.items()}
        for place in range(events.num_rows)
        for feed in subject.prepare(events.slice(place, 1)).feeds
        for row in range(len(next(iter(feed.values()))))
    ]


def _batches(subject: QuantizableModel, events: pa.Table) -> Iterable[Feed]:
    """All events in batches without padding; with it where the model insists on a number of events."""
    if fixed_batch(subject.model) is not None:
        return subject.prepare(events).feeds
    feeds = singly(subject, events)
    return [together(feeds, rows) for rows in cut(alike(feeds), BATCH)]


def _positions(feed: Feed) -> int:
    """Tokens of a text, which linear layers see one by one; 1 for a tensor of features."""
    values = next(iter(feed.values()))
    return values.size if values.dtype.kind in "iu" else 1
