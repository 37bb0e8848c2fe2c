"""Draw a quantized layer as one self-contained SVG that says the same as its text."""

from __future__ import annotations

from dataclasses import dataclass

from overproof.report.markup import Html
from overproof.report.svg import bar, document, group, line, loud, path, text
from overproof.results.formatting import decibels, percent, shape, span
from overproof.results.layers.grids import Activations, Seen, Weights
from overproof.results.layers.histogram import heights
from overproof.results.layers.result import LayerReport
from overproof.results.layers.text import band_name, grids

WIDTH, LEFT, RIGHT = 880, 72, 72  # the margins hold the axis' numbers and what was clipped
PLOT = WIDTH - LEFT - RIGHT
HIGH = 170  # of a chart
STYLE = """
svg { --weight: #3566b8; --benign: #3566b8; --attack: #c2410c }
@media (prefers-color-scheme: dark) { svg { --weight: #7aa5ea; --benign: #7aa5ea; --attack: #fb923c } }
.zero { stroke: var(--ink); stroke-dasharray: 3 3 }
.weight { fill: var(--weight) } .lost { fill: var(--loud) } .benign { fill: var(--benign); opacity: .45 }
.attack { fill: none; stroke: var(--attack); stroke-width: 1.5 } .attack.bar { fill: var(--attack) }
"""


@dataclass(frozen=True)
class _Grid:
    """The integers that a chart stands on.

    Attributes
    ----------
    qmin, levels
        The least integer, and how many there are.
    range
        What the ends stand for.
    zero
        Least and greatest zero point.
    """

    qmin: int
    levels: int
    range: tuple[float, float]
    zero: tuple[int, int]

    @property
    def qmax(self) -> int:
        """The greatest integer."""
        return self.qmin + self.levels - 1

    @property
    def width(self) -> float:
        """Pixels that one integer takes."""
        return PLOT / self.levels


def draw(layer: LayerReport) -> str:
    """Draw a layer: weights on the grid, error against magnitude, what goes in."""
    size = f"{layer.bytes_before:,} bytes → {layer.bytes_after:,}"
    what = f"{layer.kind} ({layer.op}), {shape(layer.shape)}; {layer.precision}; {size}"
    parts = [text(24, 34, layer.name, style="title"), text(24, 56, what, style="faint")]
    y = 92
    if layer.weights is not None:
        parts += [_weights(layer.weights, y), _errors(layer.weights, y + 290)]
        y += 560
    else:
        parts.append(text(24, y, "These weights stayed float32: there is no grid to show."))
        y += 48
    if layer.activations is not None:
        parts.append(_activations(layer.activations, y))
        y += 310 + 20 * len(layer.activations.seen)
    return document(layer.name, _spoken(layer), STYLE, (WIDTH, y), parts)


def _spoken(layer: LayerReport) -> str:
    """Describe the picture, a sentence for each part, for those who do not see it."""
    sentences = [
        f"{layer.kind} layer, {layer.precision}, {layer.bytes_before} bytes before and {layer.bytes_after} after."
    ]
    if layer.weights is not None:
        cost = layer.weights.cost
        sentences.append(f"SQNR {decibels(cost.sqnr_db)} dB; {percent(cost.lost)} of the weights became 0.")
    for kind, seen in layer.activations.seen.items() if layer.activations else ():
        sentences.append(f"Input of {kind} events: {percent(seen.saturated)} saturated.")
    return " ".join(sentences)


def _weights(weights: Weights, y: int) -> Html:
    """Draw the weights' histogram over the integers of the grid."""
    top, base = y + 44, y + 44 + HIGH
    what = f"{grids(weights)}; one step = scale {span(*weights.scale)}; range {span(*weights.range)}"
    grid = _Grid(weights.qmin, len(weights.counts), weights.range, weights.zero_point)
    parts = [
        text(24, y, "Weights on the grid", style="head"),
        text(24, y + 19, what, style="faint"),
    ]
    bars = heights(weights.counts, logarithmic=False)
    gap = min(1.0, grid.width / 5)
    for i, tall in enumerate(bars):
        if tall:
            parts.append(bar(LEFT + i * grid.width, base, grid.width - gap, max(1.0, tall * HIGH), "weight"))
    parts += [*_axis(grid, top, base, f"{max(weights.counts):,}"), *_zero(grid, top, base)]
    return group("weights", parts)


