"""List what stands on the page, to stay in sight while it is read."""

from __future__ import annotations

from overproof.checks.report.outcome import CheckOutcome
from overproof.checks.report.sections import section
from overproof.report.markup import Html

PARTS = {
    "verdict": "Verdict",
    "closed": "Closed gates",
    "comparison": "Models",
    "equal-rates": "Equal false positives",
    "families": "Families",
    "confused": "Confusion",
    "uses": "Uses",
}
LAST = {"about": "What was checked"}


def contents(report: CheckOutcome) -> Html:
    """Draw links to the sections, in their order; those of the checks with how each ended."""
    return section("contents", PARTS, report.checks, LAST)
