"""A quantized layer as plain text: histograms over the grid, error against magnitude, saturation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from overproof.progress import one_line
from overproof.report.layout import aligned
from overproof.results.rounding_cost import Band, Cost

if TYPE_CHECKING:
    from overproof.results.layer_diagnostics import Activations, LayerDiagnostics, LayerReport, Seen, Weights

COLUMNS = 65  # of a histogram, at most: 129 integers take two a column, 256 take four
ROWS = 8
BLOCKS = " ▁▂▃▄▅▆▇█"
BAR = 20


def render_layers(report: LayerDiagnostics) -> str:
    """A line for each layer, and what lies outside of them."""
    head = "layer|kind|shape|weights|bytes before|after|SQNR dB|lost".split("|")
    kinds = list(report.inputs)
    head += [f"{'' if i else 'saturated: '}{one_line(kind)}" for i, kind in enumerate(kinds)]
    rows = [head, *(_summary(layer, kinds) for layer in report.layers)]
    inside = [sum(getattr(layer, name) for layer in report.layers) for name in ("bytes_before", "bytes_after")]
    rest = (report.bytes_before - inside[0], report.bytes_after - inside[1])
    for name, sizes in (("everything else", rest), ("the model's file", (report.bytes_before, report.bytes_after))):
        rows.append([name, "", "", "", *map(_count, sizes), "", "", *("" for _ in kinds)])
    inputs = ", ".join(f"{count:,} {one_line(kind)}" for kind, count in report.inputs.items())
    return (
        f"{aligned(rows)}\n\nlost: weights that are not 0 and became 0. saturated: values that went into the layer "
        f"and lie outside its range,\nin the FP32 model on held-back events or windows of them ({inputs}).\n"
    )


def render_layer(layer: LayerReport) -> str:
    """All that is known of one layer."""
    shape = " x ".join(map(str, layer.shape))
    parts = [
        f"{one_line(layer.name)}: {layer.kind} ({layer.op}), {shape}\n"
        f"{layer.precision}; {layer.bytes_before:,} bytes -> {layer.bytes_after:,}"
    ]
    if layer.weights is not None:
        parts += [_weights(layer.weights), _errors(layer.weights)]
    else:
        parts.append("these weights stayed float32: there is no grid to show")
    if layer.activations is not None:
        parts += _activations(layer.activations)
    return "\n\n".join(parts) + "\n"


def span(low: float, high: float) -> str:
    """Two numbers as a range, or one if they are the same."""
    return f"{low:.4g}" if low == high else f"{low:.4g} ... {high:.4g}"


def percent(share: float | None) -> str:
    """A share in percent; small ones are not rounded to 0."""
    if share is None:
        return "unmeasured"
    return f"{share:.2%}" if share >= 1e-4 or not share else f"{100 * share:.1g}%"


def decibels(value: float | None) -> str:
    """A ratio in dB; nothing lost has none."""
    return "exact" if value is None else f"{value:.1f}"


def band_name(band: Band) -> str:
    """The magnitudes of a band, in steps of the grid."""
    return f"{band.low:g} ... {band.high:g}" if math.isfinite(band.high) else f"{band.low:g} or more"


def _count(number: int) -> str:
    return f"{number:,}"


def _summary(layer: LayerReport, kinds: Sequence[str]) -> list[str]:
    cells = [one_line(layer.name), layer.kind, " x ".join(map(str, layer.shape)), layer.precision]
    cells += [_count(layer.bytes_before), _count(layer.bytes_after)]
    cost = layer.weights.cost if layer.weights else None
    cells += [decibels(cost.sqnr_db), percent(cost.lost)] if cost else ["", ""]
    seen = layer.activations.seen if layer.activations else {}
    return cells + [percent(seen[kind].saturated) if kind in seen else "" for kind in kinds]


def _weights(weights: Weights) -> str:
    grids = "one grid" if weights.grids == 1 else f"{weights.grids:,} grids"
    lines = [
        f"weights on {grids}: scale {span(*weights.scale)}, zero point {span(*weights.zero_point)}, "
        f"range {span(*weights.range)}",
        *histogram(weights.counts, weights.qmin, weights.zero_point, weights.range),
    ]
    return "\n".join(lines)


def bands(cost: Cost) -> str:
    """The error against magnitude, a line and a bar for each band."""
    rows = [["|w| in steps", "weights", "share", "mean error", "max error", "mean error / |w|", ""]]
    for band in cost.bands:
        relative = band.mean_relative
        bar = "" if relative is None else "█" * round(BAR * min(relative, 1.0))
        share = band.values / cost.values
        cells = [band_name(band), _count(band.values), percent(share), f"{band.mean_error:.3g}"]
        cells += [f"{band.max_error:.3g}", "" if relative is None else f"{relative:.2%}", bar.ljust(BAR)]
        rows.append(cells)
    return aligned(rows)


def _errors(weights: Weights) -> str:
    cost = weights.cost
    head = (
        f"error against magnitude: SQNR {decibels(cost.sqnr_db)} dB, {percent(cost.lost)} of the weights that are "
        f"not 0 became 0, {percent(cost.saturated)} clipped"
    )
    return f"{head}\n{bands(cost)}"


def _activations(found: Activations) -> list[str]:
    head = (
        f"input {one_line(found.tensor)}: {found.scheme}; scale {found.scale:.4g}, zero point {found.zero_point}, "
        f"range {span(*found.range)}"
    )
    rows = [["events", "values", "below", "above", "saturated"]]
    rows += [
        [one_line(kind), *map(_count, (seen.values, seen.below, seen.above)), percent(seen.saturated)]
        for kind, seen in found.seen.items()
    ]
    return [f"{head}\n{aligned(rows)}", *(_kind(kind, seen, found) for kind, seen in found.seen.items() if seen.values)]


def _kind(kind: str, seen: Seen, found: Activations) -> str:
    zero = (found.zero_point, found.zero_point)
    lines = histogram(seen.counts, found.qmin, zero, found.range, logarithmic=True)
    return "\n".join([f"values of {one_line(kind)} events (logarithmic; clipped ones left out)", *lines])


def histogram(
    counts: Sequence[int], qmin: int, zero: tuple[int, int], bounds: tuple[float, float], *, logarithmic: bool = False
) -> list[str]:
    """A chart of ROWS lines; under it ^ at the zero point, and the integers at both ends with their values."""
    each, wide = -(-len(counts) // COLUMNS), max(1, COLUMNS // len(counts))
    sums = [sum(counts[i : i + each]) for i in range(0, len(counts), each)]
    bars = heights(sums, logarithmic=logarithmic)
    top, width = _count(max(sums)), wide * len(sums)
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


def _ends(qmin: int, counts: Sequence[int], bounds: tuple[float, float]) -> tuple[tuple[str, str], tuple[str, str]]:
    low, high = bounds
    return (str(qmin), str(qmin + len(counts) - 1)), (f"{low:.4g}", f"{high:.4g}")


def heights(counts: Sequence[int], *, logarithmic: bool) -> list[float]:
    """Bars for counts, the greatest 1; logarithmic ones keep the tails visible."""
    top = max(counts)
    if not top:
        return [0.0] * len(counts)
    return [math.log1p(n) / math.log1p(top) if logarithmic else n / top for n in counts]


def _eighths(height: float, row: int) -> int:
    """How much of a row a bar fills; what is there at all shows at least a sliver."""
    filled = height * ROWS * 8 - (row - 1) * 8
    return max(0, min(8, round(filled) if row > 1 or not height else max(1, round(filled))))
