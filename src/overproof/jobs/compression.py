"""Describe one compression: where it goes, and what each of its stages leaves to the next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from overproof.bundle.evidence_store import require_free as require_free_for_evidence
from overproof.bundle.manifest import Bundle, require_free
from overproof.bundle.scores import Floats
from overproof.bundle.tiers import TieredScorer
from overproof.distillation.baseline import Baseline
from overproof.distillation.export import ExportedModel
from overproof.distillation.fit import TrainedModel
from overproof.distillation.teachers import Teacher
from overproof.distillation.training_set import Examples, TrainingSet
from overproof.files import only_writer
from overproof.jobs.config import (
    CompressConfig,
    RunOptions,
)
from overproof.jobs.join import JoinedStudents
from overproof.jobs.load import LoadedData
from overproof.jobs.package_bundle import BundleContents
from overproof.quantization.quantize_student import (
    QuantizedStudent,
)
from overproof.results import Comparison
from overproof.results.ladder import Ladder
from overproof.results.parity import Parity
from overproof.results.precision_search import Decision


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
        Folder for what `check` needs and nobody deploys: the student before quantization, the same student trained
        again with another seed, the linear baseline, the events, and every model's answers to the validation events.
        None keeps none.
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

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold all of the folders: hours of training are not for a place where another run is writing."""
        with ExitStack() as held:
            for folder in dict.fromkeys((self.bundle, self.fp32, self.evidence)):
                if folder is not None:
                    held.enter_context(only_writer(folder))
            yield

    @property
    def ngram_teacher(self) -> Path:
        """Where an n-gram teacher that was trained in the same run is kept, as a bundle of its own."""
        return self.bundle.with_name(f"{self.bundle.name}.ngram-teacher")

    def of_first(self) -> Outputs:
        """Return where the student in front is made, of which nothing stays there."""
        return self.of_part("first")

    def of_part(self, name: str) -> Outputs:
        """Return where a student is made that is a part of the run, or one of several; nothing stays there."""
        return Outputs(self.bundle.with_name(f"{self.bundle.name}.{name}"))

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
        A `Teacher`, or specifications as on the command line (several are averaged). `ngram` is one that is trained
        first, on the run's own events, and kept in `OUT.ngram-teacher`.
    outputs, options
        Where it goes, and how it runs.
    """

    config: CompressConfig
    teacher: Teacher | str | Sequence[str]
    outputs: Outputs
    options: RunOptions = field(default_factory=RunOptions)

    def of_rung(self, preset: str) -> CompressRun:
        """Return the run that makes one student of the ladder."""
        return replace(self, config=self.config.taking(preset), outputs=self.outputs.of_part(preset))

    def of_first(self, preset: str) -> CompressRun:
        """Return the run that makes the student in front, and that alone."""
        distill = replace(self.config.distill, student=preset, first=None)
        return replace(self, config=replace(self.config, distill=distill), outputs=self.outputs.of_first())


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
class Student:
    """One student through all its stages, its preset, and what its bundle holds of it."""

    preset: str
    distilled: Distilled
    exported: Exported
    quantized: QuantizedStudent
    contents: BundleContents


@dataclass(frozen=True)
class TwoStudents:
    """A faster student put in front: its bundle, what it may decide, both as one, and the guards decided on both."""

    first: Bundle
    joined: JoinedStudents
    scorer: TieredScorer
    decision: Decision | None


@dataclass(frozen=True)
class Taken:
    """The student that is deployed, and those that it was taken from; None where it was named."""

    student: Student
    ladder: Ladder | None = None


@dataclass(frozen=True)
class Evaluation:
    """What compression cost: all models compared, the baseline among them, and what putting one in front changed."""

    comparison: Comparison
    baseline: Baseline
    parity: tuple[Parity, ...]


@dataclass(frozen=True)
class Compressed:
    """The results of all stages."""

    loaded: LoadedData
    labels: SoftLabels
    taken: Taken
    both: TwoStudents | None
    evaluation: Evaluation

    @property
    def student(self) -> Student:
        """The student that is deployed."""
        return self.taken.student
