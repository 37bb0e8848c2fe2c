"""ONNX -> INT8: the exported student rounded under its guards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from overproof.distillation.dataset import DatasetSplits, kinds
from overproof.distillation.export import ExportedModel, ready_model
from overproof.distillation.fit import TrainedModel
from overproof.errors import InputError
from overproof.progress import Console
from overproof.quantization.calibrated_model import CALIBRATION_EVENTS, Calibrated
from overproof.quantization.guards import Guards
from overproof.quantization.precisions import DEPLOYABLE, TRAINABLE
from overproof.quantization.quantizable_model import of_scorer
from overproof.quantization.reports import layer_report
from overproof.quantization.run import run_quantization
from overproof.results.layers import LayerDiagnostics
from overproof.results.precision_search import PrecisionSearchReport


@dataclass(frozen=True)
class Quantized:
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


def require_possible(precision: str, guards: Guards, qat: bool, material: DatasetSplits) -> None:
    """InputError for what could not be done after hours of training: it is told before."""
    possible = TRAINABLE if qat else DEPLOYABLE
    if precision not in possible:
        raise InputError(
            f"precision {precision!r}{' with --qat' if qat else ''}: expected one of {', '.join(possible)}"
        )
    labels, names = material.validation["label"].to_pylist(), kinds(material.validation)
    attacks = {
        name for label, name in zip(labels, names, strict=True) if name and label not in (None, *material.benign)
    }
    guards.require_families(sorted(attacks))


def quantize(
    fp32: ExportedModel,
    fitted: TrainedModel,
    material: DatasetSplits,
    *,
    precision: str,
    guards: Guards,
    qat: bool,
    retrain: Callable[[Calibrated], Calibrated],
    seed: int,
    console: Console,
) -> Quantized:
    """Calibrate and round; where the guards still break, or on `qat`, train with the rounding and try again.

    Parameters
    ----------
    material
        Its training events give the ranges, its validation events are what the guards are measured on.
    retrain
        Quantization-aware training: the same student with weights, grids and ranges that it has learned.
    """
    subject = of_scorer("student", fp32.graph, fp32.scorer, material.benign)
    chosen = np.random.default_rng(seed).permutation(material.train.num_rows)[:CALIBRATION_EVENTS]
    done = run_quantization(
        subject,
        material.train.take(np.sort(chosen)),
        material.validation,
        precision=precision,
        guards=guards,
        qat=qat,
        retrain=retrain,
        seed=seed,
        console=console,
    )
    model = ready_model(done.found.model, fitted, fp32.scorer.classes, material.benign)
    # Against the float model that was rounded: training with the rounding has moved it away from the distilled one.
    layers = layer_report(subject, done.found.before, done.found.model, material.validation)
    return Quantized(model, layers, done.report)


def stored(precision: str) -> str:
    """What a bundle calls a precision: `int8`, or with 4-bit weights the precision's own name."""
    return "int8" if precision == "w8a8" else precision
