"""Check 4, the boundary: what happens to verdicts near it?"""

from __future__ import annotations

from overproof.checks.base import Check
from overproof.checks.boundary.compute import KEY, boundary
from overproof.checks.boundary.html import section
from overproof.checks.boundary.result import Robustness

CHECK = Check(KEY, boundary, Robustness, section)
