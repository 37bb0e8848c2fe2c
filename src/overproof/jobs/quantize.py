"""`overproof quantize`: a bundle or anyone's ONNX classifier to a quantized one, guards and all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import onnx
import pyarrow as pa

from overproof.bundle.manifest import (
    MODEL,
    OOD,
    QUANTIZATION,
    QUANTIZING,
    SENSITIVITY,
    TOKENIZER,
    Bundle,
    digest,
    require_free,
    write_bundle,
)
from overproof.bundle.runtime import OnnxScorer
from overproof.distillation.checkpoint import discard
from overproof.distillation.dataset import SPLIT_SEED
from overproof.errors import InputError
from overproof.events.sources import Columns, Rejects
from overproof.events.split import split_events
from overproof.files import atomic_folder
from overproof.inference.cascade.signals import signals
from overproof.jobs.evaluate import thresholds
from overproof.progress import SILENT, Console
from overproof.quantization.calibrated_model import split_calibration
from overproof.quantization.evaluation import EvaluationSet
from overproof.quantization.guards import Guards
from overproof.quantization.precision_search import SearchResult
from overproof.quantization.precisions import DEPLOYABLE
from overproof.quantization.quantizable_model import QuantizableModel, open_model
from overproof.quantization.reports import layer_report
from overproof.quantization.retrain import RetrainSettings, retraining
from overproof.quantization.run import QuantizationEvents, QuantizationSettings, run_quantization
from overproof.results.precision_search import PrecisionSearchReport
from overproof.results.precision_search.svg import draw


def quantize(
    model: Path | str,
    *,
    calibrate_on: Sequence[str],
    out: Path | str,
    precision: str = "w8a8",
    observer: str = "minmax",
    guards: Guards | None = None,
    qat: bool = False,
    teacher: Sequence[str] | None = None,
    test: Sequence[str] | None = None,
    columns: Columns | None = None,
    benign: Sequence[str] | None = None,
    rejects: Path | None = None,
    cache: Path | None = None,
    seed: int = 0,
    console: Console = SILENT,
) -> PrecisionSearchReport:
    """Quantize a classifier, and measure what each layer and the whole cost.

    Parameters
    ----------
    model
        A bundle whose model is FP32, or an ONNX file (its tokenizer and class names beside it).
    calibrate_on
        Files of events: part of them for the ranges of activations, the others held back to judge by.
    out
        Folder to write: a bundle for a bundle; else the ONNX file with what lay beside it. Where not every guard
        holds, the best that was found goes to `OUT.failed` instead, so that nothing deploys it by accident.
    precision
        `w8a8`, `w4a8` or `w4a32` (see `quantization.rewrite`).
    observer
        What chooses the ranges of activations: a key of `affine.OBSERVERS`.
    qat, teacher
        Train a bundle's network with the rounding, under this teacher or under its own float self: on `qat`, or where
        a teacher is given and the guards break. The events are then what it learns from, a tenth held back.
    test
        Events that nothing is chosen by, to measure the result on.

    Raises
    ------
    InputError
        A model, events or guards that cannot be used.
    """
    out, guards = Path(out), guards or Guards()
    if precision not in DEPLOYABLE:
        raise InputError(f"precision {precision!r}: expected one of {', '.join(DEPLOYABLE)}")
    for place in (out, _failed(out)):
        _require_free(place, Path(model).is_dir())
    subject = open_model(Path(model), benign)
    with Rejects(rejects) as skipped:
        events = subject.load(calibrate_on, columns, skipped)
        tested = subject.load(test, columns, skipped) if test else None
    calibration, held_back = split_calibration(events, seed=seed)
    retrain = None
    if qat or teacher:
        parts = split_events(events, seed=SPLIT_SEED, validation=0.1, test=0.0)  # as `compress` divides them
        calibration, held_back = split_calibration(parts.train, seed=seed)[0], parts.validation
        training = RetrainSettings(precision, teacher, out.with_name(f".{out.name}.rounding"), cache, seed)
        retrain = retraining(subject, parts.train, held_back, training, console)
    done = run_quantization(
        subject,
        QuantizationEvents(calibration, held_back, tested),
        QuantizationSettings(precision, guards, observer, qat, seed),
        retrain=retrain,
        console=console,
    )
    place = out if done.result.passed else _failed(out)
    report = replace(done.report, out=place)
    _write(place, subject, done.result, report, done.evaluation, held_back)
    discard(out.with_name(f".{out.name}.rounding"))
    return report


def _failed(out: Path) -> Path:
    if not out.name:
        raise InputError(f"{out}: expected the name of a folder")
    return out.with_name(f"{out.name}.failed")


def _require_free(out: Path, is_bundle: bool) -> None:
    if is_bundle:
        require_free(out)
    elif out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / QUANTIZING).is_file())):
        raise InputError(f"{out}: exists and is not something that `quantize` wrote; choose another folder")


def _write(
    out: Path,
    subject: QuantizableModel,
    found: SearchResult,
    report: PrecisionSearchReport,
    bench: EvaluationSet,
    events: pa.Table,
) -> None:
    """The model, what it cost and what was done to each layer."""
    layers = layer_report(subject, found.before, found.model, events)
    told = {
        QUANTIZING: json.dumps(report.to_json(), indent=1).encode(),
        QUANTIZATION: json.dumps(layers.to_json(), separators=(",", ":")).encode(),
    }
    if subject.bundle is None:
        _write_folder(out, subject, found.model, {**told, SENSITIVITY: draw(report).encode()})
    else:
        _write_bundle(out, subject.bundle, found.model, told, report, bench, events)


def _write_folder(out: Path, subject: QuantizableModel, model: onnx.ModelProto, told: Mapping[str, bytes]) -> None:
    """The ONNX file, what lay beside it, and what is told of it."""
    with atomic_folder(out) as aside:
        (aside / Path(subject.name).name).write_bytes(model.SerializeToString())
        for file in subject.beside:
            shutil.copyfile(file, aside / file.name)
        for name, content in told.items():
            (aside / name).write_bytes(content)


def _write_bundle(
    out: Path,
    origin: Bundle,
    model: onnx.ModelProto,
    told: Mapping[str, bytes],
    report: PrecisionSearchReport,
    bench: EvaluationSet,
    events: pa.Table,
) -> None:
    """The bundle with its model replaced, and the thresholds that belong to the new one."""
    files = {MODEL: model.SerializeToString(), TOKENIZER: origin.files[TOKENIZER], **told}
    distances = None
    if OOD in origin.files:
        files[OOD] = origin.files[OOD]
        distances = OnnxScorer(replace(origin, files=files)).score(events["text"].to_pylist()).ood_distance
    found = report.step.found
    parity = {
        "step": f"FP32 → {report.precision}",
        "events": found.events,
        "max_difference": found.max_difference,
        "flips": found.flips,
    }
    manifest = replace(
        origin.manifest,
        precision="int8" if report.precision == "w8a8" else report.precision,
        parity=(*origin.manifest.parity, parity),
        thresholds=thresholds(bench.attack(model), bench.benign),
        signals=signals(bench.quantizable.logits(model, bench.prepared), origin.manifest.calibration, distances),
        files={name: digest(data) for name, data in files.items()},
    )
    write_bundle(out, manifest, files)
