"""Compress a teacher into a bundle: the main job, top to bottom. Read this file first.

load -> label -> distil -> export (-> harden) -> quantize -> evaluate -> write: a teacher labels events softly; a small
student learns from it; the student is exported, attacked and taught again where that is asked for, quantized to INT8,
compared with its teacher and with a linear baseline, and written as a bundle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from overproof.bundle.manifest import MODEL
from overproof.bundle.readers import NGRAMS
from overproof.bundle.tiers import TieredScorer
from overproof.distillation.checkpoint import discard
from overproof.distillation.dataset import as_examples
from overproof.distillation.export import export, parity
from overproof.distillation.fit import fit, student_config
from overproof.distillation.students.presets import AUTO, LADDER, preset
from overproof.distillation.teachers import Teacher, union_classes
from overproof.distillation.training_set import Examples, TrainingSet, joined
from overproof.errors import InputError
from overproof.events.families import attack_families
from overproof.events.labels import DEFAULT_BENIGN
from overproof.events.sources import Columns
from overproof.inference.cascade.signals import signals
from overproof.jobs.compression import (
    Compressed,
    CompressRun,
    Distilled,
    Evaluation,
    Exported,
    Outputs,
    SoftLabels,
    Student,
    Taken,
    TwoStudents,
)
from overproof.jobs.config import (
    CheckSettings,
    CompressConfig,
    DataConfig,
    DistillConfig,
    JoinLimits,
    QuantizeConfig,
    RunOptions,
)
from overproof.jobs.config_json import Events
from overproof.jobs.evaluate import ComparedModels, DeployedModel, compare, is_benign, thresholds
from overproof.jobs.first_thresholds import require_enough
from overproof.jobs.fit_ood import fit_ood
from overproof.jobs.harden import Hardened, Task
from overproof.jobs.harden import harden as attack_and_teach
from overproof.jobs.join import bundle_of_both, join_students
from overproof.jobs.label import label, linear_baseline
from overproof.jobs.ladder import Candidate, Yardstick, climb
from overproof.jobs.load import LoadedData, load_pool, open_teacher, read_tables, split_tables
from overproof.jobs.ngram_teacher import train_named
from overproof.jobs.package_bundle import BundleContents, Provenance, bundle_of, package_bundle, write_packed
from overproof.jobs.provenance import came_from
from overproof.jobs.unlabelled import is_unlabelled, labelled_by_teacher
from overproof.jobs.write_evidence import EvidenceModels, calibrating_temperature, train_control, write_evidence
from overproof.progress import NOTEBOOK, Console
from overproof.quantization.guards import Guards
from overproof.quantization.qat import QatPlan, train_with_rounding
from overproof.quantization.quantize_student import (
    QuantizedStudent,
    bundle_precision,
    decide_as_shipped,
    decision_events,
    quantize_student,
)
from overproof.quantization.run import QuantizationSettings
from overproof.results.boundary_events import boundary_events
from overproof.results.compression import Report
from overproof.results.parity import Parity

TIMING_SECONDS = 30.0


def compress(
    events: Events,
    *,
    teacher: Teacher | str | Sequence[str],
    out: Path | str,
    test: Events | None = None,
    unlabelled: Events | None = None,
    feedback: Sequence[str | Path] = DataConfig.feedback,
    student: str = DistillConfig.student,
    temperature: float = DistillConfig.temperature,
    hard_weight: float = DistillConfig.hard_weight,
    epochs: int | None = DistillConfig.epochs,
    transfer: float | None = DistillConfig.transfer,
    consistency: float | None = DistillConfig.consistency,
    joined: float | None = DistillConfig.joined,
    pool: int = DistillConfig.pool,
    pool_from: Sequence[str | Path] = DistillConfig.pool_from,
    pool_choice: str = DistillConfig.pool_choice,
    first: str | None = DistillConfig.first,
    harden: bool = DistillConfig.harden,
    harden_rounds: int = DistillConfig.harden_rounds,
    harden_families: Sequence[str] = DistillConfig.harden_families,
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
    console: Console = NOTEBOOK,
) -> Report:
    """Distil a teacher into a small INT8 bundle, and measure what that cost.

    Parameters
    ----------
    events, test, unlabelled, feedback, columns, benign
        What is learned from and measured on: files, or event tables; see `DataConfig`.
    teacher
        A `Teacher`, or specifications as on the command line (several are averaged); see `CompressRun`.
    out, keep_fp32, evidence
        Folders for the bundle (where a guard does not hold, the best that was found goes to `OUT.failed`), the student
        before quantization, and what `check` needs and nobody deploys; see `Outputs`.
    student, temperature, hard_weight, epochs, transfer, consistency, joined, pool, pool_from, pool_choice
        How the student learns; see `DistillConfig`.
    first, harden, harden_rounds, harden_families
        A faster student in front of it, and attacks that it is taught; see `DistillConfig`.
    precision, guards, qat
        How it is quantized; see `QuantizeConfig`.
    margin
        Recall that may be lost; see `CheckSettings`.
    rejects, cache, engine, address, console
        Where and how it runs; see `RunOptions`.
    seed
        Decides whatever is drawn at random, apart from the split of the events.

    Raises
    ------
    InputError
        Events, teacher or options that cannot be used.
    """
    learned = DistillConfig(student, temperature, hard_weight, epochs, transfer, consistency, joined, first=first)
    learned = replace(learned, pool=pool, pool_from=tuple(map(str, pool_from)), pool_choice=pool_choice)
    config = CompressConfig(
        DataConfig(events, test, unlabelled, columns, tuple(benign), feedback=tuple(map(str, feedback))),
        replace(learned, harden=harden, harden_rounds=harden_rounds, harden_families=tuple(harden_families)),
        QuantizeConfig(precision, guards=guards, qat=qat),
        CheckSettings(margin),
        seed,
    )
    fp32, store = (None if folder is None else Path(folder) for folder in (keep_fp32, evidence))
    options = RunOptions(cache, rejects, engine, address, console)
    return run_compression(CompressRun(config, teacher, Outputs(Path(out), fp32, store), options))


def run_compression(run: CompressRun) -> Report:
    """Load, label, make the student (and a faster one to put in front), evaluate and write."""
    run.outputs.require_free()
    with run.outputs.held():
        loaded = load(run)
        labels = label(run, loaded)
        taken = take_student(run, loaded, labels)
        keep_float(run, loaded, taken.student)
        both = put_first(run, loaded, labels, taken.student)
        evaluation = evaluate(run, loaded, labels, taken.student, both)
        return write(run, Compressed(loaded, labels, taken, both, evaluation))


def take_student(run: CompressRun, loaded: LoadedData, labels: SoftLabels) -> Taken:
    """Make the student; on `auto` one of each size, of the same soft labels, and take one by the validation events."""
    config, console = run.config, run.options.console
    if config.distill.student != AUTO:
        return Taken(make_student(run, loaded, labels))
    made = {}
    for name in LADDER:
        console.say(f"the ladder: {name}")
        made[name] = make_student(run.of_rung(name), loaded, labels)
    candidates = {name: Candidate(each.quantized.model, each.quantized.report) for name, each in made.items()}
    guarded = bool(_measurable_guards(run, loaded))
    yardstick = Yardstick.of(
        loaded.splits, loaded.classes, labels.validation, margin=config.check.margin, guarded=guarded
    )
    ladder = climb(candidates, yardstick, seed=config.seed, budget_s=TIMING_SECONDS)
    console.say(f"the ladder: {ladder.taken} is taken")
    return Taken(made[ladder.taken], ladder)


def make_student(run: CompressRun, loaded: LoadedData, labels: SoftLabels) -> Student:
    """Distil, export, harden where that is asked for, and quantize."""
    distilled = distil(run, loaded, labels)
    exported = export_student(loaded, distilled)
    hardening = None
    if run.config.distill.harden:
        hardened = harden_student(run, loaded, labels, (distilled, exported))
        (distilled, exported), hardening = hardened.student, hardened.hardening
    quantized = quantize(run, loaded, distilled, exported)
    contents = replace(_contents(run, loaded, (distilled, exported, quantized)), hardening=hardening)
    return Student(run.config.distill.student, distilled, exported, quantized, contents)


def load(run: CompressRun) -> LoadedData:
    """Read and split the events, open the teacher, and refuse what would fail only after hours of training."""
    data, options = run.config.data, run.options
    tables = read_tables(data, options.rejects)
    if is_unlabelled(tables.events):
        tables, teacher = labelled_by_teacher(run, tables)
        run = replace(run, teacher=teacher)
    splits = split_tables(tables, data, options.console)
    if run.config.distill.first is not None:
        require_enough(splits.validation.num_rows)
    if run.config.quantize.limits and not data.held_out:  # else they may have lost their events: `_measurable_guards`
        deciding = decision_events(splits).require_any().events
        run.config.quantize.limits.require_families(attack_families(deciding, splits.benign))
    named = [run.teacher] if isinstance(run.teacher, str) else run.teacher
    if isinstance(named, Sequence):
        named = train_named(named, splits, run.config, out=run.outputs.ngram_teacher, console=options.console)
    teacher = open_teacher(named, splits, options)
    if data.feedback and not teacher.labels_new_events:
        raise InputError(
            f"--feedback: {teacher.card.name} holds soft labels that were computed elsewhere and has none of corrected "
            "events, expected a teacher that is a model"
        )
    pool = load_pool(run.config, splits, teacher, options.console)
    description = splits.describe()
    description |= came_from(splits.train, data, description)
    if pool is not None:
        description["pool"] = pool.describe()
    return LoadedData(splits, teacher, union_classes(teacher.classes, splits.labels), description, pool)


def distil(
    run: CompressRun,
    loaded: LoadedData,
    labels: SoftLabels,
    *,
    cases: Sequence[Examples] = (),
    stage: str = "training",
) -> Distilled:
    """Train the student on the teacher's soft labels, and on what an attack has found, where there was one."""
    distill, sizes = run.config.distill, preset(run.config.distill.student)
    training = replace(
        student_config(sizes, distill.epochs, len(labels.train.texts)),
        temperature=distill.temperature,
        hard_weight=distill.hard_weight,
        seed=run.config.seed,
    )
    training_set = TrainingSet(
        [name in loaded.splits.benign for name in loaded.classes],
        joined([labels.train, *cases]),
        as_examples(loaded.splits.validation, labels.validation, loaded.classes),
        training,
    )
    checkpoint = run.outputs.checkpoint(stage)
    trained = fit(sizes, training_set, checkpoint=checkpoint, what="student", console=run.options.console)
    return Distilled(trained, training_set)


