"""A quantized layer as one self-contained SVG: the same as its text, drawn; light or dark as the reader's screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overproof.report.svg import bar, document, group, line, text
from overproof.results.layer_text import band_name, decibels, heights, percent, span

if TYPE_CHECKING:
    from overproof.results.layer_diagnostics import Activations, LayerReport, Seen, Weights

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


def draw(layer: LayerReport) -> str:
    """The layer's picture: weights on the grid, error against magnitude, what goes in."""
    shape = " x ".join(map(str, layer.shape))
    what = (
        f"{layer.kind} ({layer.op}), {shape}; {layer.precision}; {layer.bytes_before:,} bytes → {layer.bytes_after:,}"
    )
    parts = [text(24, 34, layer.name, "title"), text(24, 56, what, "faint")]
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
    """The picture in one sentence for each part, for those who do not see it."""
    said = [f"{layer.kind} layer, {layer.precision}, {layer.bytes_before} bytes before and {layer.bytes_after} after."]
    if layer.weights is not None:
        cost = layer.weights.cost
        said.append(f"SQNR {decibels(cost.sqnr_db)} dB; {percent(cost.lost)} of the weights became 0.")
    for kind, seen in layer.activations.seen.items() if layer.activations else ():
        said.append(f"Input of {kind} events: {percent(seen.saturated)} saturated.")
    return " ".join(said)


def _weights(weights: Weights, y: int) -> str:
    """The weights' histogram over the integers of the grid."""
    top, base = y + 44, y + 44 + HIGH
    width = PLOT / len(weights.counts)
    grids = "one grid" if weights.grids == 1 else f"{weights.grids:,} grids"
    parts = [
        text(24, y, "Weights on the grid", "head"),
        text(24, y + 19, f"{grids}; one step = scale {span(*weights.scale)}; range {span(*weights.range)}", "faint"),
    ]
    bars = heights(weights.counts, logarithmic=False)
    gap = min(1.0, width / 5)
    for i, tall in enumerate(bars):
        if tall:
            parts.append(bar(LEFT + i * width, base, width - gap, max(1.0, tall * HIGH), "weight"))
    parts += _axis(base, f"{max(weights.counts):,}", top, weights.qmin, len(weights.counts), weights.range)
    parts.append(_zero(weights.zero_point, weights.qmin, width, top, base))
    return group("weights", parts)


def _errors(weights: Weights, y: int) -> str:
    """A bar for each band of magnitudes: how much of a weight rounding takes away."""
    cost, high = weights.cost, 130
    base = y + 54 + high
    lost = f"{percent(cost.lost)} of the weights that are not 0 became 0"
    parts = [
        text(24, y, "Error against magnitude", "head"),
        text(
            24, y + 19, f"mean of error / |w| by |w| in steps; SQNR {decibels(cost.sqnr_db)} dB; ", "faint", tail=lost
        ),
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
        parts.append(text(middle, base + 18, band_name(band), "faint", anchor="middle"))
        parts.append(text(middle, base + 35, f"{band.values:,}", "faint", anchor="middle"))
    parts += [text(24, base + 18, "steps", "faint"), text(24, base + 35, "weights", "faint")]
    return group("errors", parts)


def _activations(found: Activations, y: int) -> str:
    """What goes into the layer: benign events as an area, attacks as a line; clipped values beyond the ends."""
    levels, legend = found.qmax - found.qmin + 1, y + 46 + 20 * len(found.seen)
    width, top, base = PLOT / levels, legend + 8, legend + 8 + HIGH
    scale = f"{found.scheme}; one step = scale {found.scale:.4g}; range {span(*found.range)}; "
    parts = [
        text(24, y, f"Input {found.tensor}", "head"),
        text(24, y + 19, f"{scale}heights are logarithmic, each kind of events its own", "faint"),
        text(LEFT - 30, base + 18, "below", "faint", anchor="middle"),
        text(WIDTH - RIGHT + 30, base + 18, "above", "faint", anchor="middle"),
    ]
    for row, (kind, seen) in enumerate(found.seen.items()):
        style, level = "attack" if kind == "attack" else "benign", y + 46 + 20 * row
        told = f"{kind}: {seen.values:,} values, {percent(seen.saturated)} saturated"
        parts.append(bar(24, level + 1, 12, 12, f"{style} bar"))
        parts.append(text(44, level, f"{told} ({seen.below:,} below the range, {seen.above:,} above)"))
        if seen.values:
            parts += _seen(seen, style, base, width)
    parts += _axis(base, "", top, found.qmin, levels, found.range)
    parts.append(_zero((found.zero_point, found.zero_point), found.qmin, width, top, base))
    return group("activations", parts)


def _seen(seen: Seen, style: str, base: float, width: float) -> list[str]:
    """One kind of events: its histogram, and a bar each for what lies below and above."""
    below, *bars, above = heights([seen.below, *seen.counts, seen.above], logarithmic=True)
    points = [f"{LEFT},{base:g}"]
    for i, tall in enumerate(bars):
        height = f"{base - tall * HIGH:.1f}"
        points += [f"{LEFT + i * width:.1f},{height}", f"{LEFT + (i + 1) * width:.1f},{height}"]
    points.append(f"{WIDTH - RIGHT},{base:g}")
    drawn = [f'<polyline class="{style}" points="{" ".join(points)}"/>']
    beside = 0 if style == "benign" else 14
    for x, tall in ((LEFT - 44, below), (WIDTH - RIGHT + 16, above)):
        if tall:
            drawn.append(bar(x + beside, base, 13, max(1.0, tall * HIGH), f"{style} bar"))
    return drawn


def _axis(base: float, most: str, top: float, qmin: int, levels: int, bounds: tuple[float, float]) -> list[str]:
    """The line under a chart, with the integers at its ends and what they stand for."""
    ends = ((LEFT, qmin, bounds[0], "start"), (WIDTH - RIGHT, qmin + levels - 1, bounds[1], "end"))
    parts = [line(LEFT, base, WIDTH - RIGHT, base, "rule"), text(LEFT - 8, top + 10, most, "faint", anchor="end")]
    for x, integer, value, anchor in ends:
        parts.append(text(x, base + 18, str(integer), anchor=anchor))
        parts.append(text(x, base + 35, f"{value:.4g}", "faint", anchor=anchor))
    return parts


def _zero(zero: tuple[int, int], qmin: int, width: float, top: float, base: float) -> str:
    """Dashed lines at the least and the greatest zero point, named once."""
    places = [LEFT + (z - qmin + 0.5) * width for z in sorted(set(zero))]
    middle = min(max(sum(places) / len(places), LEFT + 80), WIDTH - RIGHT - 80)
    lines = [line(x, top - 6, x, base + 6, "zero") for x in places]
    return "\n".join([*lines, text(middle, base + 18, f"zero point {span(*zero)}", anchor="middle")])
