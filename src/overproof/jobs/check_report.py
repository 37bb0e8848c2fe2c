"""What a check found, as the JSON that docs/check-schema.md describes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from overproof.bundle.manifest import COMPARISON, MODEL, Bundle, digest
from overproof.checks.base import BASELINE, DISTILLED, FULL, QUANTIZED, CheckContext, CheckResult
from overproof.checks.report import render, write_all
from overproof.checks.verdict import Decision
from overproof.results import Comparison, Row, measure
from overproof.version import __version__

SCHEMA = "overproof.check/1"


@dataclass(frozen=True)
class CheckReport:
    """The outcome of `check`.

    Attributes
    ----------
    data
        Everything, as plain JSON (docs/check-schema.md).
    """

    data: Mapping[str, Any]

    @property
    def passed(self) -> bool:
        """Whether no gate is closed."""
        return bool(self.data["gates"]["open"])

    @property
    def decision(self) -> str:
        """`deploy alone`, `deploy with escalation` or `do not deploy`."""
        return str(self.data["verdict"]["decision"])

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return dict(self.data)

    def render(self) -> str:
        """The verdict, the checks and what closes them, for a terminal."""
        return render(self.data)

    def write(self, folder: Path) -> tuple[Path, ...]:
        """Write check.json, report.html, summary.md and check.sarif into a folder."""
        return write_all(self.data, folder)


def assembled(
    *,
    bundle: Bundle,
    evidence: CheckContext,
    checks: Sequence[CheckResult[Any]],
    decision: Decision,
    card: Mapping[str, Any] | None,
    about: Mapping[str, Any],
    margin: Mapping[str, Any],
    gate_file: Path | None,
    notes: Sequence[str],
) -> CheckReport:
    """Join everything.

    Parameters
    ----------
    about
        Files, skipped records and fingerprint of the events.
    """
    manifest = bundle.manifest
    closed = [finding.key for check in checks for finding in check.gates if finding.closed]
    data = {
        "schema": SCHEMA,
        "overproof": __version__,
        "seed": evidence.seed,
        "bundle": {
            "name": bundle.path.resolve().name,
            "sha256": digest(bundle.files[MODEL])["sha256"],
            "precision": manifest.precision,
            "classes": list(manifest.classes),
            "benign": list(manifest.benign),
            "bytes": sum(len(content) for content in bundle.files.values()),
        },
        "full": None
        if card is None
        else {name: card[name] for name in ("kind", "name", "parameters", "bytes", "runtime")},
        "events": {
            "rows": len(evidence.sample),
            "labelled": int(evidence.labelled.sum()),
            "attacks": int(evidence.attacks.sum()),
            "benign": int(evidence.benign_events.sum()),
            "unlabelled": int((~evidence.labelled).sum()),
            **about,
        },
        "absent": dict(evidence.absent),
        "margin": dict(margin),
        "verdict": decision.to_json(),
        "strip": strip(bundle, evidence).to_json(),
        "checks": [check.to_json() for check in checks],
        "gates": {"file": None if gate_file is None else str(gate_file), "closed": closed, "open": not closed},
        "notes": list(notes),
    }
    return CheckReport(json.loads(json.dumps(data, allow_nan=False)))


def strip(bundle: Bundle, evidence: CheckContext) -> Comparison:
    """Size and speed as the bundle stores them, and what each model got right of these events."""
    stored: dict[str, Row] = {}
    if COMPARISON in bundle.files:
        stored = {row.name: row for row in Comparison.from_json(json.loads(bundle.files[COMPARISON])).rows}
    sample = evidence.sample
    full = evidence.models.get(FULL)
    rows = []
    for name in (FULL, DISTILLED, QUANTIZED, BASELINE):
        model, known = evidence.models.get(name), stored.get(name)
        metrics = None
        if model is not None:
            metrics = measure(
                model.logits,
                evidence.classes,
                sample.labels,
                sample.families,
                evidence.benign,
                None if full is None else full.logits,
            )
        note = evidence.absent.get(name, "") if model is None else "" if known is None else known.note
        if known is None:
            own = name == QUANTIZED
            parameters = bundle.manifest.network.get("parameters") if own else None
            known = Row(name, parameters, len(bundle.files[MODEL]) if own else None, None, None, None, None)
        rows.append(replace(known, metrics=metrics, note=note))
    return Comparison(tuple(rows), len(sample))
