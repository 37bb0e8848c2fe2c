"""Check 5, held-out threats: what does the student miss that the full model detects, and what of new attacks?"""

from __future__ import annotations

from overproof.checks.base import Check
from overproof.checks.held_out.compute import KEY, held_out
from overproof.checks.held_out.html import section
from overproof.checks.held_out.result import HeldOutThreats

CHECK = Check(KEY, held_out, HeldOutThreats, section)
