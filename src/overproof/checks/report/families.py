"""Find the families that compression cost something, for the short forms of the report."""

from __future__ import annotations

from overproof.checks.held_out.result import HeldOutThreats
from overproof.checks.rare.result import FamilyLoss, Rare
from overproof.checks.report.outcome import CheckOutcome
from overproof.report import words


def families_of(report: CheckOutcome) -> tuple[FamilyLoss, ...]:
    """Return what became of each family of the events."""
    found = next((check.data for check in report.checks if isinstance(check.data, Rare)), None)
    return () if found is None else found.families


def lost(family: FamilyLoss) -> int:
    """Count its events that only the full model gets right."""
    return family.b or 0


def gained(family: FamilyLoss) -> int:
    """Count its events that only the student gets right."""
    return family.c or 0


def pairs(family: FamilyLoss) -> str:
    """Write `lost : gained`."""
    return f"{lost(family):,} : {gained(family):,}"


def share(family: FamilyLoss, model: str) -> str:
    """Write how many of its events a model gets right, of how many."""
    found = family.models.get(model)
    return words.NOT_MEASURED if found is None else f"{found.k:,}/{found.n:,}"


def missed_by_student(report: CheckOutcome) -> int:
    """Count the attacks that the full model detects and the student misses; 0 where that was not measured."""
    totals = (c.data.missed_by_student_total for c in report.checks if isinstance(c.data, HeldOutThreats))
    return next(totals, None) or 0
