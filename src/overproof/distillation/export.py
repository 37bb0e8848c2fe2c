"""Export a trained encoder from torch to ONNX, ready to score, and compare it with the network it came from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from overproof.bundle.readers import NGRAMS
from overproof.bundle.runtime import Labels, WindowScorer
from overproof.bundle.scores import Floats
from overproof.distillation.batches import predict
from overproof.distillation.deciding_windows import rows_of_windows
from overproof.distillation.fit import TrainedModel
from overproof.distillation.network_graph import to_onnx
from overproof.distillation.students.encoder import parameter_count
from overproof.errors import OverproofError
from overproof.results.parity import Parity

EXPORT_TOLERANCE = 1e-2  # float32 sums in another order; a wrong graph is off by whole units


@dataclass(frozen=True)
class ExportedModel:
    """One network on its way to the bundle: its ONNX file, ready to score.

    Attributes
    ----------
    graph, file
        The ONNX model, and its bytes.
    trained
        The network it was exported from, with what reads text for both.
    """

    graph: onnx.ModelProto
    file: bytes
    scorer: WindowScorer
    parameters: int
    trained: TrainedModel

    @property
    def bytes(self) -> int:
        """Size of what is learned: the ONNX file, and the table of n-grams where there is one."""
        return len(self.file) + len(self.scorer.reader.files().get(NGRAMS, b""))


def export(
    trained: TrainedModel, classes: Sequence[str], benign: Sequence[str], texts: Sequence[str]
) -> tuple[ExportedModel, Parity]:
    """Write the encoder as ONNX and compare it with torch on `texts`.

    Raises
    ------
    OverproofError
        If the two do not compute the same: nothing built on it could be trusted.
    """
    model = ready_model(to_onnx(trained.network), trained, classes, benign)
    windows = model.scorer.windows(texts)
    before = model.scorer.decide(windows, predict(trained.network, rows_of_windows(windows))).logits
    step = parity("torch → ONNX", before, model.scorer.score(texts).logits)
    if not step.max_difference <= EXPORT_TOLERANCE:
        raise OverproofError(f"the exported model differs from the trained one: {step}")
    return model, step


def parity(step: str, before: Floats, after: Floats) -> Parity:
    """Compare two models' logits, shape (n, classes) both: largest |Δlogit| and number of flipped labels."""
    flips = int((before.argmax(1) != after.argmax(1)).sum())
    largest = float(np.abs(before - after).max()) if len(before) else 0.0
    return Parity(step, len(before), largest, flips)


def ready_model(
    graph: onnx.ModelProto, trained: TrainedModel, classes: Sequence[str], benign: Sequence[str]
) -> ExportedModel:
    """Join a graph with what reads text for it, ready to score."""
    describe(graph, classes, benign)
    file = graph.SerializeToString()
    scorer = WindowScorer(file, trained.reader, Labels(tuple(classes), benign))
    return ExportedModel(graph, file, scorer, parameter_count(trained.network), trained)


def describe(graph: onnx.ModelProto, classes: Sequence[str], benign: Sequence[str]) -> None:
    """Put into an ONNX model what whoever finds it without its bundle wants to know; quantization keeps it.

    The keys are those of `metadata_props`, which viewers and onnxruntime's `get_modelmeta` show; the classes are in the
    order of the logits, as JSON.
    """
    about = {
        "library": "overproof",
        "task": "classification of security events, an event a row or several windows of it",
        "classes": json.dumps(list(classes)),
        "benign": json.dumps(list(benign)),
    }
    onnx.helper.set_model_props(graph, about)
