"""Show what quantization cost: layer by layer, step by step of the search, and against its guards."""

from __future__ import annotations

from overproof.results.precision_search.inspect import look_at
from overproof.results.precision_search.result import PrecisionSearchReport
from overproof.results.precision_search.steps import (
    BROKEN,
    CONFIDENCE,
    HELD,
    UNMEASURED,
    Decision,
    Finding,
    Observed,
    Sensitivity,
    Step,
    excess,
)

__all__ = [
    "BROKEN",
    "CONFIDENCE",
    "HELD",
    "UNMEASURED",
    "Decision",
    "Finding",
    "Observed",
    "PrecisionSearchReport",
    "Sensitivity",
    "Step",
    "excess",
    "look_at",
]
