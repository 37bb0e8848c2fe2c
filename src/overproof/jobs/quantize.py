"""Quantize a bundle or anyone's ONNX classifier: load, divide, quantize, write."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import onnx
import pyarrow as pa

from overproof.bundle.manifest import (
    FORMAT,
    MANIFEST,
    MODEL,
    OOD,
    QUANTIZATION,
    QUANTIZING,
    SENSITIVITY,
    Bundle,
    Manifest,
    digest,
    require_free,
    write_bundle,
)
from overproof.bundle.readers import READ_WITH
from overproof.bundle.runtime import OnnxScorer
from overproof.distillation.checkpoint import discard
from overproof.distillation.dataset import SPLIT_SEED
from overproof.distillation.teachers.onnxnames import NAMES, class_names_beside
from overproof.errors import InputError
from overproof.events.sources import Columns, Rejects
from overproof.events.spellings import require_one_spelling
from overproof.events.split import split_events
from overproof.files import atomic_folder, only_writer
from overproof.inference.cascade.signals import signals
from overproof.jobs.config import (
    CompressConfig,
    QuantizeConfig,
    QuantizeJobConfig,
    RunOptions,
    stored_config,
)
from overproof.jobs.evaluate import thresholds
from overproof.jobs.quantize_audit import Pair
from overproof.jobs.quantize_audit import audit as run_audit
from overproof.progress import NOTEBOOK, Console
from overproof.quantization.calibrated_model import calibration_count, split_calibration
from overproof.quantization.decision_events import DecisionEvents, divide_by_units
from overproof.quantization.evaluation import EvaluationSet
from overproof.quantization.guards import Guards
from overproof.quantization.models import open_model
from overproof.quantization.models.interface import QuantizableModel
from overproof.quantization.precision_search import Retrain
from overproof.quantization.quantize_student import bundle_precision
from overproof.quantization.reports import layer_report
from overproof.quantization.retrain import RetrainSettings, retraining
from overproof.quantization.run import QuantizationEvents, QuantizationRun, QuantizationSettings, run_quantization
from overproof.results.precision_search import PrecisionSearchReport
from overproof.results.precision_search.svg import draw

HELD_BACK, TESTED = "held-back events that chose nothing", "test events"  # on which the guards are decided


@dataclass(frozen=True)
class LoadedEvents:
    """The events to calibrate and judge with, and those that only the result is measured on; None for none."""

    events: pa.Table
    tested: pa.Table | None


@dataclass(frozen=True)
class SetApart:
    """Events to choose by, and those that decide the guards; None where there are no guards."""

    rest: pa.Table
    decision: DecisionEvents | None


@dataclass(frozen=True)
class DividedEvents:
    """The events by their use, and how the model is trained with the rounding; None where it is not."""

    events: QuantizationEvents
    retrain: Retrain | None

    @property
    def held_back(self) -> pa.Table:
        """All events that gave no ranges: what is measured of the finished model may use those that decided too."""
        decision = self.events.decision
        if decision is None or decision.chosen_from != HELD_BACK:
            return self.events.held_back
        return pa.concat_tables([self.events.held_back, decision.events])


def quantize(
    model: Path | str,
    *,
    calibrate_on: Sequence[str],
    out: Path | str,
    precision: str = QuantizeConfig.precision,
    observer: str = QuantizeConfig.observer,
    guards: Guards | None = None,
    qat: bool = QuantizeConfig.qat,
    teacher: Sequence[str] | None = None,
    test: Sequence[str] | None = None,
    columns: Columns | None = None,
    benign: Sequence[str] | None = None,
    rejects: Path | None = None,
    cache: Path | None = None,
    seed: int = QuantizeJobConfig.seed,
    audit: bool = False,
    console: Console = NOTEBOOK,
) -> PrecisionSearchReport:
    """Quantize a classifier, and measure what each layer and the whole cost.

    Parameters
    ----------
    model
        A bundle whose model is FP32, or an ONNX file (its tokenizer and class names beside it).
    calibrate_on
        Files of events: part of them for the ranges of activations, the others held back to judge by. Where there are
        guards and no `test`, half of the latter decides them, and nothing is chosen by it.
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
        Events that nothing is chosen by, to measure the result on and to decide the guards by.
    audit
        Look for behaviour that the float model does not show (see `quantize_audit`); what changes goes to `OUT.failed`.

    Raises
    ------
    InputError
        A model, events or guards that cannot be used.
    """
    config = QuantizeJobConfig(
        tuple(map(str, calibrate_on)),
        tuple(map(str, test or ())),
        columns,
        None if benign is None else tuple(benign),
        QuantizeConfig(precision, observer, guards, qat),
        tuple(map(str, teacher or ())),
        seed,
    )
    options = RunOptions(cache, rejects, console=console)
    return run_quantize(Path(model), config, Path(out), options, audited=audit)


def run_quantize(
    model: Path, config: QuantizeJobConfig, out: Path, options: RunOptions, *, audited: bool = False
) -> PrecisionSearchReport:
    """Load the events, divide them, quantize the model under its guards, audit it, and write it with what that cost."""
    for place in (out, _failed(out)):
        _require_free(place, model.is_dir())
    with only_writer(out):
        return _quantize(model, config, out, options, audited=audited)


def _quantize(
    model: Path, config: QuantizeJobConfig, out: Path, options: RunOptions, *, audited: bool
) -> PrecisionSearchReport:
    quantizable = open_model(model, config.benign)
    if quantizable.bundle is None:
        options.console.say(f"{quantizable.name}: {quantizable.runtime}")
    loaded = load(quantizable, config, options)
    divided = divide(quantizable, loaded, config, out, options)
    settings = config.quantize
    run = run_quantization(
        quantizable,
        divided.events,
        QuantizationSettings(settings.precision, settings.limits, settings.observer, settings.qat, config.seed),
        retrain=divided.retrain,
        console=options.console,
    )
    if audited:
        pair = Pair(quantizable, run.result.model, divided.held_back)
        found = run_audit(pair, seed=config.seed, console=options.console)
        run = replace(run, report=replace(run.report, audit=found))
    place = out if run.report.passed else _failed(out)
    run = replace(run, report=replace(run.report, out=place))
    write(place, quantizable, run, divided.held_back, config)
    discard(_checkpoint(out))
    return run.report


def load(quantizable: QuantizableModel, config: QuantizeJobConfig, options: RunOptions) -> LoadedEvents:
    """Read the events as the model takes them."""
    with Rejects(options.rejects) as skipped:
        events = quantizable.load(config.calibrate_on, config.columns, skipped)
        tested = quantizable.load(config.test, config.columns, skipped) if config.test else None
    known = (*quantizable.classes, *quantizable.benign)
    require_one_spelling([events, tested], known, f"a class of {quantizable.name}, or see --benign")
    return LoadedEvents(events, tested)


def divide(
    quantizable: QuantizableModel, loaded: LoadedEvents, config: QuantizeJobConfig, out: Path, options: RunOptions
) -> DividedEvents:
    """Divide the events: some for the ranges, or to learn from with the rounding, some to choose by, some to decide."""
    if not (config.quantize.qat or config.teacher):
        held_back = loaded.events.num_rows - calibration_count(loaded.events.num_rows)
        chosen = set_apart(loaded, config, loaded.events, held_back / 2 / max(1, loaded.events.num_rows))
        calibration, searched = split_calibration(chosen.rest, seed=config.seed)
        return DividedEvents(QuantizationEvents(calibration, searched, loaded.tested, chosen.decision), None)
    parts = split_events(loaded.events, seed=SPLIT_SEED, validation=0.1, test=0.0)  # as `compress` divides them
    calibration = split_calibration(parts.train, seed=config.seed)[0]
    chosen = set_apart(loaded, config, parts.validation, 0.5, trained=parts.train)
    training = RetrainSettings(
        config.quantize.precision,
        config.teacher or None,
        _checkpoint(out),
        options.cache,
        config.seed,
    )
    retrain = retraining(quantizable, parts.train, chosen.rest, training, options.console)
    return DividedEvents(QuantizationEvents(calibration, chosen.rest, loaded.tested, chosen.decision), retrain)


def set_apart(
    loaded: LoadedEvents,
    config: QuantizeJobConfig,
    held_back: pa.Table,
    share: float,
    trained: pa.Table | None = None,
) -> SetApart:
    """Set apart the events that decide the guards: test events where there are some, else part of those held back.

    Parameters
    ----------
    share
        Of the held-back events that decide.
    trained
        Events that are learned from; None for none.

    Raises
    ------
    InputError
        No events are left to decide by, or none to choose by.
    """
    if not config.quantize.limits:
        return SetApart(held_back, None)
    if loaded.tested is not None:
        return SetApart(held_back, DecisionEvents.unseen(loaded.tested, loaded.events, TESTED).require_any())
    rest, deciding = divide_by_units(held_back, share, seed=config.seed)
    if rest.num_rows < 2:
        raise InputError(
            f"{held_back.num_rows} held-back events hang together as near-duplicates or by group, so that none can be "
            "set apart to decide the guards by: give --test FILE, or more events"
        )
    seen = rest if trained is None else trained
    return SetApart(rest, DecisionEvents.unseen(deciding, seen, HELD_BACK).require_any())


def write(
    out: Path, quantizable: QuantizableModel, run: QuantizationRun, held_back: pa.Table, config: QuantizeJobConfig
) -> None:
    """Write the model, what it cost and what was done to each layer."""
    result = run.result
    layers = layer_report(quantizable, result.before, result.model, held_back)
    reports = {
        QUANTIZING: json.dumps(run.report.to_json(), indent=1).encode(),
        QUANTIZATION: json.dumps(layers.to_json(), separators=(",", ":")).encode(),
    }
    if quantizable.bundle is None:
        _write_folder(out, quantizable, result.model, {**reports, SENSITIVITY: draw(run.report).encode()})
    else:
        files, manifest = _quantized_bundle(quantizable.bundle, run, reports, EvaluationSet(quantizable, held_back))
        write_bundle(out, replace(manifest, config=config_in_force(quantizable.bundle, config)), files)


def config_in_force(origin: Bundle, config: QuantizeJobConfig) -> dict[str, Any]:
    """Return the configuration that a quantized bundle holds: a student's own, quantized as it now is."""
    stored = stored_config(origin.manifest.config, str(origin.path / MANIFEST))
    if isinstance(stored, CompressConfig):
        return replace(stored, quantize=config.quantize).to_json()
    return config.to_json()


