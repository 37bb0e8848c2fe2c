"""Draw risk against coverage."""

from __future__ import annotations

from collections.abc import Sequence

from overproof.checks.escalation.result import RiskCurve, RiskCurves
from overproof.report.markup import Html
from overproof.report.svg import Axis, frame, path, svg
from overproof.report.words import percent

CURVES = ("quantized", "oracle", "random")
SHOWN = (0.5, 0.8, 0.9, 0.95, 1.0)  # coverages at which the curves are told in figures

Points = list[tuple[float, float]]


def risk(curves: RiskCurves) -> Html:
    """Draw the wrong labels among the events that the student keeps, against the share that it keeps."""
    points = _points(curves)
    top = max(share for curve in points.values() for _, share in curve) or 0.01
    x, y = Axis(0, 1, 58, 348), Axis(0, top * 1.05, 232, 22)
    drawn = [frame(x, y, ("share that the student decides", _whole), ("wrong among them", percent))]
    description = []
    for name, curve in points.items():
        drawn.append(path([(x.at(a), y.at(b)) for a, b in curve], f"curve {name}"))
        description.append(f"{name}: " + ", ".join(f"{percent(b)} at {_whole(a)}" for a, b in _sampled(curve)))
    return svg("Risk and coverage", "; ".join(description), drawn, width=360, height=268)


def curve_points(curves: RiskCurves) -> list[list[str]]:
    """List the curves as rows of a table: a coverage, and the risk on each."""
    sampled = [_sampled(curve) for curve in _points(curves).values()]
    return [[_whole(row[0][0]), *(percent(share) for _, share in row)] for row in zip(*sampled, strict=True)]


def _points(curves: RiskCurves) -> dict[str, Points]:
    by_name: dict[str, RiskCurve] = {name: getattr(curves, name) for name in CURVES}
    return {name: list(zip(curve.coverage, curve.risk, strict=True)) for name, curve in by_name.items()}


def _sampled(points: Sequence[tuple[float, float]]) -> Points:
    """Pick the points nearest to some coverages."""
    return [min(points, key=lambda point: abs(point[0] - share)) for share in SHOWN]


def _whole(value: float) -> str:
    return f"{100 * value:.0f} %"
