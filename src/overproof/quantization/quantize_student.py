"""Quantize the exported student under its guards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from overproof.bundle.scores import Scorer
from overproof.distillation.dataset import DatasetSplits
from overproof.distillation.export import ExportedModel, ready_model
from overproof.progress import Console
from overproof.quantization.calibrated_model import CALIBRATION_EVENTS
from overproof.quantization.decision_events import DecisionEvents, units_of_events
from overproof.quantization.evaluation import EvaluationSet
from overproof.quantization.models.bundle import from_scorer
from overproof.quantization.precision_search import Retrain
from overproof.quantization.reports import layer_report
from overproof.quantization.run import QuantizationEvents, QuantizationSettings, run_quantization
from overproof.results.divergence import changes, judge
from overproof.results.layers import LayerDiagnostics
from overproof.results.precision_search import Decision, PrecisionSearchReport


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


def decide_as_shipped(
    fp32: ExportedModel, shipped: Scorer, splits: DatasetSplits, settings: QuantizationSettings
) -> Decision | None:
    """Decide the guards on what is deployed, which is more than the one quantized student, against the float student.

    As there, an attack counts as detected above the threshold of the validation events. None where there are no guards.
    """
    if not settings.guards:
        return None
    quantizable = from_scorer("student", fp32.graph, fp32.scorer, splits.benign)
    evaluation, decision = EvaluationSet(quantizable, splits.validation), decision_events(splits)
    if not decision.events.num_rows:
        found, each = evaluation.judge_none()
    else:
        deciding = evaluation.at_its_threshold(decision.events)
        after = shipped.score(decision.events["text"].to_pylist()).logits
        found = judge(deciding.before, after, deciding.truth)
        each = changes(deciding.before, after, deciding.truth)
    findings = settings.guards.findings(each, units_of_events(decision.events))
    return Decision(decision.chosen_from, decision.left_out, found, findings)


def bundle_precision(precision: str) -> str:
    """Return what a bundle calls a precision: `int8`, or with 4-bit weights the precision's own name."""
    return "int8" if precision == "w8a8" else precision
