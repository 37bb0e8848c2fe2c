"""Take what was measured of the deployed student out of its stored comparison.

Intervals are those that were measured, in independent units; a share without one has none, rather than one that would
take all events for independent.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from overproof.bundle.model_names import QUANTIZED
from overproof.report.not_measured import NotMeasured
from overproof.report.words import LONGEST
from overproof.results.comparison import Comparison
from overproof.results.metrics import Metrics, Share
from overproof.results.operating_points import Counted, Difference, OperatingPoint, PairedDifference, RatePoints

Metric = dict[str, Any]


def metrics(comparison: Comparison) -> list[Metric]:
    """List the student's measured figures; what was not measured is left out."""
    row = comparison.row(QUANTIZED)
    found = [] if row is None or row.metrics is None else list(_at_its_own_point(row.metrics))
    points = comparison.operating_points
    for at in () if isinstance(points, NotMeasured) else points.at:
        found += _at_rate(at)
    return found


def _at_its_own_point(measured: Metrics) -> Iterator[Metric]:
    """Yield figures of its verdicts: the class of the greatest probability."""
    shares = {
        "accuracy": measured.correct,
        "attacks missed": measured.missed,
        "benign flagged": measured.flagged,
        "agreement with the full model": measured.agreed,
    }
    for name, share in shares.items():
        yield from _share(name, share)
    if measured.macro_f1 is not None:
        yield _metric("macro F1", measured.macro_f1)
    for family, share in measured.families.items():
        yield from _share("events with their true label", share, f"family {family[:LONGEST]}, ")


def _at_rate(at: RatePoints) -> Iterator[Metric]:
    """Yield figures behind the threshold of one false-positive rate."""
    where = f"at a false-positive rate of {at.rate:.6g}"
    point = at.models.get(QUANTIZED)
    if isinstance(point, OperatingPoint):
        for name, counted in {"attacks missed": point.missed, "benign flagged": point.flagged}.items():
            if isinstance(counted, Counted):
                yield _metric(f"{name} {where}", counted.value, f"{counted.n} test events", counted)
    for other, difference in at.against.items():
        if isinstance(difference, Difference):
            paired = difference.missed
            yield _metric(f"more attacks missed than by {other} {where}", paired.value, f"{paired.n} attacks", paired)


def _share(name: str, share: Share | None, of: str = "") -> Iterator[Metric]:
    if share is not None and share.rate is not None:
        yield _metric(name, share.rate, f"{of}{share.n} test events")


def _metric(name: str, value: float, part: str = "", ends: Counted | PairedDifference | None = None) -> Metric:
    found: Metric = {"type": name, "value": f"{value:.6g}"}
    if part:
        found["slice"] = part
    if ends is not None:
        found["confidenceInterval"] = {"lowerBound": f"{ends.low:.6g}", "upperBound": f"{ends.high:.6g}"}
    return found