def _errors(weights: Weights, y: int) -> Html:
    """Draw a bar for each band of magnitudes: how much of a weight rounding takes away."""
    cost, high = weights.cost, 130
    base = y + 54 + high
    what, lost = "mean of error / |w| by |w| in steps", f"{percent(cost.lost)} of the weights that are not 0 became 0"
    parts = [
        text(24, y, "Error against magnitude", style="head"),
        text(24, y + 19, f"{what}; SQNR {decibels(cost.sqnr_db)} dB; ", loud(lost), style="faint"),
        line(LEFT, base, WIDTH - RIGHT, base, "rule"),
    ]
    wide = PLOT / len(cost.bands) if cost.bands else 0
    for i, band in enumerate(cost.bands):
        x, relative = LEFT + i * wide, band.mean_relative
        middle = x + wide / 2
        if relative is not None:
            tall = max(1.0, min(relative, 1.0) * high)
            parts.append(bar(x + wide * 0.12, base, wide * 0.76, tall, "lost" if band.high <= 0.5 else "weight"))
            parts.append(text(middle, base - tall - 6, percent(relative), anchor="middle"))
        parts.append(text(middle, base + 18, band_name(band), style="faint", anchor="middle"))
        parts.append(text(middle, base + 35, f"{band.values:,}", style="faint", anchor="middle"))
    parts += [text(24, base + 18, "steps", style="faint"), text(24, base + 35, "weights", style="faint")]
    return group("errors", parts)


def _activations(found: Activations, y: int) -> Html:
    """Draw what goes into the layer: benign events as an area, attacks as a line; clipped values beyond the ends."""
    grid = _Grid(found.qmin, found.qmax - found.qmin + 1, found.range, (found.zero_point, found.zero_point))
    top = y + 54 + 20 * len(found.seen)
    base = top + HIGH
    scale = f"{found.scheme}; one step = scale {found.scale:.4g}; range {span(*found.range)}; "
    parts = [
        text(24, y, f"Input {found.tensor}", style="head"),
        text(24, y + 19, f"{scale}heights are logarithmic, each kind of events its own", style="faint"),
        text(LEFT - 30, base + 18, "below", style="faint", anchor="middle"),
        text(WIDTH - RIGHT + 30, base + 18, "above", style="faint", anchor="middle"),
    ]
    for row, (kind, seen) in enumerate(found.seen.items()):
        style, level = "attack" if kind == "attack" else "benign", y + 46 + 20 * row
        values = f"{kind}: {seen.values:,} values, {percent(seen.saturated)} saturated"
        parts.append(bar(24, level + 1, 12, 12, f"{style} bar"))
        parts.append(text(44, level, f"{values} ({seen.below:,} below the range, {seen.above:,} above)"))
        if seen.values:
            parts += _seen(seen, style, base, grid.width)
    parts += [*_axis(grid, top, base), *_zero(grid, top, base)]
    return group("activations", parts)


def _seen(seen: Seen, style: str, base: float, width: float) -> list[Html]:
    """Draw one kind of events: its histogram, and a bar each for what lies below and above."""
    below, *bars, above = heights([seen.below, *seen.counts, seen.above], logarithmic=True)
    points = [(float(LEFT), base)]
    for i, tall in enumerate(bars):
        points += [(LEFT + (i + side) * width, base - tall * HIGH) for side in (0, 1)]
    drawn = [path([*points, (WIDTH - RIGHT, base)], style)]
    beside = 0 if style == "benign" else 14
    for x, tall in ((LEFT - 44, below), (WIDTH - RIGHT + 16, above)):
        if tall:
            drawn.append(bar(x + beside, base, 13, max(1.0, tall * HIGH), f"{style} bar"))
    return drawn


def _axis(grid: _Grid, top: float, base: float, most: str = "") -> list[Html]:
    """Draw the line under a chart, with the integers at its ends and what they stand for."""
    ends = ((LEFT, grid.qmin, grid.range[0], "start"), (WIDTH - RIGHT, grid.qmax, grid.range[1], "end"))
    parts = [line(LEFT, base, WIDTH - RIGHT, base, "rule"), text(LEFT - 8, top + 10, most, style="faint", anchor="end")]
    for x, integer, value, anchor in ends:
        parts.append(text(x, base + 18, str(integer), anchor=anchor))
        parts.append(text(x, base + 35, f"{value:.4g}", style="faint", anchor=anchor))
    return parts


def _zero(grid: _Grid, top: float, base: float) -> list[Html]:
    """Draw dashed lines at the least and the greatest zero point, named once."""
    places = [LEFT + (z - grid.qmin + 0.5) * grid.width for z in sorted(set(grid.zero))]
    middle = min(max(sum(places) / len(places), LEFT + 80), WIDTH - RIGHT - 80)
    lines = [line(x, top - 6, x, base + 6, "zero") for x in places]
    return [*lines, text(middle, base + 18, f"zero point {span(*grid.zero)}", anchor="middle")]
