"""Read and write the report of a check: check.json and what is drawn from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

from overproof.bundle.manifest import MODEL
from overproof.bundle.manifest_schema import bounded, each_name_once
from overproof.checks import CHECKS
from overproof.checks.base import CONFIDENCE, CheckResult
from overproof.checks.confusion import Confusion
from overproof.checks.embedding_map import EmbeddingMap
from overproof.checks.escalation.compute import GUARANTEE
from overproof.checks.redteam.compute import KEY as REDTEAM
from overproof.checks.redteam.result import Attacks, RedTeam
from overproof.checks.report.outcome import SCHEMA, CheckedBundle, CheckedEvents, CheckOutcome, FullModelCard, Margin
from overproof.checks.report.page import page
from overproof.checks.report.proof import Proof
from overproof.checks.report.text import render
from overproof.checks.report.write import write_all
from overproof.checks.verdict import ESCALATED, Decision, decide, threshold_of
from overproof.errors import InputError
from overproof.progress import one_line
from overproof.report.markup import Html
from overproof.report.notebook import framed, to_frame
from overproof.results import Comparison
from overproof.results.roc import RocCurve
from overproof.results.typed_json import NotMeasured, difference, from_json, to_json

ADDED = ("confusion", "embedding_map")  # which an earlier version of the same schema did not write
EARLIER = NotMeasured("this check.json was written by an earlier version: run `overproof check` again")


@dataclass(frozen=True)
class GateSummary:
    """Which gates are closed.

    Attributes
    ----------
    file
        The file of the gates; null for the defaults.
    closed
        Keys of the gates that are closed.
    open
        True if none is.
    """

    file: str | None
    closed: tuple[str, ...]
    open: bool


@dataclass(frozen=True)
class Frame:
    """What check.json holds besides the checks.

    Attributes
    ----------
    schema
        Version of this format: `overproof.check/6`.
    overproof, seed
        Version of the program, and the seed of everything random.
    proof
        What this is a proof of, and of nothing else: whoever relies on it must use all of this.
    bundle
        The bundle that was checked.
    full
        The full model; null where there was none.
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
        Model to its ROC curve on these events, at most 200 points each; none where they are not of both kinds.
    confusion
        What events of each label, and of each family, are called by the full model and by the quantized student; files
        that were written before this was counted have none.
    embedding_map
        Where some of the events lie in the student's embedding; files that were written before have none.
    gates
        Which gates are closed.
    notes
        Sentences that stand over everything (`--accept-public-data`, sampled events, …).
    sha256
        Of all the rest, as JSON with sorted keys.
    """

    schema: str
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
    confusion: Confusion | NotMeasured = field(default=EARLIER, kw_only=True)
    embedding_map: EmbeddingMap | NotMeasured = field(default=EARLIER, kw_only=True)
    gates: GateSummary
    notes: tuple[str, ...]
    sha256: str


@dataclass(frozen=True, repr=False)
class CheckReport(CheckOutcome):
    """What a check of a bundle came to, to be read, written and shown."""

    def render(self) -> str:
        """Write the verdict, the checks and what closes them as text for a terminal."""
        return render(self)

    def write(self, folder: Path) -> tuple[Path, ...]:
        """Write check.json, report.html, summary.md and check.sarif into a folder."""
        return write_all(self, self.to_json(), folder)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain Python values: the same as `to_json`."""
        return self.to_json()

    def to_pandas(self) -> Any:
        """Return a row for each gate; MissingExtra without pandas."""
        return to_frame([{**to_json(gate), "closed": gate.closed} for gate in self.gates])

    def __repr__(self) -> str:
        closed, events = len(self.closed), self.events.rows
        gates = f"{closed} of {len(self.gates)} gates closed"
        return f"CheckReport({self.bundle.name!r}: {self.decision}, {gates}, {events:,} events)"

    def _repr_html_(self) -> Html:
        return framed(page(self), f"check of {self.bundle.name}")

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON (docs/check-schema.md)."""
        closed = [gate.key for gate in self.closed]
        data = {
            "schema": SCHEMA,
            "overproof": self.overproof,
            "seed": self.seed,
            "proof": to_json(self.proof),
            "bundle": to_json(self.bundle),
            "full": to_json(self.full),
            "events": to_json(self.events),
            "absent": to_json(self.absent),
            "margin": to_json(self.margin),
            "verdict": to_json(self.verdict),
            "comparison": to_json(self.comparison.to_json()),
            "curves": to_json(self.curves),
            "confusion": to_json(self.confusion),
            "embedding_map": to_json(self.embedding_map),
            "checks": [check.to_json() for check in self.checks],
            "gates": {"file": to_json(self.gate_file), "closed": to_json(closed), "open": not closed},
            "notes": to_json(self.notes),
        }
        return sealed(data)

    @classmethod
    def read(cls, path: Path) -> CheckReport:
        """Read a check.json.

        Raises
        ------
        InputError
            A file that cannot be read, is no check.json of this version, or was changed: where, and what was expected.
        """
        try:
            data = json.loads(path.read_bytes(), parse_int=bounded, object_pairs_hook=each_name_once)
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}; expected check.json of `overproof check`") from None
        except (ValueError, RecursionError, MemoryError) as error:
            raise InputError(f"{path}: no JSON ({error}); expected check.json of `overproof check`") from None
        report = cls.from_json(data, str(path))
        if data != sealed(data):
            raise InputError(f"{path}: changed since `overproof check` wrote it (its own sha256 differs)")
        return report

    @classmethod
    def from_json(cls, data: object, file: str = "check.json") -> CheckReport:
        """Read back what `to_json` gave.

        Parameters
        ----------
        file
            Where it was read, for messages.

        Raises
        ------
        InputError
            An entry that is missing, unknown, of another kind, or that contradicts the others: which, in one line.
        """
        try:
            return cls._read(data)
        except RecursionError:
            raise InputError(f"{file}: nests too deeply; expected check.json of `overproof check`") from None
        except ValueError as error:
            raise InputError(f"{file}: {one_line(str(error))}") from None

    @classmethod
    def _read(cls, data: object) -> CheckReport:
        if not isinstance(data, Mapping):
            raise ValueError("expected an object, the check.json of `overproof check`")
        _require_version(data.get("schema"))
        data = {**dict.fromkeys(ADDED, to_json(EARLIER)), **data}
        frame = from_json(Frame, {name: entry for name, entry in data.items() if name != "checks"})
        report = cls(
            overproof=frame.overproof,
            seed=frame.seed,
            proof=frame.proof,
            bundle=frame.bundle,
            full=frame.full,
            events=frame.events,
            absent=frame.absent,
            margin=frame.margin,
            verdict=frame.verdict,
            comparison=frame.comparison,
            curves=frame.curves,
            confusion=frame.confusion,
            embedding_map=frame.embedding_map,
            checks=_checks(data.get("checks")),
            gate_file=frame.gates.file,
            notes=frame.notes,
        )
        again = {**report.to_json(), "sha256": data.get("sha256")}
        found = difference(again, data) or _negative(report, ()) or _contradiction(report)
        if found:
            raise ValueError(found)
        return report


def sealed(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a report's JSON with its own hash inside, so that a change to it is seen."""
    bare = {name: entry for name, entry in data.items() if name != "sha256"}
    return {**bare, "sha256": hashlib.sha256(json.dumps(bare, sort_keys=True).encode()).hexdigest()}


