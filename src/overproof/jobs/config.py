"""Configure the jobs: frozen settings, validated where they are made, and stored whole with what they made.

Every default stands here and nowhere else: the command line, the Python functions and `check --hold-out` take theirs
from these classes. Importing this module needs nothing but the standard library.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from overproof.distillation.limits import INSTALLED, RANDOM, require_usable, require_usable_pool
from overproof.distillation.students.presets import (
    AUTO,
    NGRAM,
    TransferShares,
    preset,
    require_student,
    transfer_shares,
)
from overproof.errors import BundleError, InputError
from overproof.events.feedback import weighed
from overproof.events.labels import DEFAULT_BENIGN
from overproof.jobs.config_json import (
    Events,
    TableReference,
    built,
    entries_of,
    of_job,
    path,
    restored_columns,
    restored_events,
    stored,
    stored_events,
    strings,
)
from overproof.progress import SILENT, Console
from overproof.quantization.precisions import DEPLOYABLE, TRAINABLE

if TYPE_CHECKING:
    from overproof.events.sources import Columns
    from overproof.quantization.guards import Guards


@dataclass(frozen=True)
class DataConfig:
    """Where a run's events come from, and how they are read and split.

    Attributes
    ----------
    events, test, unlabelled
        Files, or an event table: what is learned from, what is measured on instead of a fifth of it, and what is
        learned from through the teacher alone. A table read back from a stored configuration is a `TableReference`.
    columns
        Which column of a table holds what; None looks for the usual names.
    benign
        Labels that are benign.
    held_out
        Attack families that nothing is learned from: their events are left out of `events`.
    feedback
        Folders that `overproof feedback` wrote, the oldest first, `DIR` or `DIR@WEIGHT` each: corrected events to learn
        from, WEIGHT times as often as others. Nothing else is learned from that nearly is one of them, or of those that
        are kept for checks.
    """

    events: Events | TableReference
    test: Events | TableReference | None = None
    unlabelled: Events | TableReference | None = None
    columns: Columns | None = None
    benign: tuple[str, ...] = DEFAULT_BENIGN
    held_out: tuple[str, ...] = ()
    feedback: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for spec in self.feedback:
            weighed(spec)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON: files by name, tables by their number of rows."""
        return {
            "events": stored_events(self.events),
            "test": stored_events(self.test),
            "unlabelled": stored_events(self.unlabelled),
            "columns": None if self.columns is None else asdict(self.columns),
            "benign": list(self.benign),
            "held_out": list(self.held_out),
            "feedback": list(self.feedback),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], where: str) -> DataConfig:
        """Read it back; BundleError names an entry that is missing, unknown or unusable."""
        before: dict[str, Any] = {"feedback": []}  # what was stored before there was any had none
        entries = entries_of(cls, {**before, **data} if isinstance(data, Mapping) else data, where)
        for name in ("events", "test", "unlabelled"):
            entries[name] = restored_events(entries[name], f"{where}: {name}")
        return built(
            cls,
            {
                **entries,
                "columns": restored_columns(entries["columns"], f"{where}: columns"),
                "benign": strings(entries["benign"], f"{where}: benign"),
                "held_out": strings(entries["held_out"], f"{where}: held_out"),
                "feedback": strings(entries["feedback"], f"{where}: feedback"),
            },
            where,
        )


