"""The checklist: six checks of what compression cost, each a pure function of scores.

`CHECKS` is the whole list, in the order of the report.
"""

from __future__ import annotations

from overproof.checks import boundary, calibration, escalation, own_data
from overproof.checks.base import Check, CheckContext, CheckResult, GateResult
from overproof.checks.held_out.compute import held_out
from overproof.checks.rare.compute import rare

__all__ = ["CHECKS", "Check", "CheckContext", "CheckResult", "GateResult"]

CHECKS = (
    own_data.CHECK.compute,
    calibration.CHECK.compute,
    rare,
    boundary.CHECK.compute,
    held_out,
    escalation.CHECK.compute,
)
