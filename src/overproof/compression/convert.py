"""torch -> ONNX -> INT8, with the parity of each step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from overproof.compression.batches import predict
from overproof.compression.export import INPUT, to_onnx
from overproof.compression.fit import Fitted
from overproof.compression.quantization import quantize_model
from overproof.compression.student import parameter_count
from overproof.errors import OverproofError
from overproof.report.compression import Parity
from overproof.runtime import WindowScorer, batches
from overproof.scores import Floats

CALIBRATION_EVENTS = 1024
EXPORT_TOLERANCE = 1e-2  # float32 sums in another order; a wrong graph is off by whole units


@dataclass(frozen=True)
class Model:
    """One encoder on its way to the bundle: its ONNX file, ready to score."""

    graph: onnx.ModelProto
    file: bytes
    scorer: WindowScorer
    parameters: int


def export(fitted: Fitted, classes: Sequence[str], benign: Sequence[str], texts: Sequence[str]) -> tuple[Model, Parity]:
    """Write the encoder as ONNX and compare it with torch on `texts`.

    Raises
    ------
    OverproofError
        If the two do not compute the same: nothing built on it could be trusted.
    """
    model = _model(to_onnx(fitted.network), fitted, classes, benign)
    windows = model.scorer.windows(texts)
    ids = [np.asarray(i, dtype=np.int64) for i in windows.ids]
    before = model.scorer.decide(windows, predict(fitted.network, ids)).logits
    step = parity("torch → ONNX", before, model.scorer.score(texts).logits)
    if not step.max_difference <= EXPORT_TOLERANCE:
        raise OverproofError(f"the exported model differs from the trained one: {step}")
    return model, step


def quantize(
    fp32: Model, fitted: Fitted, classes: Sequence[str], benign: Sequence[str], *, calibration: Sequence[str], seed: int
) -> Model:
    """The INT8 model, calibrated on windows of training events."""
    chosen = np.random.default_rng(seed).permutation(len(calibration))[:CALIBRATION_EVENTS]
    windows = fp32.scorer.windows([calibration[i] for i in chosen])
    graph = quantize_model(fp32.graph, ({INPUT: batch} for _, batch in batches(windows.ids)))
    return _model(graph, fitted, classes, benign)


def parity(step: str, before: Floats, after: Floats) -> Parity:
    """Largest |Δlogit| and number of flipped labels between two models' logits, shape (n, classes) both."""
    flips = int((before.argmax(1) != after.argmax(1)).sum())
    largest = float(np.abs(before - after).max()) if len(before) else 0.0
    return Parity(step, len(before), largest, flips)


def _model(graph: onnx.ModelProto, fitted: Fitted, classes: Sequence[str], benign: Sequence[str]) -> Model:
    file = graph.SerializeToString()
    scorer = WindowScorer(file, fitted.tokenizer, classes=tuple(classes), benign=benign, windowing=fitted.windowing)
    return Model(graph, file, scorer, parameter_count(fitted.network))
