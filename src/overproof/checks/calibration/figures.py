"""Draw how often a model is right at each confidence."""

from __future__ import annotations

import math
from collections.abc import Sequence

from overproof.checks.stats import Bin
from overproof.report.markup import Html, slug
from overproof.report.svg import Axis, frame, line, mark, rect, svg, upright
from overproof.report.words import count, percent

UNIT = (0.0, 1.0)


def reliability(model: str, bins: Sequence[Bin]) -> Html:
    """Draw how often the model is right at each confidence; below, how many events that is."""
    x, y = Axis(*UNIT, 40, 292), Axis(*UNIT, 212, 22)
    drawn = [frame(x, y, ("confidence", _tenths), ("right", _tenths))]
    drawn.append(line(x.at(0), y.at(0), x.at(1), y.at(1), "ideal"))
    description = []
    most = max([entry.count for entry in bins], default=0)
    for entry in bins:
        n, sure, right = entry.count, entry.confidence, entry.accuracy
        drawn += _counted(x, entry, most)
        if sure is None or right is None or not n:
            continue
        drawn.append(line(x.at(sure), y.at(sure), x.at(sure), y.at(right), f"gap {slug(model)}"))
        drawn.append(mark(x.at(sure), y.at(right), model))
        description.append(f"{percent(sure)} sure, {percent(right)} right, {count(n)} events")
    return svg(f"Reliability of {model}", "; ".join(description), drawn, width=300, height=300)


def _counted(x: Axis, entry: Bin, most: int) -> list[Html]:
    """Draw a bar from the bottom, as high as the logarithm of the count, and the count over it."""
    n = entry.count
    if not n:
        return []
    left, right = x.at(entry.low), x.at(entry.high)
    height = 1 + 14 * math.log1p(n) / math.log1p(most)
    bar = rect(left + 0.5, 298 - height, max(right - left - 1, 0.5), height, "count")
    if right - left < 9:
        return [bar]
    return [bar, upright((left + right) / 2 + 3.5, 295 - height, count(n), style="small")]


def _tenths(value: float) -> str:
    return f"{value:g}"
