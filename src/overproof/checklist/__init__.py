"""The checklist: six checks of what compression cost, each a pure function of scores.

`CHECKS` is the whole list, in the order of the report.
"""

from __future__ import annotations

from overproof.checklist.boundary import boundary
from overproof.checklist.calibration import calibration
from overproof.checklist.escalation import escalation
from overproof.checklist.held_out import held_out
from overproof.checklist.interface import Check, Evidence, Finding, Known
from overproof.checklist.own_data import own_data
from overproof.checklist.rare import rare

__all__ = ["CHECKS", "Check", "Evidence", "Finding", "Known"]

CHECKS: tuple[Check, ...] = (own_data, calibration, rare, boundary, held_out, escalation)