def _quantized_bundle(
    origin: Bundle, run: QuantizationRun, reports: Mapping[str, bytes], evaluation: EvaluationSet
) -> tuple[dict[str, bytes], Manifest]:
    """Return the bundle's files with the model replaced, and its manifest with the thresholds of the new one."""
    model, report = run.result.model, run.report
    read_with = {name: origin.files[name] for name in READ_WITH if name in origin.files}
    files = {MODEL: model.SerializeToString(), **read_with, **reports}
    distances = None
    if OOD in origin.files:
        files[OOD] = origin.files[OOD]
        distances = OnnxScorer(replace(origin, files=files)).score(evaluation.events["text"].to_pylist()).ood_distance
    cost = report.step.found
    parity = {
        "step": f"FP32 → {report.precision}",
        "events": cost.events,
        "max_difference": cost.max_difference,
        "flips": cost.flips,
    }
    logits = evaluation.quantizable.logits(model, evaluation.prepared)
    innocent = [name in origin.manifest.benign for name in origin.manifest.classes]
    manifest = replace(
        origin.manifest,
        format=FORMAT,
        precision=bundle_precision(report.precision),
        parity=(*origin.manifest.parity, parity),
        thresholds=thresholds(evaluation.attack(model), evaluation.benign),
        signals=signals(logits, origin.manifest.calibration, distances, innocent),
        files={name: digest(data) for name, data in files.items()},
    )
    return files, manifest


def _write_folder(
    out: Path, quantizable: QuantizableModel, model: onnx.ModelProto, reports: Mapping[str, bytes]
) -> None:
    """Write the ONNX file, what lay beside it, and the reports."""
    with atomic_folder(out) as aside:
        (aside / Path(quantizable.name).name).write_bytes(model.SerializeToString())
        for file in quantizable.beside:
            shutil.copyfile(file, aside / file.name)
        if class_names_beside(aside / Path(quantizable.name).name) is None:  # the graph named them, in a ZipMap
            (aside / NAMES[0]).write_text(json.dumps(quantizable.classes), encoding="utf-8")
        for name, content in reports.items():
            (aside / name).write_bytes(content)


def _checkpoint(out: Path) -> Path:
    return out.with_name(f".{out.name}.rounding")


def _failed(out: Path) -> Path:
    if not out.name:
        raise InputError(f"{out}: expected the name of a folder")
    return out.with_name(f"{out.name}.failed")


def _require_free(out: Path, is_bundle: bool) -> None:
    if is_bundle:
        require_free(out)
    elif out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / QUANTIZING).is_file())):
        raise InputError(f"{out}: exists and is not something that `quantize` wrote; choose another folder")
