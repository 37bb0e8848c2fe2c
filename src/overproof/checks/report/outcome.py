"""Hold what a check of a bundle came to, ready to be drawn: who was checked, on what, and with which results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from overproof.checks.base import CheckResult, GateResult
from overproof.checks.confusion import Confusion
from overproof.checks.embedding_map import EmbeddingMap
from overproof.checks.report.proof import Proof
from overproof.checks.verdict import NOT, Decision, Verdict
from overproof.results import Comparison
from overproof.results.roc import RocCurve
from overproof.results.typed_json import NotMeasured

SCHEMA = "overproof.check/6"


@dataclass(frozen=True)
class CheckedBundle:
    """The bundle that was checked.

    Attributes
    ----------
    name
        Of its folder.
    sha256
        Of the model file.
    precision
        How its weights are stored: `int8`, ….
    classes, benign
        Its classes in the order of the logits, and those that are benign.
    bytes
        Size of all its files.
    """

    name: str
    sha256: str
    precision: str
    classes: tuple[str, ...]
    benign: tuple[str, ...]
    bytes: int


@dataclass(frozen=True)
class FullModelCard:
    """The full model that the bundle was compared with.

    Attributes
    ----------
    kind, name
        What kind of model it is, and which one.
    parameters, bytes
        Its size; None where it is unknown.
    runtime
        What runs it.
    """

    kind: str
    name: str
    parameters: int | None
    bytes: int | None
    runtime: str


@dataclass(frozen=True)
class CheckedEvents:
    """The events that the bundle was checked on.

    Attributes
    ----------
    rows, labelled, attacks, benign, unlabelled
        How many there are, with a label, labelled as an attack, labelled as benign, and without a label.
    files
        Where they come from; empty for a table.
    skipped
        Reason to how many records were skipped for it.
    sha256
        Hash of texts and labels, in any order.
    """

    rows: int
    labelled: int
    attacks: int
    benign: int
    unlabelled: int
    files: tuple[str, ...]
    skipped: Mapping[str, int]
    sha256: str


@dataclass(frozen=True)
class Margin:
    """How many of the attacks that the full model detects the student may miss.

    Attributes
    ----------
    value
        That share.
    fixed_before
        Whether the bundle carries it, so that it was fixed before anything was measured.
    message
        The same in a sentence.
    """

    value: float
    fixed_before: bool
    message: str


@dataclass(frozen=True)
class CheckOutcome:
    """All that a check of a bundle came to.

    Attributes
    ----------
    overproof, seed
        Version of the program, and the seed of everything random.
    proof
        What this is a proof of, and of nothing else.
    bundle
        The bundle that was checked.
    full
        The full model; None where there was none.
    events
        The events that it was checked on.
    absent
        Model to why it is missing.
    margin
        Limit on missed attacks.
    verdict
        The decision, and what the bundle may be used for.
    comparison
        The models side by side: size and speed as the bundle stores them, the rest on these events.
    curves
        Model to its ROC curve on these events; none where they are not of both kinds.
    confusion
        What events of each label, and of each family, are called.
    embedding_map
        Where events lie in the student's embedding.
    checks
        The eight checks, in order.
    gate_file
        The file of the gates; None for the defaults.
    notes
        Sentences that stand over everything (`--accept-public-data`, sampled events, …).
    """

    overproof: str
    seed: int
    proof: Proof
    bundle: CheckedBundle
    full: FullModelCard | None
    events: CheckedEvents
    absent: Mapping[str, str]
    margin: Margin
    verdict: Decision
    comparison: Comparison
    curves: Mapping[str, RocCurve]
    confusion: Confusion | NotMeasured
    embedding_map: EmbeddingMap | NotMeasured
    checks: tuple[CheckResult[Any], ...]
    gate_file: str | None
    notes: tuple[str, ...]

    @property
    def gates(self) -> tuple[GateResult, ...]:
        """The gates of all checks, in order."""
        return tuple(gate for check in self.checks for gate in check.gates)

    @property
    def closed(self) -> tuple[GateResult, ...]:
        """The gates that are closed."""
        return tuple(gate for gate in self.gates if gate.closed)

    @property
    def passed(self) -> bool:
        """True if no gate is closed and the bundle may be deployed; what is unmeasured may forbid it and close none."""
        return not self.closed and self.decision != NOT

    @property
    def decision(self) -> Verdict:
        """`deploy alone`, `deploy with escalation` or `do not deploy`."""
        return self.verdict.decision
