"""Compress a teacher into a bundle: the main job, top to bottom. Read this file first.

load -> label -> distil -> export -> quantize -> evaluate -> write: a teacher labels events softly; a small student
learns from it; the student is exported, quantized to INT8, compared with its teacher and with a linear baseline, and
written as a bundle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import pyarrow as pa

from overproof.bundle.evidence_store import require_free as require_free_for_evidence
from overproof.bundle.manifest import require_free
from overproof.bundle.scores import Floats
from overproof.distillation.baseline import Baseline, fit_baseline
from overproof.distillation.checkpoint import discard
from overproof.distillation.dataset import DatasetSplits, as_examples
from overproof.distillation.derived import derive
from overproof.distillation.export import ExportedModel, export, parity
from overproof.distillation.fit import TrainedModel, fit, student_config
from overproof.distillation.limits import DISAGREEMENT
from overproof.distillation.pool_choice import most_instructive
from overproof.distillation.students.presets import preset
from overproof.distillation.teachers import Teacher, align, default_directory, union_classes
from overproof.distillation.training_set import Examples, TrainingSet, joined
from overproof.distillation.transfer import SoftLabelSource, query_teacher, transfer_set
from overproof.events.families import attack_families, labelled_events
from overproof.events.labels import DEFAULT_BENIGN
from overproof.events.sources import Columns
from overproof.inference.cascade.signals import signals
from overproof.jobs.config import CheckSettings, CompressConfig, DataConfig, DistillConfig, QuantizeConfig, RunOptions
from overproof.jobs.config_json import Events
from overproof.jobs.evaluate import ComparedModels, compare, is_benign, thresholds
from overproof.jobs.fit_ood import fit_ood
from overproof.jobs.load import LoadedData, load_dataset, load_pool, open_teacher
from overproof.jobs.ngram_teacher import train_named
from overproof.jobs.package_bundle import BundleContents, Provenance, package_bundle
from overproof.jobs.write_evidence import EvidenceModels, calibrating_temperature, train_control, write_evidence
from overproof.progress import SILENT, Console
from overproof.quantization.guards import Guards
from overproof.quantization.qat import QatPlan, train_with_rounding
from overproof.quantization.quantize_student import (
    QuantizedStudent,
    bundle_precision,
    decision_events,
    quantize_student,
)
from overproof.quantization.run import QuantizationSettings
from overproof.results import Comparison
from overproof.results.boundary_events import boundary_events
from overproof.results.compression import Report
from overproof.results.parity import Parity

TIMING_SECONDS = 30.0


@dataclass(frozen=True)
class Outputs:
    """Where a compression goes.

    Attributes
    ----------
    bundle
        Folder of the bundle.
    fp32
        Folder for the student before quantization, as a bundle of its own; None keeps none.
    evidence
        Folder for what `check` needs and nobody deploys; None keeps none.
    """

    bundle: Path
    fp32: Path | None = None
    evidence: Path | None = None

    def require_free(self) -> None:
        """Raise InputError if a folder holds something else."""
        for folder in (self.bundle, self.fp32):
            if folder is not None:
                require_free(folder)
        if self.evidence is not None:
            require_free_for_evidence(self.evidence)

    @property
    def ngram_teacher(self) -> Path:
        """Where an n-gram teacher that was trained in the same run is kept, as a bundle of its own."""
        return self.bundle.with_name(f"{self.bundle.name}.ngram-teacher")

    def checkpoint(self, stage: str) -> Path:
        """Return where a stage that is killed finds its last epoch when it is started again."""
        return self.bundle.with_name(f".{self.bundle.name}.{stage}")


@dataclass(frozen=True)
class CompressRun:
    """One compression.

    Attributes
    ----------
    config
        Everything that decides its result, apart from the teacher.
    teacher
        A `Teacher`, or specifications as on the command line (several are averaged).
    outputs, options
        Where it goes, and how it runs.
    """

    config: CompressConfig
    teacher: Teacher | str | Sequence[str]
    outputs: Outputs
    options: RunOptions = field(default_factory=RunOptions)


@dataclass(frozen=True)
class SoftLabels:
    """What the teacher says: of everything the student learns from, of validation events and of test events."""

    train: Examples
    validation: Floats
    test: Floats


@dataclass(frozen=True)
class Distilled:
    """The trained student, and what it was taught."""

    trained: TrainedModel
    training_set: TrainingSet


@dataclass(frozen=True)
class Exported:
    """The student as ONNX, and how far it is from the network it came from."""

    model: ExportedModel
    parity: Parity


@dataclass(frozen=True)
class Evaluation:
    """What compression cost: all models compared, the baseline among them, and what quantization changed."""

    comparison: Comparison
    baseline: Baseline
    parity: Parity


@dataclass(frozen=True)
class Compressed:
    """The results of all stages."""

    loaded: LoadedData
    labels: SoftLabels
    distilled: Distilled
    exported: Exported
    quantized: QuantizedStudent
    evaluation: Evaluation


def compress(
    events: Events,
    *,
    teacher: Teacher | str | Sequence[str],
    out: Path | str,
    test: Events | None = None,
    unlabelled: Events | None = None,
    student: str = DistillConfig.student,
    temperature: float = DistillConfig.temperature,
    hard_weight: float = DistillConfig.hard_weight,
    epochs: int | None = DistillConfig.epochs,
    transfer: float = DistillConfig.transfer,
    consistency: float = DistillConfig.consistency,
    joined: float = DistillConfig.joined,
    pool: int = DistillConfig.pool,
    pool_from: Sequence[str | Path] = DistillConfig.pool_from,
    pool_choice: str = DistillConfig.pool_choice,
    columns: Columns | None = None,
    benign: Sequence[str] = DEFAULT_BENIGN,
    rejects: Path | None = None,
    cache: Path | None = None,
    keep_fp32: Path | str | None = None,
    evidence: Path | str | None = None,
    margin: float = CheckSettings.margin,
    precision: str = QuantizeConfig.precision,
    guards: Guards | None = None,
    qat: bool = QuantizeConfig.qat,
    engine: str = RunOptions.engine,
    address: str | None = None,
    seed: int = CompressConfig.seed,
    console: Console = SILENT,
) -> Report:
    """Distil a teacher into a small INT8 bundle, and measure what that cost.

    Parameters
    ----------
    events, test, unlabelled, columns, benign
        What is learned from (files, or an event table), what is measured on instead of a fifth of it, and more that
        is learned from through the teacher alone; see `DataConfig`.
    teacher
        A `Teacher`, or specifications as on the command line (several are averaged). `ngram` is one that is trained
        first, on the run's own events, and kept in `OUT.ngram-teacher`.
    out
        Folder of the bundle. Where a guard does not hold, the best that was found goes to `OUT.failed`.
    student, temperature, hard_weight, epochs, transfer, consistency, joined, pool, pool_from, pool_choice
        How the student learns; see `DistillConfig`.
    precision, guards, qat
        How it is quantized; see `QuantizeConfig`. Where layers kept in float do not help a guard, the student is
        trained with the rounding (QAT). The guards are decided on test events.
    margin
        Recall that may be lost against the full model, as a share: fixed here, before anything is measured, and
        stored in the bundle for `check` to hold it to.
    keep_fp32
        Folder for the student before quantization, as a bundle of its own: `quantize` can start from it.
    evidence
        Folder for what `check` needs and nobody deploys: the student before quantization, the same student trained
        again with another seed, the linear baseline, the events, and every model's answers to the validation events.
    rejects, cache, engine, address, console
        Where and how it runs; see `RunOptions`.
    seed
        Decides whatever is drawn at random, apart from the split of the events.

    Raises
    ------
    InputError
        Events, teacher or options that cannot be used.
    """
    config = CompressConfig(
        DataConfig(events, test, unlabelled, columns, tuple(benign)),
        DistillConfig(
            student,
            temperature,
            hard_weight,
            epochs,
            transfer=transfer,
            consistency=consistency,
            joined=joined,
            pool=pool,
            pool_from=tuple(map(str, pool_from)),
            pool_choice=pool_choice,
        ),
        QuantizeConfig(precision, guards=guards, qat=qat),
        CheckSettings(margin),
        seed,
    )
    outputs = Outputs(
        Path(out),
        None if keep_fp32 is None else Path(keep_fp32),
        None if evidence is None else Path(evidence),
    )
    return run_compression(CompressRun(config, teacher, outputs, RunOptions(cache, rejects, engine, address, console)))


def run_compression(run: CompressRun) -> Report:
    """Load, label, distil, export, quantize, evaluate and write."""
    run.outputs.require_free()
    loaded = load(run)
    labels = label(run, loaded)
    distilled = distil(run, loaded, labels)
    exported = export_student(run, loaded, distilled)
    quantized = quantize(run, loaded, distilled, exported)
    evaluation = evaluate(run, loaded, labels, exported.model, quantized.model)
    return write(run, Compressed(loaded, labels, distilled, exported, quantized, evaluation))


def load(run: CompressRun) -> LoadedData:
    """Read and split the events, open the teacher, and refuse what would fail only after hours of training."""
    data, options = run.config.data, run.options
    splits = load_dataset(data, rejects=options.rejects, console=options.console)
    if run.config.quantize.limits and not data.held_out:  # else they may have lost their events: `_measurable_guards`
        deciding = decision_events(splits).require_any().events
        run.config.quantize.limits.require_families(attack_families(deciding, splits.benign))
    named = [run.teacher] if isinstance(run.teacher, str) else run.teacher
    if isinstance(named, Sequence):
        named = train_named(named, splits, run.config, out=run.outputs.ngram_teacher, console=options.console)
    teacher = open_teacher(named, splits, options)
    pool = load_pool(run.config, splits, teacher, options.console)
    description = splits.describe() if pool is None else {**splits.describe(), "pool": pool.describe()}
    return LoadedData(splits, teacher, union_classes(teacher.classes, splits.labels), description, pool)


def label(run: CompressRun, loaded: LoadedData) -> SoftLabels:
    """Ask the teacher for soft labels: of the events at hand, of edited ones, and of text that nobody has labelled.

    What is derived from training events takes their labels, true and soft.
    """
    options, splits, distill = run.options, loaded.splits, run.config.distill
    source = SoftLabelSource(loaded.teacher, loaded.classes, options.cache or default_directory(), options.console)
    edited = transfer_set(loaded.teacher, splits.train, per_event=distill.transfer, seed=run.config.seed)
    parts = {"training events": splits.train}
    if edited is not None:
        parts["edited events"] = edited
    examples = [as_examples(part, query_teacher(source, part, what), loaded.classes) for what, part in parts.items()]
    if loaded.pool is not None:
        examples.append(_label_pool(run, loaded, source, loaded.pool.events()))
    benign = [name in splits.benign for name in loaded.classes]
    examples += derive(
        examples[0], benign, consistency=distill.consistency, joined=distill.joined, seed=run.config.seed
    )
    return SoftLabels(
        joined(examples),
        query_teacher(source, splits.validation, "validation events"),
        query_teacher(source, splits.test, "test events"),
    )


def _label_pool(run: CompressRun, loaded: LoadedData, source: SoftLabelSource, pool: pa.Table) -> Examples:
    """Ask the teacher about the pool, and keep what is to be learned from."""
    distill, seed = run.config.distill, run.config.seed
    soft = query_teacher(source, pool, "snippets of the pool")
    if distill.pool_choice == DISAGREEMENT:
        baseline, texts = _linear_baseline(loaded.splits, seed), pool["text"].to_pylist()
        linear = align(baseline.logits(texts), baseline.classes, loaded.classes)
        kept = most_instructive(soft, linear, distill.pool, seed=seed)
        pool, soft = pool.take(kept), soft[kept]
    return as_examples(pool, soft, loaded.classes)


def _linear_baseline(splits: DatasetSplits, seed: int) -> Baseline:
    known = labelled_events(splits.train)
    return fit_baseline(known["text"].to_pylist(), known["label"].to_pylist(), seed=seed)


def distil(run: CompressRun, loaded: LoadedData, labels: SoftLabels) -> Distilled:
    """Train the student on the teacher's soft labels."""
    distill, sizes = run.config.distill, preset(run.config.distill.student)
    training = replace(
        student_config(sizes, distill.epochs),
        temperature=distill.temperature,
        hard_weight=distill.hard_weight,
        seed=run.config.seed,
    )
    training_set = TrainingSet(
        [name in loaded.splits.benign for name in loaded.classes],
        labels.train,
        as_examples(loaded.splits.validation, labels.validation, loaded.classes),
        training,
    )
    checkpoint = run.outputs.checkpoint("training")
    trained = fit(sizes, training_set, checkpoint=checkpoint, what="student", console=run.options.console)
    return Distilled(trained, training_set)


