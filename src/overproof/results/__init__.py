"""Measure what compression cost: the metrics of one model, the timing of several, and their comparison.

full → distilled → distilled + INT8 → linear baseline
"""

from __future__ import annotations

from overproof.results.comparison import Comparison, Row
from overproof.results.metrics import Labelled, Metrics, Share, measure
from overproof.results.timing import Timing, time_interleaved

__all__ = [
    "Comparison",
    "Labelled",
    "Metrics",
    "Row",
    "Share",
    "Timing",
    "measure",
    "time_interleaved",
]