def export_student(loaded: LoadedData, distilled: Distilled) -> Exported:
    """Write the student as ONNX, checked against the network."""
    splits = loaded.splits
    return Exported(*export(distilled.trained, loaded.classes, splits.benign, splits.test["text"].to_pylist()))


def harden_student(
    run: CompressRun, loaded: LoadedData, labels: SoftLabels, first: tuple[Distilled, Exported]
) -> Hardened:
    """Attack the student on training events, and train it again with what came nearest to fooling it."""

    def again(cases: Sequence[Examples], number: int) -> tuple[Distilled, Exported]:
        distilled = distil(run, loaded, labels, cases=cases, stage=f"hardening-{number}")
        return distilled, export_student(loaded, distilled)

    return attack_and_teach(Task(run, loaded, labels), first, again)


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
        _quantization_settings(run, loaded),
        retrain=lambda calibrated: train_with_rounding(calibrated, plan),
        console=console,
    )


def keep_float(run: CompressRun, loaded: LoadedData, student: Student) -> None:
    """Write the student before quantization as a bundle of its own, where that is asked for."""
    if run.outputs.fp32 is None:
        return
    distilled, exported = student.distilled, student.exported
    ood = fit_ood(exported.model.scorer, loaded.splits.train, seed=run.config.seed)
    contents = BundleContents(
        exported.model, distilled.trained, distilled.training_set.config, parity=(exported.parity,), ood=ood
    )
    package_bundle(run.outputs.fp32, contents, provenance(run, loaded, student))


