"""Compare two checks, such as of this release and of the last: which gates closed, and what else is not the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from overproof.bundle.model_names import QUANTIZED
from overproof.checks.base import GateResult
from overproof.checks.report import gate_words
from overproof.checks.report.families import families_of
from overproof.checks.report.outcome import CheckOutcome
from overproof.checks.report.proof import bundle_differences, full_differences, policy_differences
from overproof.checks.verdict import ALONE, ESCALATED, NOT
from overproof.report.estimate import Estimate
from overproof.results import Row
from overproof.results.typed_json import to_json

Change = Literal["closed", "opened", "new", "gone", "same"]
Moved = Literal["worse", "better", "no difference shown", "not measured"]
RANK = {ALONE: 0, ESCALATED: 1, NOT: 2}


@dataclass(frozen=True)
class GateChange:
    """What became of a gate.

    Attributes
    ----------
    key
        `check/gate`, or `check/gate:which`.
    change
        `closed` now and not before, `opened`, `new` and open, `gone`, or the `same`.
    moved
        How its figure moved: `worse` or `better` where the two 95 % intervals lie apart.
    before, after
        What it came to in each check; None where that check has no such gate.
    """

    key: str
    change: Change
    moved: Moved
    before: GateResult | None
    after: GateResult | None


@dataclass(frozen=True)
class FamilyChange:
    """What the student loses in a family, in each check; None where that was not measured."""

    name: str
    moved: Moved
    before: Estimate | None
    after: Estimate | None


@dataclass(frozen=True)
class Compared:
    """Two checks side by side.

    Attributes
    ----------
    before, after
        The checks.
    bundle
        How the bundles differ, a sentence each; empty for the same one.
    conditions
        What else is not the same, so that figures may differ without the bundle: events, full model, limits, policy.
    gates
        Every gate of either, in order; first what closed, then what opened.
    families
        Every family of either, those that moved first.
    """

    before: CheckOutcome
    after: CheckOutcome
    bundle: tuple[str, ...]
    conditions: tuple[str, ...]
    gates: tuple[GateChange, ...]
    families: tuple[FamilyChange, ...]

    @property
    def closed(self) -> tuple[GateChange, ...]:
        """The gates that are closed now and were not."""
        return tuple(gate for gate in self.gates if gate.change == "closed")

    @property
    def passed(self) -> bool:
        """True if no gate closed and the verdict is no worse."""
        return not self.closed and RANK[self.after.decision] <= RANK[self.before.decision]

    def render(self) -> str:
        """Write it as text for a terminal."""
        from overproof.checks.report.compared_text import render

        return render(self)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        sides = {"before": self.before, "after": self.after}
        return {
            **{side: _summary(report) for side, report in sides.items()},
            "worse": not self.passed,
            "bundle": list(self.bundle),
            "conditions": list(self.conditions),
            "gates": [to_json(gate) for gate in self.gates],
            "families": [to_json(family) for family in self.families],
        }


def compare(before: CheckOutcome, after: CheckOutcome) -> Compared:
    """Compare two checks; a figure moved where the two intervals lie apart, and nothing is said of it otherwise."""
    changes = _gates({gate.key: gate for gate in before.gates}, {gate.key: gate for gate in after.gates})
    order: tuple[Change, ...] = ("closed", "opened", "new", "gone", "same")
    return Compared(
        before,
        after,
        tuple(bundle_differences(before.proof.bundle, after.proof.bundle)),
        tuple(_conditions(before, after)),
        tuple(sorted(changes, key=lambda gate: order.index(gate.change))),
        _families(before, after),
    )


def student(report: CheckOutcome) -> Row | None:
    """Return the row of the quantized student; None where it was not compared."""
    return next((row for row in report.comparison.rows if row.name == QUANTIZED), None)


def moved(before: Estimate | None, after: Estimate | None) -> Moved:
    """Say whether a loss is shown to have grown or shrunk: two 95 % intervals that lie apart."""
    if before is None or after is None:
        return "not measured"
    return "worse" if after.low > before.high else "better" if after.high < before.low else "no difference shown"


def _summary(report: CheckOutcome) -> dict[str, Any]:
    return {
        "bundle": to_json(report.bundle.name),
        "manifest": report.proof.bundle.sha256,
        "decision": report.decision,
        "closed": [to_json(gate.key) for gate in report.closed],
        "events": report.events.rows,
        "student": to_json(student(report)),
    }


def _gates(before: Mapping[str, GateResult], after: Mapping[str, GateResult]) -> list[GateChange]:
    keys = dict.fromkeys([*after, *before])
    return [_gate(key, before.get(key), after.get(key)) for key in keys]


def _gate(key: str, before: GateResult | None, after: GateResult | None) -> GateChange:
    was, now = before is not None and before.closed, after is not None and after.closed
    change: Change = "same"
    if now and not was:
        change = "closed"
    elif after is None:
        change = "gone"
    elif was and not now:
        change = "opened"
    elif before is None:
        change = "new"
    return GateChange(key, change, moved(_interval(before), _interval(after)), before, after)


def _interval(gate: GateResult | None) -> Estimate | None:
    return None if gate is None or gate.low is None else gate_words.measured(gate)


def _families(before: CheckOutcome, after: CheckOutcome) -> tuple[FamilyChange, ...]:
    was, now = ({row.name: row.loss for row in families_of(report)} for report in (before, after))
    names = dict.fromkeys([*now, *was])
    found = [FamilyChange(name, moved(was.get(name), now.get(name)), was.get(name), now.get(name)) for name in names]
    order: tuple[Moved, ...] = ("worse", "better", "no difference shown", "not measured")
    return tuple(sorted(found, key=lambda row: (order.index(row.moved), -(row.after.value if row.after else 0.0))))


def _conditions(before: CheckOutcome, after: CheckOutcome) -> list[str]:
    """Say what is not the same besides the bundle."""
    told = []
    if before.events.sha256 != after.events.sha256:
        told.append(f"the events are others: {before.events.rows:,} before, {after.events.rows:,} now")
    told += _full(before, after)
    limits = {gate.key.partition(":")[0]: (gate.limit, gate.required) for gate in before.gates}
    for gate in after.gates:
        key = gate.key.partition(":")[0]
        if key in limits and limits.pop(key) != (gate.limit, gate.required):
            told.append(f"the gate {key} has another limit, or is required now or no longer")
    told += policy_differences(before.proof.policy, after.proof.policy)
    if before.proof.attack != after.proof.attack:
        told.append("the red team had other settings")
    if before.overproof != after.overproof:
        told.append(f"checked by overproof {before.overproof} before, by {after.overproof} now")
    return told


def _full(before: CheckOutcome, after: CheckOutcome) -> list[str]:
    was, now = before.proof.full, after.proof.full
    if was is None and now is None:
        return []
    if was is None or now is None:
        return ["there was no full model before" if was is None else "there is no full model now"]
    return full_differences(was, now)
