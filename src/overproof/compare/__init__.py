"""What compression cost, measured: the metrics of one model, the timing of several, and the strip.

full → distilled → distilled + INT8 → honest baseline
"""

from __future__ import annotations

from overproof.compare.metrics import Metrics, Share, measure
from overproof.compare.strip import BASELINE, DISTILLED, FULL, INT8, Comparison, Row
from overproof.compare.timing import Timing, time_interleaved

__all__ = [
    "BASELINE",
    "DISTILLED",
    "FULL",
    "INT8",
    "Comparison",
    "Metrics",
    "Row",
    "Share",
    "Timing",
    "measure",
    "time_interleaved",
]
