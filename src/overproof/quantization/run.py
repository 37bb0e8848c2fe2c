"""Run one quantization: calibrate, measure every layer, search under guards, train if need be, decide, report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import onnx
import pyarrow as pa

from overproof.progress import SILENT, Console
from overproof.quantization.calibrated_model import CalibratedModel, calibrate
from overproof.quantization.decision_events import DecisionEvents, units_of_events
from overproof.quantization.evaluation import EvaluationSet
from overproof.quantization.guards import Guards
from overproof.quantization.models.interface import QuantizableModel
from overproof.quantization.precision_search import (
    SENSITIVITY_EVENTS,
    PrecisionSearch,
    Retrain,
    SearchResult,
    search_with_retraining,
)
from overproof.quantization.precisions import PRECISIONS
from overproof.quantization.reports import portability_report
from overproof.results.divergence import Divergence
from overproof.results.precision_search import Decision, PrecisionSearchReport


@dataclass(frozen=True)
class QuantizationSettings:
    """How a model is quantized.

    Attributes
    ----------
    precision
        One of `precisions.DEPLOYABLE`.
    guards
        What quantization may cost.
    observer
        What chooses the ranges of activations: a key of `affine.OBSERVERS`.
    qat
        Train with the rounding in any case, not only where the guards break.
    """

    precision: str
    guards: Guards
    observer: str = "minmax"
    qat: bool = False
    seed: int = 0


@dataclass(frozen=True)
class QuantizationEvents:
    """The events of one quantization.

    Attributes
    ----------
    calibration, held_back
        For the ranges, and to judge and choose by.
    tested
        To measure the result on; None for none.
    decision
        To decide the guards on; None where there are none.
    """

    calibration: pa.Table
    held_back: pa.Table
    tested: pa.Table | None = None
    decision: DecisionEvents | None = None


@dataclass(frozen=True)
class QuantizationRun:
    """A quantization carried out.

    Attributes
    ----------
    result
        The model, and the float one that was rounded.
    report
        What it cost; `out` is still to be filled in.
    """

    result: SearchResult
    report: PrecisionSearchReport


def run_quantization(
    quantizable: QuantizableModel,
    events: QuantizationEvents,
    settings: QuantizationSettings,
    *,
    retrain: Retrain | None = None,
    console: Console = SILENT,
) -> QuantizationRun:
    """Quantize a model.

    Parameters
    ----------
    retrain
        See `precision_search.search_with_retraining`.

    Raises
    ------
    InputError
        Nothing to quantize, events or guards that cannot be used.
    """
    precision, seed = settings.precision, settings.seed
    calibrated = calibrate(quantizable, events.calibration, observer=settings.observer, seed=seed)
    console.say(
        f"{len(calibrated.layers)} layers; {events.calibration.num_rows:,} events to calibrate, "
        f"{events.held_back.num_rows:,} held back to judge by"
    )
    evaluation = EvaluationSet(quantizable, events.held_back)
    decide = _decide_later(evaluation, events.decision, settings.guards)
    sample = evaluation.subsample(SENSITIVITY_EVENTS, seed=seed)
    search = PrecisionSearch(precision, settings.guards, evaluation, sample)
    found, trained = search_with_retraining(calibrated, search, qat=settings.qat, retrain=retrain, console=console)
    console.say("measuring: other precisions, portability of the verdicts, every layer's weights and activations")
    report = PrecisionSearchReport(
        model=quantizable.name,
        out=Path(),
        precision=precision,
        bytes_before=quantizable.size or quantizable.model.ByteSize(),
        bytes_after=found.model.ByteSize(),
        calibrated=events.calibration.num_rows,
        held_back=events.held_back.num_rows,
        path=found.path,
        chosen=found.chosen,
        trained=trained,
        sensitivity=found.sensitivity,
        all_quantized=sample.judge(calibrated.at({layer.name: precision for layer in calibrated.layers})),
        compared=_compared(calibrated, evaluation, precision),
        tested=None if events.tested is None else evaluation.at_its_threshold(events.tested).judge(found.model),
        portability=portability_report(quantizable, found.model, events.held_back, seed=seed),
        seed=seed,
        decision=decide(found.model),
    )
    return QuantizationRun(found, report)


def _decide_later(
    evaluation: EvaluationSet, decision: DecisionEvents | None, guards: Guards
) -> Callable[[onnx.ModelProto], Decision | None]:
    """Return what decides the guards for a model; a family that cannot be decided is refused now.

    An attack counts as detected above the threshold of the events that the search goes by: it is not chosen anew.
    """
    if not guards or decision is None:
        return lambda model: None
    events = decision.events
    deciding = evaluation.at_its_threshold(events) if events.num_rows else None
    guards.require_families(deciding.families if deciding else ())

    def decide(model: onnx.ModelProto) -> Decision:
        found, each = deciding.judge_each(model) if deciding else evaluation.judge_none()
        findings = guards.findings(each, units_of_events(events))
        return Decision(decision.chosen_from, decision.left_out, found, findings)

    return decide


def _compared(calibrated: CalibratedModel, evaluation: EvaluationSet, precision: str) -> dict[str, Divergence]:
    """Judge every layer at each other precision."""
    return {
        other: evaluation.judge(calibrated.at({layer.name: other for layer in calibrated.layers}))
        for other in PRECISIONS
        if other not in (precision, "float")
    }
