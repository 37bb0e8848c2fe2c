"""Check 8, the red team: what falls to edits that keep what an attack does, and is compression to blame?"""

from __future__ import annotations

from overproof.checks.base import Check
from overproof.checks.redteam.compute import KEY, redteam
from overproof.checks.redteam.html import section
from overproof.checks.redteam.result import RedTeam

CHECK = Check(KEY, redteam, RedTeam, section)
