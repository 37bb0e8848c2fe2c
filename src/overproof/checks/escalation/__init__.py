"""Check 6, escalation: does it help to hand the doubtful events to the full model?"""

from __future__ import annotations

from overproof.checks.base import Check
from overproof.checks.escalation.compute import KEY, escalation
from overproof.checks.escalation.html import section
from overproof.checks.escalation.result import Escalation

CHECK = Check(KEY, escalation, Escalation, section)