def put_first(run: CompressRun, loaded: LoadedData, labels: SoftLabels, student: Student) -> TwoStudents | None:
    """Make a faster student of the same soft labels, and choose what it may decide; None where none is asked for."""
    if run.config.distill.first is None:
        return None
    own = run.of_first(run.config.distill.first)
    run.options.console.say(f"the student in front: {run.config.distill.first}")
    front = make_student(own, loaded, labels)
    first, second = (
        bundle_of(of.outputs.bundle, made.contents, provenance(of, loaded, made))
        for of, made in ((own, front), (run, student))
    )
    joined = join_students(first, second, loaded.splits.validation, JoinLimits(run.config.check.margin))
    for sentence in joined.report.sentences():
        run.options.console.say(sentence)
    scorer = TieredScorer(bundle_of_both(first, second, joined))
    settings = _quantization_settings(run, loaded)
    return TwoStudents(
        first, joined, scorer, decide_as_shipped(student.exported.model, scorer, loaded.splits, settings)
    )


def evaluate(
    run: CompressRun, loaded: LoadedData, labels: SoftLabels, student: Student, both: TwoStudents | None
) -> Evaluation:
    """Measure on the test events what compression cost, beside a baseline that costs next to nothing."""
    run.options.console.say("measuring: full, distilled, distilled + INT8, linear baseline")
    splits, seed = loaded.splits, run.config.seed
    fp32, alone = student.exported.model, student.quantized.model
    changed: tuple[Parity, ...] = ()
    deployed = DeployedModel(alone.scorer, alone.parameters, alone.bytes)
    if both is not None:
        texts = splits.test["text"].to_pylist()
        changed = (parity("one → two", alone.scorer.score(texts).logits, both.scorer.score(texts).logits),)
        deployed = _deployed(run, deployed, both)
    baseline = linear_baseline(splits, seed)
    models = ComparedModels(loaded.teacher, labels.test, labels.validation, fp32, deployed, baseline, loaded.classes)
    return Evaluation(compare(splits, models, seed=seed, budget_s=TIMING_SECONDS), baseline, changed)


