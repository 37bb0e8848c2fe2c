"""Plots with two axes: reliability, risk against coverage, and size, latency and recall."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from overproof.report.markup import Html, slug
from overproof.report.reading import at, numbers
from overproof.report.svg import Axis, frame, line, mark, path, rect, svg, upright
from overproof.report.words import count, percent

UNIT = (0.0, 1.0)
CURVES = ("quantized", "oracle", "random")


class Bin(Protocol):
    """Events of like confidence: their number, mean confidence and the share that is right."""

    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def count(self) -> int: ...
    @property
    def confidence(self) -> float | None: ...
    @property
    def accuracy(self) -> float | None: ...


def reliability(model: str, bins: Sequence[Bin]) -> Html:
    """How often the model is right at each confidence; below, how many events that is."""
    x, y = Axis(*UNIT, 40, 292), Axis(*UNIT, 212, 22)
    drawn = [frame(x, y, ("confidence", _tenths), ("right", _tenths))]
    drawn.append(line(x.at(0), y.at(0), x.at(1), y.at(1), "ideal"))
    said = []
    most = max([entry.count for entry in bins], default=0)
    for entry in bins:
        n, sure, right = entry.count, entry.confidence, entry.accuracy
        drawn += _counted(x, entry, most)
        if sure is None or right is None or not n:
            continue
        drawn.append(line(x.at(sure), y.at(sure), x.at(sure), y.at(right), f"gap {slug(model)}"))
        drawn.append(mark(x.at(sure), y.at(right), model))
        said.append(f"{percent(sure)} sure, {percent(right)} right, {count(n)} events")
    return svg(f"Reliability of {model}", "; ".join(said), drawn, width=300, height=300)


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


def risk(curves: Mapping[str, Any]) -> Html:
    """Wrong labels among the events that the student keeps, against the share that it keeps."""
    found = {name: _points(curves.get(name)) for name in CURVES if isinstance(curves.get(name), Mapping)}
    top = max([risk for points in found.values() for _, risk in points], default=0.0) or 0.01
    x, y = Axis(*UNIT, 58, 348), Axis(0, top * 1.05, 232, 22)
    drawn = [frame(x, y, ("share that the student decides", _whole), ("wrong among them", percent))]
    said = []
    for name, points in found.items():
        drawn.append(path([(x.at(a), y.at(b)) for a, b in points], f"curve {name}"))
        said.append(f"{name}: " + ", ".join(f"{percent(b)} at {_whole(a)}" for a, b in sampled(points)))
    return svg("Risk and coverage", "; ".join(said), drawn, width=360, height=268)


def _points(curve: Any) -> list[tuple[float, float]]:
    return list(zip(numbers(at(curve, "coverage")), numbers(at(curve, "risk")), strict=False))


def sampled(
    points: Sequence[tuple[float, float]], wanted: Sequence[float] = (0.5, 0.8, 0.9, 0.95, 1.0)
) -> list[tuple[float, float]]:
    """The points nearest to some coverages."""
    return [min(points, key=lambda point: abs(point[0] - share)) for share in wanted] if points else []


def curve_points(curves: Mapping[str, Any]) -> list[list[str]]:
    """The curves as rows of a table."""
    found = [sampled(_points(curves.get(name))) for name in CURVES]
    longest = max(found, key=len, default=[])
    return [
        [_whole(longest[i][0]), *(percent(points[i][1]) if i < len(points) else "not measured" for points in found)]
        for i in range(len(longest))
    ]


def _tenths(value: float) -> str:
    return f"{value:g}"


def _whole(value: float) -> str:
    return f"{100 * value:.0f} %"
