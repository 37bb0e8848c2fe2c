"""The main job, top to bottom: read this file first.

A teacher labels events softly; a small student learns from it; the student is exported, quantized to
INT8, compared with its teacher and with a linear baseline, and written as a bundle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import pyarrow.compute as pc

from overproof.bundle.evidence_store import require_free as require_free_for_evidence
from overproof.bundle.manifest import require_free
from overproof.checks.gates import DEFAULT_MARGIN
from overproof.distillation.baseline import fit_baseline
from overproof.distillation.checkpoint import discard
from overproof.distillation.dataset import Events, as_examples, gather
from overproof.distillation.export import export, parity
from overproof.distillation.fit import fit, student_config
from overproof.distillation.students.presets import preset
from overproof.distillation.teachers import Teacher, default_directory, load_teacher, union_classes
from overproof.distillation.teachers.ray import on_ray
from overproof.distillation.training_set import TrainingSet, joined
from overproof.distillation.transfer import query_teacher, transfer_set
from overproof.errors import InputError
from overproof.events.labels import DEFAULT_BENIGN
from overproof.events.sources import Columns
from overproof.inference.cascade.signals import signals
from overproof.inference.engines import ENGINES
from overproof.jobs.evaluate import is_benign, strip, thresholds
from overproof.jobs.fit_ood import fit_ood
from overproof.jobs.package_bundle import package_bundle
from overproof.jobs.teach import TeachReport, teach_encoder, teach_huggingface
from overproof.jobs.write_evidence import calibrating_temperature, retrain, write_evidence
from overproof.progress import SILENT, Console
from overproof.quantization.guards import Guards
from overproof.quantization.qat import QatPlan, train_with_rounding
from overproof.quantization.quantize_student import bundle_precision, quantize_student, require_possible
from overproof.quantization.run import QuantizationSettings
from overproof.results.boundary_events import boundary_events
from overproof.results.compression import Report

TIMING_SECONDS = 30.0


def compress(
    events: Events,
    *,
    teacher: Teacher | str | Sequence[str],
    out: Path | str,
    test: Events | None = None,
    unlabelled: Events | None = None,
    student: str = "tutorial-student",
    temperature: float = 2.0,
    hard_weight: float = 0.5,
    epochs: int | None = None,
    transfer: float = 0.5,
    columns: Columns | None = None,
    benign: Sequence[str] = DEFAULT_BENIGN,
    rejects: Path | None = None,
    cache: Path | None = None,
    keep_fp32: Path | str | None = None,
    evidence: Path | str | None = None,
    margin: float = DEFAULT_MARGIN,
    precision: str = "w8a8",
    guards: Guards | None = None,
    qat: bool = False,
    engine: str = "local",
    address: str | None = None,
    seed: int = 0,
    console: Console = SILENT,
) -> Report:
    """Distil a teacher into a small INT8 bundle, and measure what that cost.

    Parameters
    ----------
    events
        Files, or an event table; labelled ones are split into train, validation and test.
    teacher
        A `Teacher`, or specifications as on the command line (several are averaged).
    out
        Folder of the bundle.
    test
        Events to measure on, instead of a fifth of `events`.
    unlabelled
        More events to learn from through the teacher alone.
    student
        Preset of the student's sizes.
    temperature, hard_weight
        T, and the weight of true labels against the teacher's.
    transfer
        Edited and recombined events per training event, which the teacher labels.
    cache
        Where teacher outputs are kept; by default in the user's cache folder.
    keep_fp32
        Folder for the student before quantization, as a bundle of its own: `quantize` can start from it.
    evidence
        Folder for what `check` needs and nobody deploys: the student before quantization, the same student trained
        again with another seed, the linear baseline, the events, and what everyone said of the validation events.
    margin
        Recall that may be lost against the full model, as a share: fixed here, before anything is measured, and
        stored in the bundle for `check` to hold it to.
    precision
        `w8a8`, `w4a8` or `w4a32` (see `quantization.rewrite`).
    guards
        What quantization may cost on validation events. Where layers kept in float do not help, the student is trained
        with the rounding (QAT); where that does not help either, the best that was found goes to `OUT.failed`.
    qat
        Train with the rounding in any case.
    engine, address
        `local`, or `ray`: ask the teacher on the Ray cluster at that address, which is for large `unlabelled` pools.

    Raises
    ------
    InputError
        Events, teacher or options that cannot be used.
    """
    out, sizes = Path(out), preset(student)
    if not 0 < margin < 1:
        raise InputError(f"--margin {margin}: expected a share between 0 and 1, such as 0.005")
    if engine not in ENGINES:
        raise InputError(f"--engine {engine}: expected one of {', '.join(ENGINES)}")
    for folder in (out, keep_fp32):
        if folder is not None:
            require_free(Path(folder))
    if evidence is not None:
        require_free_for_evidence(Path(evidence))
    material = gather(
        events, test=test, unlabelled=unlabelled, columns=columns, benign=benign, rejects=rejects, console=console
    )
    guards = guards or Guards()
    require_possible(precision, guards, qat, material)
    train, validation, tested = material.train, material.validation, material.test
    if isinstance(teacher, str | Sequence):
        specs = [teacher] if isinstance(teacher, str) else teacher
        opened = partial(on_ray, address=address) if engine == "ray" else load_teacher
        teacher = opened(specs, classes=material.labels, columns=train.column_names)
    classes = union_classes(teacher.classes, material.labels)
    config = replace(student_config(sizes, epochs), temperature=temperature, hard_weight=hard_weight, seed=seed)
    checkpoint, rounding, again = (
        out.with_name(f".{out.name}.{stage}") for stage in ("training", "rounding", "control")
    )

    # 1. The teacher's soft labels: for the events at hand, and for edited ones that nobody has labelled.
    asked = partial(query_teacher, teacher, classes=classes, cache=cache or default_directory(), console=console)
    edited = transfer_set(teacher, train, per_event=transfer, seed=seed)
    examples = [as_examples(train, asked(train, what="training events"), classes)]
    if edited is not None:
        examples.append(as_examples(edited, asked(edited, what="edited events"), classes))
    soft_validation, soft_test = asked(validation, what="validation events"), asked(tested, what="test events")
    boundary = boundary_events(validation, soft_validation, classes)

    # 2. The student learns from them.
    course = TrainingSet(
        [name in material.benign for name in classes],
        joined(examples),
        as_examples(validation, soft_validation, classes),
        config,
    )
    fitted = fit(sizes, course, checkpoint=checkpoint, what="student", console=console)

    # 3. torch → ONNX → integers, each step checked against the one before; the guards may ask for QAT.
    texts = tested["text"].to_pylist()
    fp32, exported = export(fitted, classes, material.benign, texts)
    written = partial(
        package_bundle,
        fitted=fitted,
        preset=student,
        benign=material.benign,
        config=config,
        data=material.describe(),
        teacher=asdict(teacher.card),
        margin=margin,
    )
    in_float = partial(written, precision="fp32", parity=(exported,), thresholds={})
    if keep_fp32 is not None:
        in_float(Path(keep_fp32), fp32, novelty=fit_ood(fp32.scorer, train, seed=seed))
    rounded = quantize_student(
        fp32,
        material,
        QuantizationSettings(precision, guards, qat=qat, seed=seed),
        retrain=partial(train_with_rounding, plan=QatPlan(precision, fitted, course, rounding, console)),
        console=console,
    )
    int8 = rounded.model
    quantized = parity(
        f"FP32 → {bundle_precision(precision)}", fp32.scorer.score(texts).logits, int8.scorer.score(texts).logits
    )

    # 4. What it cost, beside a rival that costs next to nothing.
    console.say("measuring: full, distilled, distilled + INT8, linear baseline")
    known = train.filter(pc.is_valid(train["label"]))
    rival = fit_baseline(known["text"].to_pylist(), known["label"].to_pylist(), seed=seed)
    comparison = strip(
        material,
        classes,
        teacher=teacher,
        soft=soft_test,
        fp32=fp32,
        int8=int8,
        baseline=rival,
        seed=seed,
        budget_s=TIMING_SECONDS,
    )

    # 5. The bundle: what is deployed, and everything above as its provenance.
    taught = fit_ood(int8.scorer, train, seed=seed)
    judged, embedded = int8.scorer.score_and_embed(validation["text"].to_pylist())
    calibration = calibrating_temperature(int8, material)
    place = out if rounded.report.passed else out.with_name(f"{out.name}.failed")
    quantizing = replace(rounded.report, out=place)
    size = written(
        place,
        int8,
        precision=bundle_precision(precision),
        parity=(exported, quantized),
        thresholds=thresholds(int8.scorer.attack(judged.probabilities), is_benign(validation, material.benign)),
        calibration=calibration,
        signals=signals(judged.logits, calibration, taught.distance(embedded)),
        novelty=taught,
        comparison=comparison,
        quantization=rounded.layers,
        quantizing=quantizing,
    )

    # 6. What a sceptic needs to check it: the same student trained again, the rival, the events, everyone's answers.
    if evidence is not None:
        control = retrain(sizes, course, material, classes, checkpoint=again, console=console)
        write_evidence(
            Path(evidence),
            material=material,
            teacher=soft_validation,
            distilled=fp32,
            quantized=int8,
            control=control,
            baseline=rival,
            course=course,
            preset=student,
            transfer=transfer,
            precision=precision,
            write=in_float,
            card=asdict(teacher.card),
        )
        console.say(f"evidence for `overproof check`: {evidence}")
    for folder in (checkpoint, rounding, again):
        discard(folder)
    return Report(place, comparison, (exported, quantized), boundary, material.describe(), size, seed, quantizing)


def teach(
    events: Events,
    *,
    out: Path | str,
    test: Events | None = None,
    preset: str = "small-teacher",
    from_checkpoint: Path | str | None = None,
    epochs: int | None = None,
    columns: Columns | None = None,
    benign: Sequence[str] = DEFAULT_BENIGN,
    rejects: Path | None = None,
    seed: int = 0,
    console: Console = SILENT,
) -> TeachReport:
    """Train a teacher from scratch, or fine-tune a local Hugging Face checkpoint, and measure it.

    Parameters
    ----------
    events, test, columns, benign, rejects
        As for `compress`, which holds the same events out.
    preset
        Sizes of a teacher trained from scratch.
    from_checkpoint
        Folder of a checkpoint to fine-tune instead.

    Raises
    ------
    InputError
        Events, checkpoint or options that cannot be used.
    """
    material = gather(events, test=test, columns=columns, benign=benign, rejects=rejects, console=console)
    if from_checkpoint is not None:
        return teach_huggingface(material, Path(from_checkpoint), Path(out), epochs=epochs, seed=seed, console=console)
    return teach_encoder(material, preset, Path(out), epochs=epochs, seed=seed, console=console)
