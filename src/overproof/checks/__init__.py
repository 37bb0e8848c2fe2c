"""The checklist: six checks of what compression cost, each a pure function of scores.

`CHECKS` is the whole list, in the order of the report.
"""

from __future__ import annotations

from overproof.checks import boundary, calibration, escalation, held_out, own_data, rare
from overproof.checks.base import Check, CheckContext, CheckResult, GateResult

__all__ = ["CHECKS", "Check", "CheckContext", "CheckResult", "GateResult"]

CHECKS = (
    own_data.CHECK.compute,
    calibration.CHECK.compute,
    rare.CHECK.compute,
    boundary.CHECK.compute,
    held_out.CHECK.compute,
    escalation.CHECK.compute,
)
