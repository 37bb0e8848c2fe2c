"""Find what the red team found in a report."""

from __future__ import annotations

from overproof.checks.redteam.result import Attacks, Falls, RedTeam
from overproof.checks.report.outcome import CheckOutcome
from overproof.results.attack_cases import Case
from overproof.results.typed_json import NotMeasured


def attacks(report: CheckOutcome) -> Attacks | None:
    """Return what the attacks came to; None where the bundle was not attacked."""
    found = next((check.data.attacks for check in report.checks if isinstance(check.data, RedTeam)), None)
    return None if found is None or isinstance(found, NotMeasured) else found


def found_cases(report: CheckOutcome) -> tuple[Case, ...]:
    """Return every success against the bundle."""
    found = attacks(report)
    return () if found is None else found.cases


def falls(report: CheckOutcome) -> tuple[Falls, ...]:
    """Return how much falls to each attack on each model."""
    found = attacks(report)
    return () if found is None else found.falls
