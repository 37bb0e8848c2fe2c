"""Show a layer of the user's model on its grid, where the bundle describes what quantization did to each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from overproof.progress import one_line
from overproof.results.formatting import decibels, percent, span
from overproof.results.layers import LayerDiagnostics, LayerReport, Weights
from overproof.results.layers.histogram import COLUMNS, histogram
from overproof.results.layers.text import bands

LINEAR = "linear"


@dataclass(frozen=True)
class UserLayer:
    """The layer that the quantization steps show.

    Attributes
    ----------
    report, weights
        The layer, and its weights on their grid.
    among
        How many quantized layers of its kind it was chosen from.
    model_before, model_after
        Bytes of the whole ONNX file, FP32 and quantized.
    """

    report: LayerReport
    weights: Weights
    among: int
    model_before: int
    model_after: int

    @property
    def name(self) -> str:
        """The layer and its shape, in words."""
        shape = " by ".join(f"{n:,}" for n in self.report.shape)
        return f"its layer {one_line(self.report.name)} ({one_line(self.report.op)}, {shape} weights)"

    @property
    def why(self) -> str:
        """The reason why this one is shown."""
        if self.among == 1:
            return f"It is the only quantized {self.report.kind} layer."
        return f"Of {self.among} quantized {self.report.kind} layers it has the lowest SQNR: rounding costs it most."

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        rest = {name: getattr(self, name) for name in ("among", "model_before", "model_after")}
        return {"report": self.report.to_json(), **rest}

    def grid(self) -> str:
        """Write range, scale and zero point of the weights and of what goes into them, aligned."""
        w, entry = self.weights, self.report.activations
        grids = f"one for each {w.per}" if w.grids == 1 else f"{w.grids:,}, one for each {w.per}: least ... greatest"
        lost = f"{percent(w.cost.lost)} of the weights that are not 0 became 0"
        lines = [
            f"weights     {one_line(w.scheme)}",
            f"grids       {grids}",
            f"range       {span(*w.range)}",
            f"scale       {span(*w.scale)}",
            f"zero point  {span(*w.zero_point)}",
            f"error       largest {w.cost.max_error:.3g}, SQNR {decibels(w.cost.sqnr_db)} dB, {lost}",
        ]
        if entry is not None:
            kinds = (f"{percent(seen.saturated)} of {one_line(kind)} values" for kind, seen in entry.seen.items())
            lines += [
                f"input       {one_line(entry.scheme)}; range {span(*entry.range)}, scale {entry.scale:.4g}, "
                f"zero point {entry.zero_point}",
                f"clipped     {', '.join(kinds)}",
            ]
        return _indented(lines)

    def errors(self) -> str:
        """Write the error against magnitude, as a table with bars."""
        return _indented(bands(self.weights.cost).splitlines())

    def integers(self) -> str:
        """Draw how many weights are stored as each integer."""
        w = self.weights
        return "\n".join(histogram(w.counts, w.qmin, w.zero_point, w.range))

    @property
    def column(self) -> str:
        """The head of a column of that drawing."""
        each = -(-len(self.weights.counts) // COLUMNS)
        return "each integer" if each == 1 else f"{each} integers"


def costliest(report: LayerDiagnostics) -> UserLayer | None:
    """Return the quantized linear layer with the lowest SQNR; an embedding where none is linear, None if none is."""
    quantized = [(layer, layer.weights) for layer in report.layers if layer.weights is not None]
    found = [pair for pair in quantized if pair[0].kind == LINEAR] or quantized
    if not found:
        return None
    layer, weights = min(found, key=lambda pair: _sqnr(pair[1]))
    return UserLayer(layer, weights, len(found), report.bytes_before, report.bytes_after)


def _sqnr(weights: Weights) -> float:
    return float("inf") if weights.cost.sqnr_db is None else weights.cost.sqnr_db


def _indented(lines: list[str]) -> str:
    return "\n".join(f"  {line}".rstrip() for line in lines)
