"""Lead to where a gate stands on the page."""

from __future__ import annotations

from dataclasses import dataclass

from overproof.checks.report.outcome import CheckOutcome
from overproof.checks.report.sections import section
from overproof.report.markup import Html


@dataclass(frozen=True)
class GateLink:
    """A gate's key, and its place among all gates; None where the checks have no such gate."""

    key: str
    place: int | None


def gate_link(report: CheckOutcome, key: str) -> Html:
    """Draw a gate's key as a link to its row."""
    return section("gate_link", GateLink(key, places(report).get(key)))


def places(report: CheckOutcome) -> dict[str, int]:
    """Return the place of each gate among all: the page's own name for it."""
    return {gate.key: place for place, gate in enumerate(report.gates, 1)}
