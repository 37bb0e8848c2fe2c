"""Quantize the exported student under its guards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from overproof.distillation.dataset import DatasetSplits
from overproof.distillation.export import ExportedModel, ready_model
from overproof.progress import Console
from overproof.quantization.calibrated_model import CALIBRATION_EVENTS
from overproof.quantization.decision_events import DecisionEvents
from overproof.quantization.models.bundle import from_scorer
from overproof.quantization.precision_search import Retrain
from overproof.quantization.reports import layer_report
from overproof.quantization.run import QuantizationEvents, QuantizationSettings, run_quantization
from overproof.results.layers import LayerDiagnostics
from overproof.results.precision_search import PrecisionSearchReport


@dataclass(frozen=True)
class QuantizedStudent:
    """The quantized student, and how it was found.

    Attributes
    ----------
    model
        What is deployed.
    layers
        What rounding did to each layer, on validation events.
    report
        The search and what it cost; `out` is still to be filled in.
    """

    model: ExportedModel
    layers: LayerDiagnostics
    report: PrecisionSearchReport


def quantize_student(
    fp32: ExportedModel,
    splits: DatasetSplits,
    settings: QuantizationSettings,
    *,
    retrain: Retrain,
    console: Console,
) -> QuantizedStudent:
    """Calibrate and round; where the guards still break, or on `qat`, train with the rounding and try again.

    Parameters
    ----------
    splits
        Its training events give the ranges, its validation events are what layers are chosen by, and on its test
        events the guards are decided (`decision_events`).
    retrain
        Quantization-aware training: the same student with weights, grids and ranges that it has learned.
    """
    quantizable = from_scorer("student", fp32.graph, fp32.scorer, splits.benign)
    chosen = np.random.default_rng(settings.seed).permutation(splits.train.num_rows)[:CALIBRATION_EVENTS]
    decision = decision_events(splits) if settings.guards else None
    events = QuantizationEvents(splits.train.take(np.sort(chosen)), splits.validation, decision=decision)
    run = run_quantization(quantizable, events, settings, retrain=retrain, console=console)
    model = ready_model(run.result.model, fp32.trained, fp32.scorer.classes, splits.benign)
    # Against the float model that was rounded: training with the rounding has moved it away from the distilled one.
    layers = layer_report(quantizable, run.result.before, run.result.model, splits.validation)
    return QuantizedStudent(model, layers, run.report)


def decision_events(splits: DatasetSplits) -> DecisionEvents:
    """Return the test events that are new to all that was learned from and validated with: they chose nothing."""
    columns = ["text", "group"]
    seen = pa.concat_tables([splits.train.select(columns), splits.validation.select(columns)])
    return DecisionEvents.unseen(splits.test, seen, "test events")


def bundle_precision(precision: str) -> str:
    """Return what a bundle calls a precision: `int8`, or with 4-bit weights the precision's own name."""
    return "int8" if precision == "w8a8" else precision
