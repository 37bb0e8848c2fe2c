"""Check 3, rare and edge cases: what happens to rare families, slices and hard benign events?"""

from __future__ import annotations

from overproof.checks.base import Check
from overproof.checks.rare.compute import KEY, rare
from overproof.checks.rare.html import section
from overproof.checks.rare.result import Rare

CHECK = Check(KEY, rare, Rare, section)
