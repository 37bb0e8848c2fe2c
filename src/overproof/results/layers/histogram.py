"""Draw counts over the integers of a grid as plain text."""

from __future__ import annotations

import math
from collections.abc import Sequence

COLUMNS = 65  # of a histogram, at most: 129 integers take two a column, 256 take four
ROWS = 8
BLOCKS = " ▁▂▃▄▅▆▇█"


def histogram(
    counts: Sequence[int], qmin: int, zero: tuple[int, int], bounds: tuple[float, float], *, logarithmic: bool = False
) -> list[str]:
    """Draw a chart of ROWS lines; under it ^ at the zero point, and the integers at both ends with their values."""
    each, wide = -(-len(counts) // COLUMNS), max(1, COLUMNS // len(counts))
    sums = [sum(counts[i : i + each]) for i in range(0, len(counts), each)]
    bars = heights(sums, logarithmic=logarithmic)
    top, width = f"{max(sums):,}", wide * len(sums)
    labels = [top, *[""] * (ROWS - 2), "0"]
    lines = [
        f"{label:>{len(top)}} |" + "".join(wide * BLOCKS[_eighths(bar, ROWS - i)] for bar in bars)
        for i, label in enumerate(labels)
    ]
    first, last = ((z - qmin) // each for z in zero)
    under = [
        " " * wide * first + "^".center(wide) * (last - first + 1) + "  zero point",
        *(f"{low}{high:>{max(1, width - len(low))}}" for low, high in _ends(qmin, counts, bounds)),
    ]
    lines += [f"{'':{len(top)}} +{'-' * width}", *(f"{'':{len(top)}}  {line}" for line in under)]
    return [f"  {line}".rstrip() for line in lines]


def heights(counts: Sequence[int], *, logarithmic: bool) -> list[float]:
    """Scale counts to bars, the greatest 1; logarithmic ones keep the tails visible."""
    top = max(counts)
    if not top:
        return [0.0] * len(counts)
    return [math.log1p(n) / math.log1p(top) if logarithmic else n / top for n in counts]


def _ends(qmin: int, counts: Sequence[int], bounds: tuple[float, float]) -> tuple[tuple[str, str], tuple[str, str]]:
    low, high = bounds
    return (str(qmin), str(qmin + len(counts) - 1)), (f"{low:.4g}", f"{high:.4g}")


def _eighths(height: float, row: int) -> int:
    """Return how much of a row a bar fills; what is there at all shows at least a sliver."""
    filled = height * ROWS * 8 - (row - 1) * 8
    return max(0, min(8, round(filled) if row > 1 or not height else max(1, round(filled))))
