"""Show what quantization cost: layer by layer, step by step of the search, and against its guards."""

from __future__ import annotations

from overproof.results.precision_search.inspect import look_at
from overproof.results.precision_search.result import PrecisionSearchReport
from overproof.results.precision_search.steps import BROKEN, HELD, UNMEASURED, Finding, Sensitivity, Step

__all__ = [
    "BROKEN",
    "HELD",
    "UNMEASURED",
    "Finding",
    "PrecisionSearchReport",
    "Sensitivity",
    "Step",
    "look_at",
]
