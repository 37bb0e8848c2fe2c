"""Check 2, calibration: do probabilities mean what they say?"""

from __future__ import annotations

from overproof.checks.base import Check
from overproof.checks.calibration.compute import KEY, calibration
from overproof.checks.calibration.html import section
from overproof.checks.calibration.result import Calibration

CHECK = Check(KEY, calibration, Calibration, section)
