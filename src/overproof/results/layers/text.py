"""Write a layer's weights, errors and activations as plain text: histograms, tables and bars."""

from __future__ import annotations

import math

from overproof.progress import one_line
from overproof.report.layout import aligned
from overproof.results.formatting import decibels, percent, span
from overproof.results.layers.grids import Activations, Seen, Weights
from overproof.results.layers.histogram import histogram
from overproof.results.rounding_cost import Band, Cost

BAR = 20  # characters of a bar


def weights_text(weights: Weights) -> str:
    """Write the weights' grids and their histogram."""
    lines = [
        f"weights on {grids(weights)}: scale {span(*weights.scale)}, zero point {span(*weights.zero_point)}, "
        f"range {span(*weights.range)}",
        *histogram(weights.counts, weights.qmin, weights.zero_point, weights.range),
    ]
    return "\n".join(lines)


def errors_text(cost: Cost) -> str:
    """Write what rounding did to the weights, in all and by magnitude."""
    head = (
        f"error against magnitude: SQNR {decibels(cost.sqnr_db)} dB, {percent(cost.lost)} of the weights that are "
        f"not 0 became 0, {percent(cost.saturated)} clipped"
    )
    return f"{head}\n{bands(cost)}"


def activations_text(found: Activations) -> list[str]:
    """Write what goes into a layer: how much of it is clipped, and a histogram for each kind of events."""
    head = (
        f"input {one_line(found.tensor)}: {found.scheme}; scale {found.scale:.4g}, zero point {found.zero_point}, "
        f"range {span(*found.range)}"
    )
    rows = [["events", "values", "below", "above", "saturated"]]
    rows += [
        [one_line(kind), *(f"{n:,}" for n in (seen.values, seen.below, seen.above)), percent(seen.saturated)]
        for kind, seen in found.seen.items()
    ]
    return [f"{head}\n{aligned(rows)}", *(_kind(kind, seen, found) for kind, seen in found.seen.items() if seen.values)]


def bands(cost: Cost) -> str:
    """Write the error against magnitude, a line and a bar for each band."""
    rows = [["|w| in steps", "weights", "share", "mean error", "max error", "mean error / |w|", ""]]
    for band in cost.bands:
        relative = band.mean_relative
        bar = "" if relative is None else "█" * round(BAR * min(relative, 1.0))
        share = band.values / cost.values
        cells = [band_name(band), f"{band.values:,}", percent(share), f"{band.mean_error:.3g}"]
        cells += [f"{band.max_error:.3g}", "" if relative is None else f"{relative:.2%}", bar.ljust(BAR)]
        rows.append(cells)
    return aligned(rows)


def band_name(band: Band) -> str:
    """Write the magnitudes of a band, in steps of the grid."""
    return f"{band.low:g} ... {band.high:g}" if math.isfinite(band.high) else f"{band.low:g} or more"


def grids(weights: Weights) -> str:
    """Write how many grids the weights lie on."""
    return "one grid" if weights.grids == 1 else f"{weights.grids:,} grids"


def _kind(kind: str, seen: Seen, found: Activations) -> str:
    zero = (found.zero_point, found.zero_point)
    lines = histogram(seen.counts, found.qmin, zero, found.range, logarithmic=True)
    return "\n".join([f"values of {one_line(kind)} events (logarithmic; clipped ones left out)", *lines])