def write(run: CompressRun, done: Compressed) -> Report:
    """Write the bundle with its measurements, then the evidence, and report."""
    config, outputs, splits = run.config, run.outputs, done.loaded.splits
    report = done.student.quantized.report
    if done.both is not None:
        report = replace(report, decision=done.both.decision)
    place = outputs.bundle if report.passed else outputs.bundle.with_name(f"{outputs.bundle.name}.failed")
    contents = replace(
        done.student.contents,
        parity=(*done.student.contents.parity, *done.evaluation.parity),
        comparison=done.evaluation.comparison,
        search=replace(report, out=place),
        ladder=done.taken.ladder,
    )
    bundle = bundle_of(place, contents, provenance(run, done.loaded, done.student))
    if done.both is not None:
        bundle = bundle_of_both(done.both.first, bundle, done.both.joined)
    size = write_packed(bundle)
    if outputs.evidence is not None:
        _write_evidence(run, done, outputs.evidence)
    rounds = (f"hardening-{number}" for number in range(1, config.distill.harden_rounds + 1))
    stages = ("training", "rounding", "control", *rounds)
    for of in (outputs, outputs.of_first(), *map(outputs.of_part, LADDER)):
        for stage in stages:
            discard(of.checkpoint(stage))
    return Report(
        place,
        done.evaluation.comparison,
        contents.parity,
        boundary_events(splits.validation, done.labels.validation, done.loaded.classes),
        done.loaded.description,
        size,
        config.seed,
        contents.search,
        None if done.both is None else replace(done.both.joined.report, bundle=place, bundle_bytes=size),
        done.taken.ladder,
        done.student.contents.hardening,
    )


def provenance(run: CompressRun, loaded: LoadedData, student: Student) -> Provenance:
    """Say where the bundles of a run come from: the preset is that of the student, the configuration as was asked."""
    config, splits = run.config, loaded.splits
    card = asdict(loaded.teacher.card)
    return Provenance(student.preset, splits.benign, loaded.description, card, config.to_json(), config.check.margin)


def _deployed(run: CompressRun, second: DeployedModel, both: TwoStudents) -> DeployedModel:
    """Describe two students as what is deployed."""
    files, manifest = both.first.files, both.first.manifest
    distill, share = run.config.distill, both.joined.report.decided
    return DeployedModel(
        both.scorer,
        second.parameters + int(manifest.network["parameters"]),
        second.bytes + sum(len(files.get(name, b"")) for name in (MODEL, NGRAMS)),
        f"{distill.first} decides {share:.1%} of the validation events, {distill.student} the rest",
    )


def _quantization_settings(run: CompressRun, loaded: LoadedData) -> QuantizationSettings:
    config = run.config.quantize
    return QuantizationSettings(
        config.precision, _measurable_guards(run, loaded), config.observer, config.qat, run.config.seed
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


def _contents(
    run: CompressRun, loaded: LoadedData, stages: tuple[Distilled, Exported, QuantizedStudent]
) -> BundleContents:
    """Join the quantized student with what is measured on validation events, and what each conversion changed."""
    distilled, exported, quantized = stages
    splits, model, precision = loaded.splits, quantized.model, bundle_precision(run.config.quantize.precision)
    texts = splits.test["text"].to_pylist()
    before, after = (scorer.score(texts).logits for scorer in (exported.model.scorer, model.scorer))
    ood = fit_ood(model.scorer, splits.train, seed=run.config.seed)
    scores, embeddings = model.scorer.score_and_embed(splits.validation["text"].to_pylist())
    calibration = calibrating_temperature(model, splits)
    attack = model.scorer.attack(scores.probabilities)
    return BundleContents(
        model,
        distilled.trained,
        distilled.training_set.config,
        precision,
        parity=(exported.parity, parity(f"FP32 → {precision}", before, after)),
        thresholds=thresholds(attack, is_benign(splits.validation, splits.benign)),
        calibration=calibration,
        signals=signals(scores.logits, calibration, ood.distance(embeddings), scores.benign),
        ood=ood,
        layers=quantized.layers,
        search=quantized.report,
    )


def _write_evidence(run: CompressRun, done: Compressed, out: Path) -> None:
    """Train the control and write what a sceptic needs to check the bundle."""
    student = done.student
    console, training_set = run.options.console, student.distilled.training_set
    sizes, checkpoint = preset(student.preset), run.outputs.checkpoint("control")
    control = train_control(done.loaded, training_set, sizes, checkpoint=checkpoint, console=console)
    distilled = BundleContents(student.exported.model, student.distilled.trained, training_set.config)
    quantized, baseline = student.quantized.model, done.evaluation.baseline
    models = EvidenceModels(done.labels.validation, distilled, control, quantized, baseline)
    write_evidence(out, models, done.loaded.splits, provenance(run, done.loaded, student))
    console.say(f"evidence for `overproof check`: {out}")