@dataclass(frozen=True)
class DistillConfig:
    """How a student learns from its teacher.

    Attributes
    ----------
    student
        Preset of the student's sizes; or `auto`, which makes one of each on the ladder and takes the smallest that
        holds the guards and misses no more attacks than the margin allows (`jobs.ladder`).
    temperature, hard_weight
        T, and the weight of true labels against the teacher's.
    epochs
        Passes over the events at most; None is the preset's.
    transfer
        Edited and recombined events per training event, which the teacher labels; None is the preset's
        (`presets.transfer_shares`), as of the next two.
    consistency
        Harmless edits per training event, under the teacher's answer for the event as it was.
    joined
        Lists per training event, it among benign ones, under the teacher's answer for the event alone.
    pool, pool_from
        Snippets of any text, which the teacher labels, and where they are drawn from: files, folders, and `installed`,
        the text of the interpreter's library and of all installed packages.
    pool_choice
        `random`, or `disagreement`: four times as many are drawn, and half of those kept are where the teacher knows
        better than a linear model, or is unsure.
    first
        Preset of a faster student in front of it, learned from the same soft labels: it decides what it is sure of, at
        thresholds chosen on validation events (`jobs.join`), and the guards are decided on both as shipped. None is
        none.
    harden, harden_rounds, harden_families
        Whether it is attacked and taught again with what came nearest to fooling it (`jobs.harden`), until edits fool
        it no less often; how often at most, and the families whose attacks are edited for it; empty: all.
    """

    student: str = "hybrid-student"
    temperature: float = 2.0
    hard_weight: float = 0.5
    epochs: int | None = None
    transfer: float | None = None
    consistency: float | None = None
    joined: float | None = None
    pool: int = 0
    pool_from: tuple[str, ...] = (INSTALLED,)
    pool_choice: str = RANDOM
    first: str | None = None
    harden: bool = False
    harden_rounds: int = 4
    harden_families: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_student(self.student)
        if self.first is not None:
            preset(self.first)
            if self.student == AUTO:
                raise InputError(f"--first {self.first}: expected --student PRESET with it, not --student {AUTO}")
            if self.first == self.student:
                raise InputError(f"--first {self.first}: is --student as well, expected the preset of a faster one")
        require_usable(self.temperature, self.hard_weight, 1 if self.epochs is None else self.epochs)
        for name in ("transfer", "consistency", "joined"):
            if getattr(self, name) is not None and not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"{name} is {getattr(self, name)}: expected 0 or more")
        require_usable_pool(self.pool, self.pool_from, self.pool_choice)
        if self.harden_rounds < 1:
            raise InputError(f"--harden-rounds {self.harden_rounds}: expected a whole number from 1 on")
        if self.harden_families and not self.harden:
            raise InputError(f"--harden-family {self.harden_families[0]}: expected --harden with it")

    @property
    def shares(self) -> TransferShares:
        """What is learned from besides the events, for each of them: what was asked for, or the preset's.

        A ladder's students learn from the same events, and the smallest reads n-grams.
        """
        usual = transfer_shares(preset(NGRAM if self.student == AUTO else self.student))
        asked = {name: getattr(self, name) for name in ("transfer", "consistency", "joined")}
        return replace(usual, **{name: share for name, share in asked.items() if share is not None})

    @classmethod
    def from_json(cls, data: Mapping[str, Any], where: str) -> DistillConfig:
        """Read it back; BundleError names an entry that is missing, unknown or unusable."""
        entries = entries_of(cls, data, where)
        lists = {name: strings(entries[name], f"{where}: {name}") for name in ("pool_from", "harden_families")}
        return built(cls, {**entries, **lists}, where)


@dataclass(frozen=True)
class QuantizeConfig:
    """How a model is quantized.

    Attributes
    ----------
    precision
        `w8a8`, `w4a8` or `w4a32` (see `quantization.rewrite`).
    observer
        What chooses the ranges of activations: a key of `affine.OBSERVERS`.
    guards
        What quantization may cost, decided on events that chose nothing; None guards nothing.
    qat
        Train with the rounding (QAT) in any case; else only where layers kept in float do not help a guard.
    """

    precision: str = "w8a8"
    observer: str = "minmax"
    guards: Guards | None = None
    qat: bool = False

    def __post_init__(self) -> None:
        from overproof.quantization.affine import OBSERVERS

        possible = TRAINABLE if self.qat else DEPLOYABLE
        if self.precision not in possible:
            with_qat = " with --qat" if self.qat else ""
            raise InputError(f"precision {self.precision!r}{with_qat}: expected one of {', '.join(possible)}")
        if self.observer not in OBSERVERS:
            raise InputError(f"observer {self.observer!r}: expected one of {', '.join(OBSERVERS)}")

    @property
    def limits(self) -> Guards:
        """The guards; such that guard nothing where there are none."""
        from overproof.quantization.guards import Guards

        return self.guards or Guards()

    @classmethod
    def from_json(cls, data: Mapping[str, Any], where: str) -> QuantizeConfig:
        """Read it back; BundleError names an entry that is missing, unknown or unusable."""
        from overproof.quantization.guards import Guards

        entries = entries_of(cls, data, where)
        if entries["guards"] is not None:
            inner = f"{where}: guards"
            entries["guards"] = built(Guards, entries_of(Guards, entries["guards"], inner), inner)
        return built(cls, entries, where)


@dataclass(frozen=True)
class JoinLimits:
    """What the first student may get wrong, where the second would not.

    Attributes
    ----------
    lost
        Share of the attacks that the second detects which the first may call benign.
    flagged
        Share of the benign events that the second leaves alone which the first may flag.

    Raises
    ------
    InputError
        A share that is not between 0 and 1.
    """

    lost: float
    flagged: float = 0.001

    def __post_init__(self) -> None:
        for option, share in (("--max-lost", self.lost), ("--max-flagged", self.flagged)):
            if not 0 < share < 1:
                raise InputError(f"{option} {share}: expected a share between 0 and 1, such as 0.005 or 0.5%")


