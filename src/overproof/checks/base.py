"""Define what the six checks share: what they see, what they return, and the gates written down before the run.

A check is a pure function of a `CheckContext`: scores and what is known of the events. It touches no model, no file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from overproof.bundle.model_names import BASELINE, CONTROL, DISTILLED, FULL, MODELS, QUANTIZED
from overproof.bundle.scores import Floats, softmax
from overproof.checks.stats import Interval
from overproof.report.markup import Html
from overproof.results.typed_json import difference, from_json, to_json

__all__ = [
    "BASELINE",
    "CONFIDENCE",
    "CONTROL",
    "DISTILLED",
    "FULL",
    "MODELS",
    "QUANTIZED",
    "UNMEASURED",
    "Boundary",
    "Check",
    "CheckContext",
    "CheckResult",
    "Gate",
    "GateResult",
    "Gates",
    "HeldOut",
    "Measured",
    "ModelOutputs",
    "Operation",
    "Sample",
    "Status",
    "Training",
    "Variant",
    "decided",
    "unmeasured",
]

CONFIDENCE = 0.95

D = TypeVar("D")
Bools = NDArray[np.bool_]
Status = Literal["passed", "failed", "unmeasured"]
PASSED: Status = "passed"
FAILED: Status = "failed"
UNMEASURED: Status = "unmeasured"
STATUSES = (PASSED, FAILED, UNMEASURED)


@dataclass(frozen=True)
class Gate:
    """One limit, fixed before the run.

    Attributes
    ----------
    limit
        What the measured figure may be at most.
    required
        Whether "unmeasured" closes it too. A failed gate is closed in any case.
    """

    limit: float
    required: bool = True


Gates = Mapping[str, Gate]


@dataclass(frozen=True)
class GateResult:
    """What one gate came to.

    Attributes
    ----------
    key
        `check/gate`, or `check/gate:which` where a gate is applied to each of several.
    status
        `passed`, `failed` or `unmeasured`.
    message
        What it came to in one sentence, with its figures; if unmeasured, why, and how many events it would take.
    value, low, high
        The figure and its interval; None where there is none.
    limit, required
        Of the gate.
    events
        How many it was measured on.
    needed
        How many it would take; None unless that can be said.
    """

    key: str
    status: Status
    message: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    limit: float | None = None
    required: bool = True
    events: int | None = None
    needed: int | None = None

    @property
    def closed(self) -> bool:
        """Whether the gate lets nothing through: failed, or required and unmeasured."""
        return self.status == FAILED or (self.required and self.status == UNMEASURED)


@dataclass(frozen=True)
class Measured:
    """What a gate is decided by.

    Attributes
    ----------
    figure
        The figure and its interval; the larger, the worse.
    events
        How many events it was measured on.
    needed
        How many would decide it, for where these do not; None unless that can be said.
    """

    figure: Interval
    events: int
    needed: int | None = None


def decided(key: str, message: str, gate: Gate, measured: Measured) -> GateResult:
    """Decide a gate: an interval below the limit passes, one above it fails, any other proves nothing."""
    figure, events, needed = measured.figure, measured.events, measured.needed
    value, low, high = float(figure.value), float(figure.low), float(figure.high)
    status = PASSED if high <= gate.limit else FAILED if low > gate.limit else UNMEASURED
    if status == UNMEASURED:
        more = f", needs {needed:,}" if needed is not None and needed > events else ""
        message = f"unmeasured: {events:,} events{more}: {message}"
    short = needed if status == UNMEASURED else None
    return GateResult(key, status, message, value, low, high, gate.limit, gate.required, events, short)


def unmeasured(key: str, why: str, gate: Gate, *, events: int | None = None, needed: int | None = None) -> GateResult:
    """Return a gate that nothing could be measured for, and why."""
    return GateResult(
        key, UNMEASURED, f"unmeasured: {why}", limit=gate.limit, required=gate.required, events=events, needed=needed
    )


@dataclass(frozen=True)
class CheckResult(Generic[D]):
    """What one check came to.

    Attributes
    ----------
    key, title, question
        `own-data`, …; its name; the question it answers.
    gates
        A result for each gate that applies.
    data
        Everything it measured: the type in the check's own `result.py`.
    """

    key: str
    title: str
    question: str
    gates: tuple[GateResult, ...]
    data: D

    @property
    def status(self) -> Status:
        """Failed if any gate failed; unmeasured if a required one, or every one, is; else passed."""
        if any(gate.status == FAILED for gate in self.gates):
            return FAILED
        passed = any(gate.status == PASSED for gate in self.gates)
        return PASSED if passed and not any(gate.closed for gate in self.gates) else UNMEASURED

    @property
    def message(self) -> str:
        """The message of the gate that decides: the first failed, else the first closed, else the first."""
        for wanted in ([g for g in self.gates if g.status == FAILED], [g for g in self.gates if g.closed]):
            if wanted:
                return wanted[0].message
        return self.gates[0].message if self.gates else "unmeasured: no gate applies"

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON, with what follows from its gates: status, message, and which gates are closed."""
        return {
            "key": self.key,
            "title": self.title,
            "question": self.question,
            "status": self.status,
            "message": self.message,
            "gates": [{**to_json(gate), "closed": gate.closed} for gate in self.gates],
            "data": to_json(self.data),
        }


