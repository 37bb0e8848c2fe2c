"""Train a teacher: our own encoder from scratch, or a local Hugging Face checkpoint fine-tuned."""

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
from overproof.distillation.students.presets import preset as sizes_of
from overproof.distillation.teachers import load_teacher
from overproof.distillation.training import TrainingTask
from overproof.distillation.training_set import TrainConfig, TrainingSet
from overproof.errors import InputError
from overproof.events.labels import DEFAULT_BENIGN
from overproof.events.sources import Columns
from overproof.files import only_writer
from overproof.jobs.config import DataConfig, RunOptions, TeachConfig
from overproof.jobs.config_json import Events
from overproof.jobs.load import load_dataset
from overproof.jobs.package_bundle import BundleContents, Provenance, package_bundle
from overproof.progress import NOTEBOOK, Console
from overproof.report.markup import Html
from overproof.report.notebook import as_text, to_frame
from overproof.results import Labelled, Metrics, measure

CHECKPOINT_CONFIG = TrainConfig(
    epochs=3, batch_rows=32, learning_rate=1e-4, weight_decay=0.01, warmup=0.1, temperature=1.0, hard_weight=1.0
)


@dataclass(frozen=True, repr=False)
class TeachReport:
    """A trained teacher and how it does on the test events."""

    teacher: Path
    kind: str
    parameters: int
    metrics: Metrics
    data: dict[str, Any]
    seed: int

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON."""
        return {**asdict(self), "teacher": str(self.teacher)}

    def to_dict(self) -> dict[str, Any]:
        """Return the same as `to_json`, as plain Python values."""
        return self.to_json()

    def to_pandas(self) -> Any:
        """Return a row with the figures of the test events; MissingExtra without pandas."""
        m = self.metrics
        figures = {"accuracy": m.accuracy, "macro_f1": m.macro_f1, "fn_rate": m.fn_rate, "fp_rate": m.fp_rate}
        return to_frame([{"teacher": str(self.teacher), "parameters": self.parameters, "test_events": m.n, **figures}])

    def __repr__(self) -> str:
        accuracy = "not measured" if self.metrics.accuracy is None else f"{self.metrics.accuracy:.2%}"
        return f"TeachReport({str(self.teacher)!r}: {self.parameters:,} parameters, accuracy {accuracy})"

    def _repr_html_(self) -> Html:
        return as_text(self.render())

    def render(self) -> str:
        """Describe the teacher in a few lines."""
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


@dataclass(frozen=True)
class TrainedTeacher:
    """A teacher that was written, and its logits on the test events."""

    kind: str
    parameters: int
    classes: Sequence[str]
    logits: Floats


def teach(
    events: Events,
    *,
    out: Path | str,
    test: Events | None = None,
    preset: str = TeachConfig.preset,
    from_checkpoint: Path | str | None = None,
    epochs: int | None = TeachConfig.epochs,
    columns: Columns | None = None,
    benign: Sequence[str] = DEFAULT_BENIGN,
    rejects: Path | None = None,
    seed: int = TeachConfig.seed,
    console: Console = NOTEBOOK,
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
    data = DataConfig(events, test, columns=columns, benign=tuple(benign))
    checkpoint = None if from_checkpoint is None else Path(from_checkpoint)
    config = TeachConfig(data, preset, checkpoint, epochs, seed)
    return run_teaching(config, Path(out), RunOptions(rejects=rejects, console=console))


def run_teaching(config: TeachConfig, out: Path, options: RunOptions) -> TeachReport:
    """Load the events, train the teacher, write and measure it."""
    train = train_encoder if config.from_checkpoint is None else fine_tune
    with only_writer(out):
        splits = load_dataset(config.data, rejects=options.rejects, console=options.console)
        teacher = train(config, splits, out, options.console)
    truth = Labelled(splits.test["label"].to_pylist(), splits.test["family"].to_pylist(), splits.benign)
    metrics = measure(np.asarray(teacher.logits), teacher.classes, truth, None)
    return TeachReport(out, teacher.kind, teacher.parameters, metrics, splits.describe(), config.seed)


def train_encoder(config: TeachConfig, splits: DatasetSplits, out: Path, console: Console) -> TrainedTeacher:
    """Train our own encoder on hard labels and write it as a bundle with an FP32 model."""
    sizes, classes = sizes_of(config.preset), splits.labels
    require_free(out)
    usual = student_config(sizes, config.epochs, splits.train.num_rows)
    training = replace(usual, temperature=1.0, hard_weight=1.0, seed=config.seed)
    training_set = TrainingSet(
        [name in splits.benign for name in classes],
        as_examples(splits.train, None, classes),
        as_examples(splits.validation, None, classes),
        training,
    )
    trained = fit(sizes, training_set, checkpoint=_checkpoint(out), what="teacher", console=console)
    texts = splits.test["text"].to_pylist()
    model, step = export(trained, classes, splits.benign, texts)
    provenance = Provenance(config.preset, splits.benign, splits.describe(), {"kind": "labels"}, config.to_json())
    package_bundle(out, BundleContents(model, trained, training, parity=(step,)), provenance)
    discard(_checkpoint(out))
    return TrainedTeacher("own", model.parameters, classes, model.scorer.score(texts).logits)


def fine_tune(config: TeachConfig, splits: DatasetSplits, out: Path, console: Console) -> TrainedTeacher:
    """Fine-tune a local checkpoint on hard labels and write it as a Hugging Face checkpoint."""
    from overproof.distillation.teachers import huggingface

    checkpoint = config.from_checkpoint
    if checkpoint is None or not (checkpoint / "config.json").is_file():
        raise InputError(f"{checkpoint}: no config.json, expected a local Hugging Face checkpoint")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: exists already; choose another folder")
    classes = splits.labels
    network, encode, _, tokenizer = huggingface.network_and_encoder(checkpoint, classes, seed=config.seed)
    epochs = config.epochs or CHECKPOINT_CONFIG.epochs
    task = TrainingTask(
        rows_of(encode, as_examples(splits.train, None, classes)),
        rows_of(encode, as_examples(splits.validation, None, classes)),
        replace(CHECKPOINT_CONFIG, seed=config.seed, epochs=epochs),
    )
    train_with_progress(network, task, TrainingSession(_checkpoint(out), "fine-tuning", console))
    huggingface.save(network, tokenizer, classes, out)
    discard(_checkpoint(out))
    teacher = load_teacher([str(out)])
    with console.progress("teacher judges test events", splits.test.num_rows) as advance:
        logits = teacher.logits(splits.test, advance)
    return TrainedTeacher("huggingface", teacher.card.parameters or 0, teacher.classes, logits)


def _checkpoint(out: Path) -> Path:
    """Return where a run that is killed finds its last epoch when it is started again."""
    return out.with_name(f".{out.name}.training")
