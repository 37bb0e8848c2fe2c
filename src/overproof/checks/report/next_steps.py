"""Order the closed gates, the worst first, and say what to do next: each thing once, with the gates that it opens."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from overproof.checks.base import FAILED, GateResult
from overproof.checks.report.outcome import CheckOutcome
from overproof.checks.report.remedies import needs, remedy
from overproof.checks.verdict import ALONE, ESCALATED, STANDS

DEPLOY = {
    ALONE: "Put it to work: `overproof triage BUNDLE EVENTS --check check.json`.",
    ESCALATED: "Put it to work with the full model behind it: `overproof triage BUNDLE EVENTS --full SPEC --check "
    "check.json`.",
}


@dataclass(frozen=True)
class Step:
    """One thing to do, and the gates that it would open."""

    text: str
    gates: tuple[GateResult, ...] = ()


def worst_first(gates: Iterable[GateResult]) -> tuple[GateResult, ...]:
    """Sort what failed before what could not be decided, and what lies farthest beyond its limit first of each.

    Where nothing was measured, what the verdict rests on comes first.
    """
    return tuple(sorted(gates, key=lambda gate: (gate.status != FAILED, -_beyond(gate), gate.key not in STANDS)))


def _beyond(gate: GateResult) -> float:
    """Return the figure in limits: the upper end of its interval, since that has to lie within."""
    if gate.value is None or gate.limit is None:
        return -math.inf
    end = gate.value if gate.high is None else gate.high
    return end / gate.limit if gate.limit > 0 else math.inf if end > 0 else 0.0


def steps(report: CheckOutcome) -> tuple[Step, ...]:
    """Say what to do next: put it to work if it may be, then what would open the closed gates, the worst first."""
    first = [Step(DEPLOY[report.decision])] if report.decision in DEPLOY else []
    return (*first, *_opening(worst_first(report.closed), report))


def _opening(gates: Sequence[GateResult], report: CheckOutcome) -> list[Step]:
    """Put gates together that the same opens: of what more events open, the greatest number is said."""
    found: dict[str, list[GateResult]] = {}
    for gate in gates:
        opens = remedy(gate, report)
        found.setdefault(opens.kind or opens.text, []).append(gate)
    return [_step(some, report) for some in found.values()]


def _step(gates: Sequence[GateResult], report: CheckOutcome) -> Step:
    most = max(gates, key=lambda gate: remedy(gate, report).needed or 0)
    opens = remedy(most, report)
    text = opens.text if opens.kind is None or opens.needed is None else needs(opens.kind, opens.needed, most)
    return Step(text, tuple(gates))
