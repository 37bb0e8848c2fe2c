"""Draw ROC and DET curves with operating points; the false-positive rate is logarithmic."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from overproof.checks.stats import wilson
from overproof.report.markup import Html, slug
from overproof.report.not_measured import NotMeasured
from overproof.report.svg import Axis, frame, line, mark, path, svg
from overproof.report.words import interval, percent
from overproof.results.operating_points import RATES, OperatingPoint, OperatingPoints
from overproof.results.roc import RocCurve

WIDTH, HEIGHT = 360, 268
LISTED = (1e-4, 1e-3, 5e-3, 1e-2, 5e-2, 1e-1)  # benign events flagged at which the curves are told in figures

Curves = Mapping[str, RocCurve]
Marks = list[tuple[str, float, float]]


def roc(curves: Curves, points: OperatingPoints | NotMeasured) -> Html:
    """Draw attacks detected, linear, against benign events flagged, logarithmic."""
    marks = _marks(curves, points)
    seen = [1 - m / c.attacks for c in curves.values() for f, m in zip(c.flagged, c.missed, strict=True) if f]
    low = math.floor(10 * min([*seen, *(1 - missed for _, _, missed in marks), 0.9]) + 1e-9) / 10
    y = Axis(low, 1, HEIGHT - 36, 22)
    return _drawn("ROC curves", curves, marks, (y, ("attacks detected", _share), lambda missed: 1 - missed))


def det(curves: Curves, points: OperatingPoints | NotMeasured) -> Html:
    """Draw attacks missed against benign events flagged, both logarithmic."""
    y = Axis(_decade(max(c.attacks for c in curves.values())), 1, HEIGHT - 36, 22, log=True)
    return _drawn("DET curves", curves, _marks(curves, points), (y, ("attacks missed", _share), float))


def curve_rows(curves: Curves) -> list[list[str]]:
    """List the curves as rows of a table: a rate, and of each curve the kept point next below it."""
    rows = []
    for rate in LISTED:
        cells = []
        for curve in curves.values():
            i = max(i for i, flagged in enumerate(curve.flagged) if flagged <= rate * curve.benign)
            cells.append(f"{interval(wilson(curve.missed[i], curve.attacks))}, {curve.flagged[i]:,} flagged")
        rows.append([_share(rate), *cells])
    return rows


Up = tuple[Axis, tuple[str, Callable[[float], str]], Callable[[float], float]]


def _drawn(title: str, curves: Curves, marks: Marks, up: Up) -> Html:
    """Draw curves and operating points; `up` is the axis, its title and values, and what it shows of a share missed."""
    y, words, shown = up
    x = Axis(_decade(max(c.benign for c in curves.values())), 1, 58, WIDTH - 12, log=True)
    drawn = [frame(x, y, ("benign events flagged, logarithmic", _share), words)]
    drawn += [line(x.at(rate), y.start, x.at(rate), y.end, "level") for rate in RATES if rate > x.low]
    for name, curve in curves.items():
        pairs = zip(curve.flagged, curve.missed, strict=True)
        places = [(x.at(f / curve.benign), y.at(shown(m / curve.attacks))) for f, m in pairs]
        drawn.append(path(places, f"curve {slug(name)}"))
    drawn += [mark(x.at(flagged), y.at(shown(missed)), name) for name, flagged, missed in marks]
    described = [
        f"{name} misses {percent(missed)} where it flags {percent(flagged)}" for name, flagged, missed in marks
    ]
    return svg(title, "; ".join(described) or "no operating point was measured", drawn, width=WIDTH, height=HEIGHT)


def _marks(curves: Curves, points: OperatingPoints | NotMeasured) -> Marks:
    """List the operating points of the curves: model, share of benign events flagged, share of attacks missed."""
    found: Marks = []
    for at in () if isinstance(points, NotMeasured) else points.at:
        for name in curves:
            point = at.models.get(name)
            if not isinstance(point, OperatingPoint):
                continue
            if not (isinstance(point.flagged, NotMeasured) or isinstance(point.missed, NotMeasured)):
                found.append((name, point.flagged.value, point.missed.value))
    return found


def _decade(events: int) -> float:
    """Return the power of ten at or below one of so many events, at most a tenth."""
    return min(10.0 ** math.floor(math.log10(1 / events) + 1e-9), 0.1)


def _share(value: float) -> str:
    return f"{100 * value:g} %"
