"""Compare the models of one compression: full → distilled → distilled + INT8 → linear baseline."""

from __future__ import annotations

from overproof.results.comparison.result import Comparison
from overproof.results.comparison.row import Row

__all__ = ["Comparison", "Row"]