@dataclass(frozen=True)
class CheckSettings:
    """What is fixed for `check` before anything is measured.

    Attributes
    ----------
    margin
        Recall that may be lost against the full model, as a share; stored in the bundle for `check` to hold it to.
    """

    margin: float = 0.005

    def __post_init__(self) -> None:
        if not 0 < self.margin < 1:
            raise InputError(f"--margin {self.margin}: expected a share between 0 and 1, such as 0.005")

    @classmethod
    def from_json(cls, data: Mapping[str, Any], where: str) -> CheckSettings:
        """Read it back; BundleError names an entry that is missing, unknown or unusable."""
        return built(cls, entries_of(cls, data, where), where)


@dataclass(frozen=True)
class CompressConfig:
    """Everything that decides what `compress` makes, apart from the teacher.

    Attributes
    ----------
    data, distill, quantize, check
        The settings of each stage.
    seed
        Decides whatever is drawn at random, apart from the split of the events.
    """

    data: DataConfig
    distill: DistillConfig = field(default_factory=DistillConfig)
    quantize: QuantizeConfig = field(default_factory=QuantizeConfig)
    check: CheckSettings = field(default_factory=CheckSettings)
    seed: int = 0

    def taking(self, student: str) -> CompressConfig:
        """Return how exactly this student is made, where `auto` was asked for and it was taken."""
        if self.distill.student != AUTO:
            return self
        return replace(self, distill=replace(self.distill, student=student))

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON, as manifest and evidence store it."""
        return stored("compress", self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any], where: str) -> CompressConfig:
        """Read it back; BundleError names an entry that is missing, unknown or unusable."""
        entries = entries_of(cls, of_job("compress", data, where), where)
        read = {
            "data": DataConfig.from_json(entries["data"], f"{where}: data"),
            "distill": DistillConfig.from_json(entries["distill"], f"{where}: distill"),
            "quantize": QuantizeConfig.from_json(entries["quantize"], f"{where}: quantize"),
            "check": CheckSettings.from_json(entries["check"], f"{where}: check"),
        }
        return built(cls, {**entries, **read}, where)


@dataclass(frozen=True)
class TeachConfig:
    """Everything that decides what `teach` makes.

    Attributes
    ----------
    data
        As for `compress`, which holds the same events out.
    preset
        Sizes of a teacher trained from scratch.
    from_checkpoint
        Folder of a Hugging Face checkpoint to fine-tune instead.
    epochs
        Passes over the events at most; None is the preset's.
    seed
        Decides initialization and order.
    """

    data: DataConfig
    preset: str = "small-teacher"
    from_checkpoint: Path | None = None
    epochs: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.from_checkpoint is None:
            preset(self.preset)
        if self.epochs is not None and self.epochs < 1:
            raise InputError(f"epochs is {self.epochs}: expected 1 or more")

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON, as the teacher's manifest stores it."""
        return stored("teach", self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any], where: str) -> TeachConfig:
        """Read it back; BundleError names an entry that is missing, unknown or unusable."""
        entries = entries_of(cls, of_job("teach", data, where), where)
        read = {
            "data": DataConfig.from_json(entries["data"], f"{where}: data"),
            "from_checkpoint": path(entries["from_checkpoint"], f"{where}: from_checkpoint"),
        }
        return built(cls, {**entries, **read}, where)


@dataclass(frozen=True)
class QuantizeJobConfig:
    """Everything that decides what `quantize` makes of a model.

    Attributes
    ----------
    calibrate_on
        Files of events: part of them for the ranges of activations, the others held back to judge by.
    test
        Files of events that nothing is chosen by, to measure the result on and decide the guards by.
    columns
        Which column of a table holds what; None looks for the usual names.
    benign
        Labels that are benign; None takes the model's own.
    quantize
        How the model is quantized.
    teacher
        Whom training with the rounding learns from; nobody is the float model itself.
    seed
        Decides what is held back, and training.
    """

    calibrate_on: tuple[str, ...]
    test: tuple[str, ...] = ()
    columns: Columns | None = None
    benign: tuple[str, ...] | None = None
    quantize: QuantizeConfig = field(default_factory=QuantizeConfig)
    teacher: tuple[str, ...] = ()
    seed: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON, as the quantized bundle's manifest stores it."""
        return stored("quantize", self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any], where: str) -> QuantizeJobConfig:
        """Read it back; BundleError names an entry that is missing, unknown or unusable."""
        entries = entries_of(cls, of_job("quantize", data, where), where)
        benign = entries["benign"]
        read = {
            **{name: strings(entries[name], f"{where}: {name}") for name in ("calibrate_on", "test", "teacher")},
            "columns": restored_columns(entries["columns"], f"{where}: columns"),
            "benign": None if benign is None else strings(benign, f"{where}: benign"),
            "quantize": QuantizeConfig.from_json(entries["quantize"], f"{where}: quantize"),
        }
        return built(cls, {**entries, **read}, where)


