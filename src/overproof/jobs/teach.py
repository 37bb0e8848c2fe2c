"""Making a teacher: our own encoder from scratch, or a local Hugging Face checkpoint fine-tuned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from overproof.bundle.manifest import require_free
from overproof.bundle.scores import Floats
from overproof.distillation.checkpoint import discard
from overproof.distillation.dataset import DatasetSplits, as_examples
from overproof.distillation.export import export
from overproof.distillation.fit import TrainingSession, fit, rows_of, student_config, train_with_progress
from overproof.distillation.students.presets import preset as named
from overproof.distillation.teachers import load_teacher
from overproof.distillation.training import TrainingTask, rare_repeats
from overproof.distillation.training_set import TrainConfig, TrainingSet
from overproof.errors import InputError
from overproof.jobs.package_bundle import package_bundle
from overproof.progress import Console
from overproof.results import Metrics, measure

CHECKPOINT_CONFIG = TrainConfig(
    epochs=3, batch_rows=32, learning_rate=1e-4, weight_decay=0.01, warmup=0.1, temperature=1.0, hard_weight=1.0
)


@dataclass(frozen=True)
class TeachReport:
    """A trained teacher and how it does on the test events."""

    teacher: Path
    kind: str
    parameters: int
    metrics: Metrics
    data: dict[str, Any]
    seed: int

    def to_json(self) -> dict[str, Any]:
        """Everything as plain JSON."""
        return {**asdict(self), "teacher": str(self.teacher)}

    def render(self) -> str:
        """The teacher in a few lines."""
        m = self.metrics
        figures = [
            f"{name} {'not measured' if value is None else format(value, form)}"
            for name, value, form in (
                ("accuracy", m.accuracy, ".2%"),
                ("macro-F1", m.macro_f1, ".4f"),
                ("FN", m.fn_rate, ".2%"),
                ("FP", m.fp_rate, ".2%"),
            )
        ]
        return f"Teacher: {self.teacher} ({self.kind}, {self.parameters:,} parameters)\n  " + ", ".join(
            [f"on {m.n:,} test events", *figures]
        )


def teach_encoder(
    material: DatasetSplits, preset: str, out: Path, *, epochs: int | None, seed: int, console: Console
) -> TeachReport:
    """Train our own encoder on hard labels and write it as a bundle with an FP32 model."""
    sizes = named(preset)
    require_free(out)
    classes = material.labels
    config = replace(student_config(sizes, epochs), temperature=1.0, hard_weight=1.0, seed=seed)
    course = TrainingSet(
        [name in material.benign for name in classes],
        as_examples(material.train, None, classes),
        as_examples(material.validation, None, classes),
        config,
    )
    fitted = fit(sizes, course, checkpoint=_checkpoint(out), what="teacher", console=console)
    texts = material.test["text"].to_pylist()
    model, step = export(fitted, classes, material.benign, texts)
    package_bundle(
        out,
        model,
        fitted,
        precision="fp32",
        preset=preset,
        benign=material.benign,
        config=config,
        data=material.describe(),
        teacher={"kind": "labels"},
        parity=(step,),
        thresholds={},
    )
    discard(_checkpoint(out))
    return _report(material, out, "own", model.parameters, model.scorer.score(texts).logits, classes, seed)


def teach_huggingface(
    material: DatasetSplits, checkpoint: Path, out: Path, *, epochs: int | None, seed: int, console: Console
) -> TeachReport:
    """Fine-tune a local checkpoint on hard labels and write it as a Hugging Face checkpoint."""
    from overproof.distillation.teachers import huggingface

    if not (checkpoint / "config.json").is_file():
        raise InputError(f"{checkpoint}: no config.json, expected a local Hugging Face checkpoint")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: exists already; choose another folder")
    classes = material.labels
    network, encode, _, tokenizer = huggingface.network_and_encoder(checkpoint, classes, seed=seed)
    config = replace(CHECKPOINT_CONFIG, seed=seed, epochs=epochs or CHECKPOINT_CONFIG.epochs)
    examples = as_examples(material.train, None, classes)
    task = TrainingTask(
        rows_of(encode, examples, repeats=rare_repeats(examples.kinds)),
        rows_of(encode, as_examples(material.validation, None, classes)),
        config,
    )
    train_with_progress(network, task, TrainingSession(_checkpoint(out), "fine-tuning", console))
    huggingface.save(network, tokenizer, classes, out)
    discard(_checkpoint(out))
    teacher = load_teacher([str(out)])
    with console.progress("teacher judges test events", material.test.num_rows) as advance:
        logits = teacher.logits(material.test, advance)
    return _report(material, out, "huggingface", teacher.card.parameters or 0, logits, teacher.classes, seed)


def _checkpoint(out: Path) -> Path:
    """Where a run that is killed finds its last epoch when it is started again."""
    return out.with_name(f".{out.name}.training")


def _report(
    material: DatasetSplits, out: Path, kind: str, parameters: int, logits: Floats, classes: Sequence[str], seed: int
) -> TeachReport:
    test = material.test
    metrics = measure(
        np.asarray(logits), classes, test["label"].to_pylist(), test["family"].to_pylist(), material.benign, None
    )
    return TeachReport(out, kind, parameters, metrics, material.describe(), seed)
