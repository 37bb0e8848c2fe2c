"""torch -> ONNX -> INT8, with the parity of each step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from overproof.compression.batches import predict
from overproof.compression.export import to_onnx
from overproof.compression.fit import Fitted
from overproof.compression.material import Material, kinds
from overproof.compression.quantization.evidence import layer_report
from overproof.compression.quantization.guarded import CALIBRATION_EVENTS, Calibrated
from overproof.compression.quantization.guards import Guards
from overproof.compression.quantization.rewrite import DEPLOYABLE, TRAINABLE
from overproof.compression.quantization.subject import of_scorer
from overproof.compression.quantization.whole import carry_out
from overproof.compression.student import parameter_count
from overproof.errors import InputError, OverproofError
from overproof.progress import Console
from overproof.report.compression import Parity
from overproof.report.quantization import QuantizationReport
from overproof.report.quantizing import Quantizing
from overproof.runtime import WindowScorer
from overproof.scores import Floats

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

    model: Model
    layers: QuantizationReport
    report: Quantizing


def require_possible(precision: str, guards: Guards, qat: bool, material: Material) -> None:
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
    fp32: Model,
    fitted: Fitted,
    material: Material,
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
    done = carry_out(
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
    model = _model(done.found.model, fitted, fp32.scorer.classes, material.benign)
    # Against the float model that was rounded: training with the rounding has moved it away from the distilled one.
    layers = layer_report(subject, done.found.before, done.found.model, material.validation)
    return Quantized(model, layers, done.report)


def stored(precision: str) -> str:
    """What a bundle calls a precision: `int8`, or with 4-bit weights the precision's own name."""
    return "int8" if precision == "w8a8" else precision


def parity(step: str, before: Floats, after: Floats) -> Parity:
    """Largest |Δlogit| and number of flipped labels between two models' logits, shape (n, classes) both."""
    flips = int((before.argmax(1) != after.argmax(1)).sum())
    largest = float(np.abs(before - after).max()) if len(before) else 0.0
    return Parity(step, len(before), largest, flips)


def _model(graph: onnx.ModelProto, fitted: Fitted, classes: Sequence[str], benign: Sequence[str]) -> Model:
    file = graph.SerializeToString()
    scorer = WindowScorer(file, fitted.tokenizer, classes=tuple(classes), benign=benign, windowing=fitted.windowing)
    return Model(graph, file, scorer, parameter_count(fitted.network))