@dataclass(frozen=True)
class CheckConfig:
    """Everything that decides what `check` measures, apart from the models.

    Attributes
    ----------
    events
        Labelled events that nothing was trained on: files, or an event table.
    columns
        Which column of a table holds what; None looks for the usual names.
    gate
        File of gates that were written down before; None takes the defaults.
    hold_out
        Families that teacher, student and baseline are trained without and then judged on.
    retrain_from, epochs
        Checkpoint that a Hugging Face teacher is fine-tuned from for that, and how many passes.
    events_per_day, prevalence
        The user's volume, and the share of attacks in it.
    budget
        Share of events that may be escalated.
    on_full_down
        What is to become of them when the full model does not answer: `hold`, `student` or `fail`.
    never_alone
        Labels that the student may not decide.
    accept_public_data
        Judge by public or simulated events all the same.
    attack
        Edited texts of each event that the red team asks about; 0 leaves it out.
    seed
        Of resampling, and of which half of the events chooses the escalation threshold; None takes it from the events'
        hash, so that nobody can choose the best of several.
    """

    events: Events | TableReference
    columns: Columns | None = None
    gate: Path | None = None
    hold_out: tuple[str, ...] = ()
    retrain_from: Path | None = None
    epochs: int | None = None
    events_per_day: float | None = None
    prevalence: float | None = None
    budget: float = 0.05
    on_full_down: str = "hold"
    never_alone: tuple[str, ...] = ()
    accept_public_data: bool = False
    attack: int = 100
    seed: int | None = None

    def __post_init__(self) -> None:
        from overproof.inference.cascade.thresholds import require_on_full_down

        require_on_full_down(self.on_full_down)
        if self.seed is not None and not 0 <= self.seed < 2**32:
            raise InputError(f"--seed {self.seed}: expected a whole number from 0 to {2**32 - 1}")
        for name, value in (("--prevalence", self.prevalence), ("--budget", self.budget)):
            if value is not None and not 0 <= value <= 1:
                raise InputError(f"{name} {value}: expected a share from 0 to 1")
        if self.events_per_day is not None and not self.events_per_day > 0:
            raise InputError(f"--events-per-day {self.events_per_day}: expected a number above 0")
        if self.attack < 0:
            raise InputError(f"--attack {self.attack}: expected a whole number of queries, or 0 for none")

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return stored("check", self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any], where: str) -> CheckConfig:
        """Read it back; BundleError names an entry that is missing, unknown or unusable."""
        entries = entries_of(cls, of_job("check", data, where), where)
        read = {
            "events": restored_events(entries["events"], f"{where}: events"),
            "columns": restored_columns(entries["columns"], f"{where}: columns"),
            **{name: strings(entries[name], f"{where}: {name}") for name in ("hold_out", "never_alone")},
            **{name: path(entries[name], f"{where}: {name}") for name in ("gate", "retrain_from")},
        }
        return built(cls, {**entries, **read}, where)


@dataclass(frozen=True)
class RunOptions:
    """Where and how a job runs: nothing here changes what it makes, and nothing of it is stored.

    Attributes
    ----------
    cache
        Folder where the teacher's answers are kept; None is the user's cache folder.
    rejects
        File for the records that cannot be read, each with its reason.
    engine, address
        `local`, or `ray`: ask the teacher on the Ray cluster at that address.
    console
        Where work in progress is shown.
    """

    cache: Path | None = None
    rejects: Path | None = None
    engine: str = "local"
    address: str | None = None
    console: Console = SILENT

    def __post_init__(self) -> None:
        if self.engine == "local":
            return
        from overproof.inference.engines import ENGINES

        if self.engine not in ENGINES:
            raise InputError(f"--engine {self.engine}: expected one of {', '.join(ENGINES)}")


StoredConfig: TypeAlias = CompressConfig | TeachConfig | QuantizeJobConfig


def stored_config(data: Mapping[str, Any] | None, where: str) -> StoredConfig | None:
    """Read the configuration that a manifest holds, whichever job wrote it; None where there is none."""
    if data is None:
        return None
    readers: dict[str, Callable[[Mapping[str, Any], str], StoredConfig]] = {
        "compress": CompressConfig.from_json,
        "teach": TeachConfig.from_json,
        "quantize": QuantizeJobConfig.from_json,
    }
    job = data.get("job") if isinstance(data, Mapping) else None
    if not isinstance(job, str) or job not in readers:
        raise BundleError(f"{where}: configuration of the job {ascii(job)[:60]}, expected one of {', '.join(readers)}")
    return readers[job](data, where)