def export_student(run: CompressRun, loaded: LoadedData, distilled: Distilled) -> Exported:
    """Write the student as ONNX, checked against the network; keep it as a bundle where that is asked for."""
    splits, trained = loaded.splits, distilled.trained
    model, step = export(trained, loaded.classes, splits.benign, splits.test["text"].to_pylist())
    if run.outputs.fp32 is not None:
        ood = fit_ood(model.scorer, splits.train, seed=run.config.seed)
        contents = BundleContents(model, trained, distilled.training_set.config, parity=(step,), ood=ood)
        package_bundle(run.outputs.fp32, contents, provenance(run, loaded))
    return Exported(model, step)


def quantize(run: CompressRun, loaded: LoadedData, distilled: Distilled, exported: Exported) -> QuantizedStudent:
    """Quantize the student under its guards, which may ask for training with the rounding.

    Layers are chosen by the validation events, as was when training ends. The guards are decided on test events: those
    chose nothing.
    """
    config, console = run.config.quantize, run.options.console
    checkpoint = run.outputs.checkpoint("rounding")
    plan = QatPlan(config.precision, distilled.trained, distilled.training_set, checkpoint, console)
    return quantize_student(
        exported.model,
        loaded.splits,
        QuantizationSettings(
            config.precision, _measurable_guards(run, loaded), config.observer, config.qat, run.config.seed
        ),
        retrain=lambda calibrated: train_with_rounding(calibrated, plan),
        console=console,
    )


