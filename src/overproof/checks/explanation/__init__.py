"""Check 7, explanation: do the spans that explain a verdict carry it?"""

from __future__ import annotations

from overproof.checks.base import Check
from overproof.checks.explanation.compute import KEY, explanation
from overproof.checks.explanation.html import section
from overproof.checks.explanation.result import Explanations

CHECK = Check(KEY, explanation, Explanations, section)
