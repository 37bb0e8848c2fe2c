"""Write what `check` needs beside the bundle: the control, the baseline, the events, and every model's answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from overproof.bundle.evidence_store import CONTROL as CONTROL_FOLDER
from overproof.bundle.evidence_store import DISTILLED as DISTILLED_FOLDER
from overproof.bundle.evidence_store import EvidenceStore, require_free, write_evidence_store
from overproof.bundle.scores import Floats
from overproof.checks.base import BASELINE, CONTROL, DISTILLED, FULL, QUANTIZED
from overproof.checks.stats import fit_temperature
from overproof.distillation.baseline import Baseline, to_bytes
from overproof.distillation.dataset import DatasetSplits, targets
from overproof.distillation.export import ExportedModel, export
from overproof.distillation.fit import fit
from overproof.distillation.students.presets import NetworkConfig
from overproof.distillation.teachers import align
from overproof.distillation.training_set import TrainingSet
from overproof.files import atomic_folder
from overproof.jobs.load import LoadedData
from overproof.jobs.package_bundle import BundleContents, Provenance, package_bundle
from overproof.progress import Console

CONTROL_SEED = 1  # added to the student's own


@dataclass(frozen=True)
class EvidenceModels:
    """The models whose answers are kept.

    Attributes
    ----------
    teacher
        Its logits on the validation events, shape (validation, classes).
    distilled, control
        The student before quantization; the same trained again with another seed.
    quantized
        The student that is deployed.
    baseline
        The linear baseline.
    """

    teacher: Floats
    distilled: BundleContents
    control: BundleContents
    quantized: ExportedModel
    baseline: Baseline


def train_control(
    loaded: LoadedData, training_set: TrainingSet, sizes: NetworkConfig, *, checkpoint: Path, console: Console
) -> BundleContents:
    """Train and export the student again with another seed, which tells compression from ordinary churn."""
    config = replace(training_set.config, seed=training_set.config.seed + CONTROL_SEED)
    again = replace(training_set, config=config)
    trained = fit(sizes, again, checkpoint=checkpoint, what="retrained control", console=console)
    splits = loaded.splits
    model, step = export(trained, loaded.classes, splits.benign, splits.test["text"].to_pylist())
    return BundleContents(model, trained, config, parity=(step,))


def write_evidence(out: Path, models: EvidenceModels, splits: DatasetSplits, provenance: Provenance) -> None:
    """Write the evidence store."""
    texts: list[str] = splits.validation["text"].to_pylist()
    classes = models.quantized.scorer.classes
    scores = {
        FULL: models.teacher,
        DISTILLED: models.distilled.model.scorer.score(texts).logits,
        QUANTIZED: models.quantized.scorer.score(texts).logits,
        CONTROL: models.control.model.scorer.score(texts).logits,
        BASELINE: align(models.baseline.logits(texts), models.baseline.classes, classes),
    }
    require_free(out)
    with atomic_folder(out) as folder:
        package_bundle(folder / DISTILLED_FOLDER, replace(models.distilled, parity=()), provenance)
        package_bundle(folder / CONTROL_FOLDER, models.control, provenance)
        store = EvidenceStore(
            folder,
            classes,
            splits.train,
            splits.validation,
            scores,
            to_bytes(models.baseline),
            config=provenance.config,
            teacher=provenance.teacher,
            control_seed=models.control.training.seed,
        )
        write_evidence_store(store, models.quantized.file)


def calibrating_temperature(model: ExportedModel, splits: DatasetSplits) -> float | None:
    """Return the temperature that calibrates a model on the labelled validation events; None where there are none."""
    known = targets(splits.validation, model.scorer.classes)
    if not (known >= 0).any():
        return None
    logits = model.scorer.score(splits.validation["text"].to_pylist()).logits
    return fit_temperature(logits[known >= 0], known[known >= 0])