def evaluate(
    run: CompressRun, loaded: LoadedData, labels: SoftLabels, fp32: ExportedModel, int8: ExportedModel
) -> Evaluation:
    """Measure on the test events what compression cost, beside a baseline that costs next to nothing."""
    run.options.console.say("measuring: full, distilled, distilled + INT8, linear baseline")
    splits, seed = loaded.splits, run.config.seed
    texts = splits.test["text"].to_pylist()
    step = f"FP32 → {bundle_precision(run.config.quantize.precision)}"
    changed = parity(step, fp32.scorer.score(texts).logits, int8.scorer.score(texts).logits)
    baseline = _linear_baseline(splits, seed)
    models = ComparedModels(loaded.teacher, labels.test, labels.validation, fp32, int8, baseline, loaded.classes)
    return Evaluation(compare(splits, models, seed=seed, budget_s=TIMING_SECONDS), baseline, changed)


def write(run: CompressRun, done: Compressed) -> Report:
    """Write the bundle with its measurements, then the evidence, and report."""
    config, outputs, splits = run.config, run.outputs, done.loaded.splits
    passed = done.quantized.report.passed
    place = outputs.bundle if passed else outputs.bundle.with_name(f"{outputs.bundle.name}.failed")
    contents = _contents(run, done, place)
    size = package_bundle(place, contents, provenance(run, done.loaded))
    if outputs.evidence is not None:
        _write_evidence(run, done, outputs.evidence)
    for stage in ("training", "rounding", "control"):
        discard(outputs.checkpoint(stage))
    return Report(
        place,
        done.evaluation.comparison,
        contents.parity,
        boundary_events(splits.validation, done.labels.validation, done.loaded.classes),
        done.loaded.description,
        size,
        config.seed,
        contents.search,
    )


