"""The checklist: six checks of what compression cost, each a pure function of scores.

`CHECKS` is the whole list, in the order of the report.
"""

from __future__ import annotations

from overproof.checks import calibration
from overproof.checks.base import Check, CheckContext, CheckResult, GateResult
from overproof.checks.boundary.compute import boundary
from overproof.checks.escalation.compute import escalation
from overproof.checks.held_out.compute import held_out
from overproof.checks.own_data.compute import own_data
from overproof.checks.rare.compute import rare

__all__ = ["CHECKS", "Check", "CheckContext", "CheckResult", "GateResult"]

CHECKS = (own_data, calibration.CHECK.compute, rare, boundary, held_out, escalation)