def _require_version(schema: object) -> None:
    """Raise ValueError unless the file is of the version that this program writes."""
    if schema == SCHEMA:
        return
    if isinstance(schema, str) and schema.startswith("overproof.check/"):
        raise ValueError(f"schema: {schema!a}, expected {SCHEMA}: run `overproof check` again")
    raise ValueError(f"schema: expected {SCHEMA}, as `overproof check` writes it")


def _checks(data: object) -> tuple[CheckResult[Any], ...]:
    """Read every check by its type; all are there, in order."""
    entries = list(data) if isinstance(data, list | tuple) else []
    keys = [entry.get("key") if isinstance(entry, Mapping) else None for entry in entries]
    expected = [check.key for check in CHECKS]
    if keys != expected:
        found = ", ".join(str(key) if key in expected else "something else" for key in keys) or "none"
        raise ValueError(f"checks: expected {', '.join(expected)}, found {found}")
    return tuple(_check(i, entry) for i, entry in enumerate(entries))


def _check(place: int, entry: Mapping[str, Any]) -> CheckResult[Any]:
    try:
        return CHECKS[place].from_json(entry)
    except ValueError as error:
        raise ValueError(f"checks.{place}.{error}") from None


def _negative(value: object, place: tuple[str, ...]) -> str | None:
    """Return where a count is negative; None where none is."""
    if isinstance(value, int) and value < 0:
        return f"{'.'.join(place)}: {value}, expected a count"
    entries: Iterable[tuple[object, object]] = ()
    if is_dataclass(value) and not isinstance(value, type):
        entries = ((field.name, getattr(value, field.name)) for field in fields(value))
    elif isinstance(value, Mapping):
        entries = value.items()
    elif isinstance(value, tuple):
        entries = enumerate(value)
    found = (_negative(entry, (*place, str(name))) for name, entry in entries)
    return next((message for message in found if message), None)


