"""Draw how far from the decision boundary a model decides."""

from __future__ import annotations

from overproof.checks.boundary.result import MarginHistogram
from overproof.report.markup import Html, slug
from overproof.report.svg import Axis, frame, line, rect, svg, text
from overproof.report.words import count


def margins(model: str, found: MarginHistogram) -> Html:
    """Draw a histogram of margins; counts are logarithmic, so that the few near the boundary show."""
    low, high = found.edges[0], found.edges[-1]
    x, y = Axis(low, high, 44, 292), Axis(0.8, max(*found.counts, 10.0) * 1.2, 172, 22, log=True)
    drawn = [frame(x, y, ("logits from the boundary", "{:g}".format), ("events, logarithmic", _short))]
    description = []
    for left, right, k in zip(found.edges, found.edges[1:], found.counts, strict=False):
        if k > 0:
            wide = max(x.at(right) - x.at(left) - 1, 0.5)
            drawn.append(rect(x.at(left) + 0.5, y.at(k), wide, y.start - y.at(k), f"fill {slug(model)}"))
            description.append(f"{left:g} to {right:g}: {count(k)}")
    if low < 0 < high:
        drawn.append(line(x.at(0), y.start, x.at(0), y.end - 4, "boundary"))
        drawn.append(text(x.at(0) - 5, y.end + 6, "benign", anchor="end", style="side"))
        drawn.append(text(x.at(0) + 5, y.end + 6, "attack", style="side"))
    return svg(f"Margins of {model}", "; ".join(description), drawn, width=300, height=208)


def _short(value: float) -> str:
    return f"{value:g}" if value < 1000 else f"{value / 1000:g}k" if value < 1e6 else f"{value / 1e6:g}M"
