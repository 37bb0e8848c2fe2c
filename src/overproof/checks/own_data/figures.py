"""Draw how the student's attack probabilities are distributed."""

from __future__ import annotations

from overproof.checks.own_data.result import ScoreDrift
from overproof.report.markup import Html
from overproof.report.svg import Axis, frame, rect, svg
from overproof.report.words import percent


def score_histograms(found: ScoreDrift) -> Html:
    """Draw the student's attack probability on validation events (hollow) and on these (filled)."""
    top = max([*found.validation, *found.events, 0.01])
    x, y = Axis(0, 1, 48, 348), Axis(0, top * 1.05, 202, 22)
    drawn = [frame(x, y, ("attack probability", "{:g}".format), ("share of the events", lambda v: f"{100 * v:.0f} %"))]
    described = []
    for low, high, before, now in zip(found.edges, found.edges[1:], found.validation, found.events, strict=False):
        left, width = x.at(low), (x.at(high) - x.at(low)) / 2 - 1.5
        drawn.append(rect(left + 1, y.at(before), width, y.start - y.at(before), "before"))
        drawn.append(rect(left + 2 + width, y.at(now), width, y.start - y.at(now), "now"))
        described.append(f"{low:g} to {high:g}: validation {percent(before)}, events {percent(now)}")
    return svg("Attack probability", "; ".join(described), drawn, width=360, height=238)
