"""List the eight checks of what compression cost, each a pure function of scores.

`CHECKS` is the whole list, in the order of the report.
"""

from __future__ import annotations

from typing import Any

from overproof.checks import boundary, calibration, escalation, explanation, held_out, own_data, rare, redteam
from overproof.checks.base import Check, CheckContext, CheckResult, GateResult

__all__ = ["CHECKS", "Check", "CheckContext", "CheckResult", "GateResult"]

CHECKS: tuple[Check[Any], ...] = (
    own_data.CHECK,
    calibration.CHECK,
    rare.CHECK,
    boundary.CHECK,
    held_out.CHECK,
    escalation.CHECK,
    explanation.CHECK,
    redteam.CHECK,
)