def provenance(run: CompressRun, loaded: LoadedData) -> Provenance:
    """Say where the bundles of a run come from."""
    config, splits = run.config, loaded.splits
    card = asdict(loaded.teacher.card)
    return Provenance(
        config.distill.student, splits.benign, loaded.description, card, config.to_json(), config.check.margin
    )


def _measurable_guards(run: CompressRun, loaded: LoadedData) -> Guards:
    """Return the guards, without those of families that are held out or have no event left to be judged by."""
    guards, splits = run.config.quantize.limits, loaded.splits
    if not (guards and run.config.data.held_out):
        return guards
    families = attack_families(decision_events(splits).events, splits.benign)
    unmeasured = [family for family in guards.max_recall_loss if family not in families]
    if unmeasured:
        run.options.console.say(
            f"no event left to judge by: --max-recall-loss of {', '.join(unmeasured)} is unmeasured"
        )
    kept = {family: share for family, share in guards.max_recall_loss.items() if family in families}
    return replace(guards, max_recall_loss=kept)


def _contents(run: CompressRun, done: Compressed, place: Path) -> BundleContents:
    """Join the quantized student with what is measured on validation events."""
    splits, model = done.loaded.splits, done.quantized.model
    ood = fit_ood(model.scorer, splits.train, seed=run.config.seed)
    scores, embeddings = model.scorer.score_and_embed(splits.validation["text"].to_pylist())
    calibration = calibrating_temperature(model, splits)
    attack = model.scorer.attack(scores.probabilities)
    return BundleContents(
        model,
        done.distilled.trained,
        done.distilled.training_set.config,
        bundle_precision(run.config.quantize.precision),
        parity=(done.exported.parity, done.evaluation.parity),
        thresholds=thresholds(attack, is_benign(splits.validation, splits.benign)),
        calibration=calibration,
        signals=signals(scores.logits, calibration, ood.distance(embeddings)),
        ood=ood,
        comparison=done.evaluation.comparison,
        layers=done.quantized.layers,
        search=replace(done.quantized.report, out=place),
    )


def _write_evidence(run: CompressRun, done: Compressed, out: Path) -> None:
    """Train the control and write what a sceptic needs to check the bundle."""
    console, training_set = run.options.console, done.distilled.training_set
    sizes, checkpoint = preset(run.config.distill.student), run.outputs.checkpoint("control")
    control = train_control(done.loaded, training_set, sizes, checkpoint=checkpoint, console=console)
    distilled = BundleContents(done.exported.model, done.distilled.trained, training_set.config)
    models = EvidenceModels(done.labels.validation, distilled, control, done.quantized.model, done.evaluation.baseline)
    write_evidence(out, models, done.loaded.splits, provenance(run, done.loaded))
    console.say(f"evidence for `overproof check`: {out}")
