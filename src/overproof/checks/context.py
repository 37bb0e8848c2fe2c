"""Define what the checks see: the events, every model's answers on them, and what the bundle is to be used for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from overproof.bundle.scores import Floats, Scores, confidence_of, labels_of, softmax
from overproof.bundle.tried import Tried
from overproof.checks.attacked import NO_ATTACK, NOT_ATTACKED, Attacked, AttackSettings
from overproof.checks.embedded import NOT_EMBEDDED, Embedded
from overproof.checks.explained import NOT_EXPLAINED, Explained
from overproof.checks.gate_result import Gate, Gates
from overproof.checks.stats import Units
from overproof.checks.units import units_of
from overproof.inference.cascade.policy import Policy
from overproof.results.typed_json import NotMeasured

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Sample:
    """The events that are judged; every sequence has n entries.

    Attributes
    ----------
    texts, origins
        The event, and where it stands.
    labels, families, groups, times
        What is known of it; None where nothing is. An event without family has its label for one.
    fields
        The events' other columns (source, …), for slices and drift.
    """

    texts: Sequence[str]
    origins: Sequence[str]
    labels: Sequence[str | None]
    families: Sequence[str | None]
    groups: Sequence[str | None]
    times: Sequence[str | None]
    fields: Mapping[str, Sequence[object]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True)
class ModelOutputs:
    """One model's answers.

    Attributes
    ----------
    logits
        Shape (n, classes), in the order of `CheckContext.classes`.
    temperature
        The T that calibrates it, fitted on validation events; None where there are none.
    validation
        Its logits on the validation events, shape (v, classes); None where they are not kept.
    note
        What a reader must know of it.
    ood_distance, overflow
        How far each event lies from all that was taught, and whether it goes on past the last judged window or was
        cut by its source, shape (n,) each: what the deployed cascade defers by, besides confidence. None where that is
        not known.
    """

    logits: Floats
    temperature: float | None = None
    validation: Floats | None = None
    note: str = ""
    ood_distance: Floats | None = None
    overflow: Bools | None = None


@dataclass(frozen=True)
class AskedAgain:
    """What the full model says today of validation events, of which the teacher's answers are kept.

    Attributes
    ----------
    rows
        Which of the validation events it was asked about, shape (k,).
    logits
        Its answers, shape (k, classes).
    """

    rows: NDArray[np.intp]
    logits: Floats


@dataclass(frozen=True)
class Training:
    """What the student was trained on, and validated with.

    Attributes
    ----------
    train, validation
        The events.
    """

    train: Sample
    validation: Sample

    @cached_property
    def train_units(self) -> Units:
        """How the training events hang together."""
        return units_of(self.train.texts, self.train.groups)

    @cached_property
    def validation_units(self) -> Units:
        """How the validation events hang together."""
        return units_of(self.validation.texts, self.validation.groups)


@dataclass(frozen=True)
class Variant:
    """An edit of an event near the boundary.

    Attributes
    ----------
    row
        The event's row in the sample.
    kind
        What kind of edit it is; of what, where it is the red team's (`sql`, `shell`, …).
    text
        The edited event.
    proved
        Whether an oracle proves that it does what the event did; otherwise it is one that does no harm as a rule.
    """

    row: int
    kind: str
    text: str
    proved: bool = False


@dataclass(frozen=True)
class Boundary:
    """Events near the decision boundary, and what moving them a little did.

    Attributes
    ----------
    rows
        Their rows in the sample.
    variants
        Edits of them.
    logits
        Model to its logits on the variants, shape (variants, classes).
    neighbours
        The quantized student's logits on `rows` with every activation rounded to a neighbouring grid point,
        shape (draws, rows, classes); None where that was not measured.
    why_not
        Why `neighbours` was not.
    """

    rows: NDArray[np.intp]
    variants: tuple[Variant, ...]
    logits: Mapping[str, Floats]
    neighbours: Floats | None = None
    why_not: str = ""


@dataclass(frozen=True)
class HeldOut:
    """One family that teacher, student and baseline were trained without, and then met.

    Attributes
    ----------
    family
        Its name.
    rows
        Rows of its events in the sample.
    detected
        Model to whether it called each of them an attack, shape (rows,).
    absent
        Model to why it is missing.
    false_positives
        Model, trained without the family, to (benign events flagged, benign events) of the sample.
    """

    family: str
    rows: NDArray[np.intp]
    detected: Mapping[str, Bools]
    absent: Mapping[str, str] = field(default_factory=dict)
    false_positives: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Operation:
    """How the bundle is to be used; None is "not said".

    Attributes
    ----------
    events_per_day, prevalence
        The user's volume, and the share of it that is attacks.
    budget
        Share of events that may be escalated.
    accept_public_data
        The user insists on judging by public or simulated events.
    published
        Why the events look public or simulated; empty if they do not.
    """

    events_per_day: float | None = None
    prevalence: float | None = None
    budget: float = 0.05
    accept_public_data: bool = False
    published: str = ""


@dataclass(frozen=True)
class TwoStudents:
    """What the two students of a bundle say of the events, each alone; the bundle's scores are of both.

    Attributes
    ----------
    tried
        What the first says, and whether it may decide.
    second
        What the second says.
    benign, attack
        How sure the first must be to decide, as the bundle seals it (`manifest.FirstStudent`).
    seconds
        What an event costs where it was measured: `first`, `second` and `full`, in seconds.
    """

    tried: Tried
    second: Scores
    benign: float | None
    attack: float | None
    seconds: Mapping[str, float]


@dataclass(frozen=True)
class CheckContext:
    """Everything that the checks see.

    Attributes
    ----------
    sample
        The events.
    classes, benign
        Columns of the logits; those that are benign.
    models
        Model (a name of `MODELS`) to its answers; the quantized student is always there.
    absent
        Model to why it is missing.
    gates
        Key to limit, fixed before the run.
    margin
        Recall that may be lost against the full model, as a share; fixed when the bundle was made.
    training
        What the student learned from; None where it is not kept.
    boundary
        None where no model could be asked.
    held_out
        Families that were trained without.
    teacher_again
        What the full model says today of validation events, to be compared with what the teacher said of them (the
        `validation` of the full model's outputs); None where it was not asked, or nothing is kept.
    same_teacher
        Whether the full model has the fingerprint of the teacher in the bundle's manifest; None where either has none
        or the two cannot be compared, as those of a service or of tables of soft labels.
    policy
        The policy that is to be deployed, but for its confidence threshold, which the escalation check finds.
    tiers
        What each of two students says; None in a bundle of one.
    attack_settings, attacked
        How the events were attacked, and what that came to; why not, where they were not.
    explained
        Alerts, what explains them, and what is left of them without that.
    embedded
        Where some of the events lie in the student's embedding.
    """

    sample: Sample
    classes: tuple[str, ...]
    benign: tuple[str, ...]
    models: Mapping[str, ModelOutputs]
    gates: Gates
    margin: float
    absent: Mapping[str, str] = field(default_factory=dict)
    training: Training | None = None
    boundary: Boundary | None = None
    held_out: tuple[HeldOut, ...] = ()
    operation: Operation = field(default_factory=Operation)
    teacher_again: AskedAgain | None = None
    same_teacher: bool | None = None
    policy: Policy = field(default_factory=Policy)
    tiers: TwoStudents | None = None
    attack_settings: AttackSettings = NO_ATTACK
    attacked: Attacked | NotMeasured = NOT_ATTACKED
    explained: Explained | NotMeasured = NOT_EXPLAINED
    embedded: Embedded | NotMeasured = NOT_EMBEDDED
    seed: int = 0

    @cached_property
    def units(self) -> Units:
        """How the events hang together: which of them are further evidence, and which are copies."""
        return units_of(self.sample.texts, self.sample.groups)

    @cached_property
    def benign_classes(self) -> Bools:
        """For each class, whether it is benign."""
        return np.array([name in self.benign for name in self.classes], dtype=bool)

    @cached_property
    def labelled(self) -> Bools:
        """Shape (n,): whether the event has a label."""
        return np.array([label is not None for label in self.sample.labels], dtype=bool)

    @cached_property
    def attacks(self) -> Bools:
        """Shape (n,): labelled, and not benign."""
        return np.array([label is not None and label not in self.benign for label in self.sample.labels], dtype=bool)

    @cached_property
    def benign_events(self) -> Bools:
        """Shape (n,): labelled benign."""
        return self.labelled & ~self.attacks

    @cached_property
    def families(self) -> NDArray[np.object_]:
        """Shape (n,): family, or label where there is none; None for unlabelled events."""
        pairs = zip(self.sample.families, self.sample.labels, strict=True)
        return np.array([None if label is None else family or label for family, label in pairs], dtype=object)

    @cached_property
    def targets(self) -> NDArray[np.int64]:
        """Shape (n,): class index of the label; -1 where there is none or the models lack it."""
        place = {name: i for i, name in enumerate(self.classes)}
        return np.array([-1 if label is None else place.get(label, -1) for label in self.sample.labels], dtype=np.int64)

    def probabilities(self, model: str, temperature: float = 1.0) -> Floats:
        """softmax(z / T), shape (n, classes)."""
        return softmax(self.models[model].logits, temperature)

    def confidence(self, model: str, temperature: float = 1.0) -> NDArray[np.float64]:
        """Probability of the class that the model gives each event, shape (n,)."""
        return confidence_of(self.models[model].logits, self.benign_classes, temperature).astype(np.float64)

    def attack(self, model: str) -> NDArray[np.float64]:
        """Probability of not benign, shape (n,)."""
        return self.attack_of(self.models[model].logits)

    def attack_of(self, logits: Floats) -> NDArray[np.float64]:
        """Probability of not benign, for any logits of shape (..., classes)."""
        return np.asarray(1.0 - softmax(logits)[..., self.benign_classes].sum(axis=-1, dtype=np.float64))

    def margin_of(self, logits: Floats) -> NDArray[np.float64]:
        """Signed distance from the decision boundary: the log of the odds that it is an attack."""
        z = np.asarray(logits, dtype=np.float64)
        attacks, benign = z[..., ~self.benign_classes], z[..., self.benign_classes]
        return np.asarray(np.logaddexp.reduce(attacks, axis=-1) - np.logaddexp.reduce(benign, axis=-1))

    def labels_of(self, logits: Floats) -> NDArray[np.intp]:
        """Index of the class that each event is given, for any logits of shape (..., classes)."""
        z = np.asarray(logits)
        flat = labels_of(softmax(z.reshape(-1, z.shape[-1])), self.benign_classes)
        return flat.reshape(z.shape[:-1])

    def labels(self, model: str) -> NDArray[np.intp]:
        """Index of the class that the model gives each event, shape (n,)."""
        return self.labels_of(self.models[model].logits)

    def flags(self, logits: Floats) -> Bools:
        """Say whether the label given is not a benign one, for any logits of shape (..., classes)."""
        return np.asarray(~self.benign_classes[self.labels_of(logits)])

    def detected(self, model: str) -> Bools:
        """Shape (n,): the model calls the event an attack, whichever."""
        return self.flags(self.models[model].logits)

    def right(self, model: str) -> Bools:
        """Shape (n,): the model gives the event its true label; False where there is none."""
        return np.asarray(self.labels(model) == self.targets)

    def gate(self, key: str) -> Gate:
        """Return the gate of a key; what follows a colon names what it is applied to."""
        return self.gates[key.partition(":")[0]]

    def why_absent(self, model: str) -> str:
        """Say why a model is not there."""
        return self.absent.get(model, f"no scores of the {model} model")