def _contradiction(report: CheckReport) -> str | None:
    """Return what of a report contradicts the rest of it, and where; None if nothing does."""
    events, verdict = report.events, report.verdict
    keys = {gate.key for gate in report.gates}
    unknown = next((key for key in verdict.because if key not in keys), None)
    if events.labelled != events.attacks + events.benign or events.rows != events.labelled + events.unlabelled:
        return "events: the counts of attacks, benign, labelled and unlabelled events do not add up"
    wrong = next((gate.contradiction for gate in report.gates if gate.contradiction), None)
    if wrong is not None:
        return one_line(wrong)
    follows = decide(report.checks).decision
    if verdict.decision != follows:
        return f"verdict.decision: {verdict.decision!r} contradicts the gates, which come to {follows!r}"
    if (verdict.threshold is None) == (verdict.decision == ESCALATED):
        return f"verdict.threshold: contradicts the decision {verdict.decision!r}"
    if unknown is not None:
        return f"verdict.because: no check has a gate {unknown!a}"
    return _unbound(report)


def _unbound(report: CheckReport) -> str | None:
    """Return what of a report contradicts what it says that it is a proof of; None if nothing does."""
    proof, found = report.proof, threshold_of(report.checks)
    threshold = None if found is None else found.value
    if threshold is not None and not 0 <= threshold <= 1:
        return f"checks.escalation.threshold.value: {threshold}, expected a number from 0 to 1"
    limit = next((gate.limit for gate in report.gates if gate.key == GUARANTEE), None)
    if found is not None and (found.limit, found.confidence) != (limit, CONFIDENCE):
        return f"checks.escalation.threshold: contradicts the limit of {GUARANTEE}, or {CONFIDENCE:.0%} confidence"
    if proof.policy.confidence != threshold:
        return f"proof.policy.confidence: {proof.policy.confidence}, and the threshold that was found is {threshold}"
    if report.verdict.threshold not in (None, threshold):
        return f"verdict.threshold: {report.verdict.threshold}, and the threshold that was found is {threshold}"
    if proof.bundle.files.get(MODEL) != report.bundle.sha256:
        return f"proof.bundle.files.{MODEL}: contradicts bundle.sha256"
    if (proof.events.sha256, proof.events.seed) != (report.events.sha256, report.seed):
        return "proof.events: contradicts events.sha256 or seed"
    return _not_attacked_so(report, threshold)


def _not_attacked_so(report: CheckReport, threshold: float | None) -> str | None:
    """Return what the red team says of how it attacked that contradicts the rest; None if nothing does."""
    for found in (check.data for check in report.checks if isinstance(check.data, RedTeam)):
        if found.settings != report.proof.attack:
            return f"proof.attack: contradicts checks.{REDTEAM}.settings"
        if isinstance(found.attacks, Attacks) and found.attacks.threshold != threshold:
            at = f"checks.{REDTEAM}.attacks.threshold: {found.attacks.threshold}"
            return f"{at}, and the threshold that was found is {threshold}"
    return None