@dataclass(frozen=True)
class Check(Generic[D]):
    """One check of the checklist: what its folder holds, and all that the rest of the program knows of it.

    Attributes
    ----------
    key
        `own-data`, …: what its gates begin with.
    compute
        The check itself: scores in, result out.
    data
        The type of its result's data.
    html
        Draws that data as a section of the page.
    """

    key: str
    compute: Callable[[CheckContext], CheckResult[D]]
    data: type[D]
    html: Callable[[D], Html]

    def from_json(self, data: Mapping[str, Any]) -> CheckResult[D]:
        """Read back what `CheckResult.to_json` gave.

        Raises
        ------
        ValueError
            An entry that does not fit its type, or one that its gates contradict: which, in one line.
        """
        plain = {name: entry for name, entry in data.items() if name not in ("status", "message")}
        plain["gates"] = [_without(gate, "closed") for gate in _listed(data.get("gates"))]
        result = from_json(CheckResult[self.data], plain)  # type: ignore[name-defined]
        found = difference(result.to_json(), to_json(data))
        if found:
            raise ValueError(found)
        return result


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else []


def _without(value: object, name: str) -> object:
    return {key: entry for key, entry in value.items() if key != name} if isinstance(value, Mapping) else value


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
    """

    logits: Floats
    temperature: float | None = None
    validation: Floats | None = None
    note: str = ""


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


@dataclass(frozen=True)
class Variant:
    """A harmless edit of an event near the boundary: its row in the sample, the kind of edit, the edited text."""

    row: int
    kind: str
    text: str


@dataclass(frozen=True)
class Boundary:
    """Events near the decision boundary, and what moving them a little did.

    Attributes
    ----------
    rows
        Their rows in the sample.
    variants
        Harmless edits of them.
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
    seed: int = 0

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

    def attack(self, model: str) -> NDArray[np.float64]:
        """Probability of not benign, shape (n,)."""
        return self.attack_of(self.models[model].logits)

    def attack_of(self, logits: Floats) -> NDArray[np.float64]:
        """Probability of not benign, for any logits of shape (..., classes)."""
        return np.asarray(1.0 - softmax(logits)[..., self.benign_classes].sum(axis=-1, dtype=np.float64))

    def margin_of(self, logits: Floats) -> NDArray[np.float64]:
        """Signed distance from the decision boundary in logits: best attack class minus best benign class."""
        z = np.asarray(logits, dtype=np.float64)
        return np.asarray(z[..., ~self.benign_classes].max(axis=-1) - z[..., self.benign_classes].max(axis=-1))

    def flags(self, logits: Floats) -> Bools:
        """Whether the label given is not a benign one, for any logits of shape (..., classes)."""
        return np.asarray(~self.benign_classes[np.asarray(logits).argmax(axis=-1)])

    def detected(self, model: str) -> Bools:
        """Shape (n,): the model calls the event an attack, whichever."""
        return self.flags(self.models[model].logits)

    def right(self, model: str) -> Bools:
        """Shape (n,): the model gives the event its true label; False where there is none."""
        return np.asarray(self.models[model].logits.argmax(axis=1) == self.targets)

    def gate(self, key: str) -> Gate:
        """Return the gate of a key; what follows a colon names what it is applied to."""
        return self.gates[key.partition(":")[0]]

    def why_absent(self, model: str) -> str:
        """Why a model is not there."""
        return self.absent.get(model, f"no scores of the {model} model")
