"""Draw the gates that are closed, the worst first, with what would open each; the undecided ones are folded."""

from __future__ import annotations

from collections.abc import Sequence

from overproof.checks.base import PASSED, UNMEASURED, GateResult
from overproof.checks.report.gate_link import gate_link, places
from overproof.checks.report.gate_table import drawn
from overproof.checks.report.next_steps import worst_first
from overproof.checks.report.outcome import CheckOutcome
from overproof.checks.report.remedies import remedy
from overproof.checks.report.sections import section
from overproof.report.markup import Html, details, many, paragraph, prose, table

SHOWN = 3  # closed gates that are not folded


def closed_gates(report: CheckOutcome) -> Html:
    """Draw the section."""
    closed = worst_first(report.closed)
    undecided = [gate for gate in report.gates if gate.status == UNMEASURED and not gate.closed]
    passed = sum(gate.status == PASSED for gate in report.gates)
    parts = [_table(report, closed[:SHOWN]) if closed else paragraph("None: nothing stands in the way.")]
    if rest := closed[SHOWN:]:
        parts.append(details(f"{len(rest)} more closed {_gates(rest)}", _table(report, rest)))
    if undecided:
        summary = f"{len(undecided)} {_gates(undecided)} unmeasured, and not required: they close nothing"
        parts.append(details(summary, _undecided(report, undecided)))
    return section("closed_gates", len(closed), len(undecided), passed, many(parts))


def _table(report: CheckOutcome, gates: Sequence[GateResult]) -> Html:
    place = places(report)
    return drawn([(gate, place[gate.key], remedy(gate, report).text) for gate in gates], whole=True)


def _undecided(report: CheckOutcome, gates: Sequence[GateResult]) -> Html:
    body = [[gate_link(report, gate.key), prose(gate.message), prose(remedy(gate, report).text)] for gate in gates]
    caption = "Unmeasured: not one of them is known to be kept, and not one to be broken"
    return table(caption, ["Gate", "Finding", "What would decide it"], body, left=range(3), kind="records undecided")


def _gates(found: Sequence[GateResult]) -> str:
    return "gate" if len(found) == 1 else "gates"
