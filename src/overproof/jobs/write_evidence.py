"""Keeping what `check` needs beside the bundle: the control, the rival, the events, and what everyone said of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from overproof.bundle.evidence_store import CONTROL as CONTROL_FOLDER
from overproof.bundle.evidence_store import DISTILLED as DISTILLED_FOLDER
from overproof.bundle.evidence_store import fill, require_free
from overproof.bundle.scores import Floats
from overproof.checks.base import BASELINE, CONTROL, DISTILLED, FULL, QUANTIZED
from overproof.checks.stats import fit_temperature
from overproof.distillation.baseline import Baseline, to_bytes
from overproof.distillation.dataset import DatasetSplits, targets
from overproof.distillation.export import ExportedModel, export
from overproof.distillation.fit import TrainedModel, fit
from overproof.distillation.students.presets import EncoderConfig
from overproof.distillation.teachers import align
from overproof.distillation.training_set import TrainingSet
from overproof.files import atomic_folder
from overproof.progress import Console
from overproof.results.parity import Parity

CONTROL_SEED = 1  # added to the student's own


@dataclass(frozen=True)
class Control:
    """The student trained again with another seed, which tells compression from ordinary churn."""

    model: ExportedModel
    fitted: TrainedModel
    parity: Parity
    seed: int


def retrain(
    sizes: EncoderConfig,
    course: TrainingSet,
    material: DatasetSplits,
    classes: tuple[str, ...],
    *,
    checkpoint: Path,
    console: Console,
) -> Control:
    """Train and export the control."""
    config = replace(course.config, seed=course.config.seed + CONTROL_SEED)
    fitted = fit(
        sizes, replace(course, config=config), checkpoint=checkpoint, what="retrained control", console=console
    )
    model, exported = export(fitted, classes, material.benign, material.test["text"].to_pylist())
    return Control(model, fitted, exported, config.seed)


def write_evidence(
    out: Path,
    *,
    material: DatasetSplits,
    teacher: Floats,
    distilled: ExportedModel,
    quantized: ExportedModel,
    control: Control,
    baseline: Baseline,
    course: TrainingSet,
    preset: str,
    transfer: float,
    precision: str,
    write: Callable[..., int],
    card: Mapping[str, Any],
) -> None:
    """Write the evidence folder.

    Parameters
    ----------
    teacher
        Its logits on the validation events, shape (validation, classes).
    write
        `package_bundle`, with everything that student and control share.
    """
    texts: list[str] = material.validation["text"].to_pylist()
    classes = quantized.scorer.classes
    config = course.config
    scores = {
        FULL: teacher,
        DISTILLED: distilled.scorer.score(texts).logits,
        QUANTIZED: quantized.scorer.score(texts).logits,
        CONTROL: control.model.scorer.score(texts).logits,
        BASELINE: align(baseline.logits(texts), baseline.classes, classes),
    }
    require_free(out)
    with atomic_folder(out) as folder:
        write(folder / DISTILLED_FOLDER, distilled, parity=())
        write(
            folder / CONTROL_FOLDER,
            control.model,
            fitted=control.fitted,
            config=replace(config, seed=control.seed),
            parity=(control.parity,),
        )
        fill(
            folder,
            model=quantized.file,
            classes=classes,
            train=material.train,
            validation=material.validation,
            scores=scores,
            baseline=to_bytes(baseline),
            recipe={
                "student": preset,
                "transfer": transfer,
                "precision": precision,
                "benign": list(material.benign),
                "control_seed": control.seed,
                "teacher": dict(card),
                **asdict(config),
            },
        )


def calibrating_temperature(model: ExportedModel, material: DatasetSplits) -> float | None:
    """The temperature that calibrates a model on the labelled validation events; None where there are none."""
    known = targets(material.validation, model.scorer.classes)
    if not (known >= 0).any():
        return None
    logits = model.scorer.score(material.validation["text"].to_pylist()).logits
    return fit_temperature(logits[known >= 0], known[known >= 0])
