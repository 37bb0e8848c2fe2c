"""Report what quantization did to each layer of a model: written when a bundle is made, shown wherever it is.

The bundle holds the integers alone, so what the FP32 weights and activations were is counted before they go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from overproof.bundle.manifest import QUANTIZATION, Bundle
from overproof.errors import InputError
from overproof.progress import SILENT, Console, one_line
from overproof.report.layout import aligned
from overproof.results.formatting import decibels, percent, shape
from overproof.results.layers.grids import Activations, Weights
from overproof.results.layers.text import activations_text, errors_text, weights_text
from overproof.results.stored import read_back, read_from
from overproof.results.typed_json import from_json


@dataclass(frozen=True)
class LayerReport:
    """One layer: a weight that is multiplied (`linear`, `convolution`) or looked up (`embedding`).

    Attributes
    ----------
    name
        Of the weight in the graph.
    kind, op
        `linear`, `convolution` or `embedding`; the operator that uses it.
    shape
        Of the weight.
    weights
        None where they stayed float32.
    activations
        None where the layer's input is not quantized.
    bytes_before, bytes_after
        In float32, and as stored, with scales and zero points.
    """

    name: str
    kind: str
    op: str
    shape: tuple[int, ...]
    weights: Weights | None
    activations: Activations | None
    bytes_before: int
    bytes_after: int

    @property
    def precision(self) -> str:
        """The words for what the weights are stored as."""
        return "float32" if self.weights is None else f"{self.weights.scheme}, per {self.weights.per}"

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        data = asdict(self)
        if self.weights is not None:
            data["weights"]["cost"] = self.weights.cost.to_json()
        return data

    def render(self) -> str:
        """Write aligned plain text: the weights' histogram, error against magnitude, the input's saturation."""
        parts = [
            f"{one_line(self.name)}: {self.kind} ({self.op}), {shape(self.shape)}\n"
            f"{self.precision}; {self.bytes_before:,} bytes -> {self.bytes_after:,}"
        ]
        if self.weights is None:
            parts.append("these weights stayed float32: there is no grid to show")
        else:
            parts += [weights_text(self.weights), errors_text(self.weights.cost)]
        if self.activations is not None:
            parts += activations_text(self.activations)
        return "\n\n".join(parts) + "\n"

    def summary(self, kinds: Sequence[str]) -> list[str]:
        """Return the cells of its line among all layers; `kinds` are those of the events."""
        cells = [one_line(self.name), self.kind, shape(self.shape), self.precision]
        cells += [f"{self.bytes_before:,}", f"{self.bytes_after:,}"]
        cost = self.weights.cost if self.weights else None
        cells += [decibels(cost.sqnr_db), percent(cost.lost)] if cost else ["", ""]
        seen = self.activations.seen if self.activations else {}
        return cells + [percent(seen[kind].saturated) if kind in seen else "" for kind in kinds]


@dataclass(frozen=True)
class LayerDiagnostics:
    """Every layer of a quantized model.

    Attributes
    ----------
    layers
        In the order of the graph.
    bytes_before, bytes_after
        Of the whole ONNX file, FP32 and quantized.
    inputs
        Kind of events to the number of model inputs (events, or windows of them) that activations were observed on.
    """

    layers: tuple[LayerReport, ...]
    bytes_before: int
    bytes_after: int
    inputs: Mapping[str, int]

    @property
    def names(self) -> str:
        """The layers' names, for a message."""
        return ", ".join(layer.name for layer in self.layers)

    def layer(self, name: str) -> LayerReport:
        """Return the layer of that name; InputError lists them all if there is none."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise InputError(f"no layer {name!r}; the layers are {self.names}")

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON; `from_json` reads it back."""
        return {**asdict(self), "layers": [layer.to_json() for layer in self.layers]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> LayerDiagnostics:
        """Read what `to_json` gave; ValueError if it is something else."""
        return from_json(cls, data)

    @classmethod
    def of_bundle(cls, path: Path | str, console: Console = SILENT) -> LayerDiagnostics:
        """Read the layers of a bundle, or of the folder of a quantized ONNX file (see `stored.read_back`)."""
        return read_back(path, QUANTIZATION, cls.from_json, console)

    @classmethod
    def of(cls, bundle: Bundle) -> LayerDiagnostics:
        """Read the layers of an open bundle."""
        return read_from(bundle, QUANTIZATION, cls.from_json)

    def render(self) -> str:
        """Write aligned plain text: a line for each layer with its bytes, SQNR, lost and saturated values."""
        head = "layer|kind|shape|weights|bytes before|after|SQNR dB|lost".split("|")
        kinds = list(self.inputs)
        head += [f"{'' if i else 'saturated: '}{one_line(kind)}" for i, kind in enumerate(kinds)]
        rows = [head, *(layer.summary(kinds) for layer in self.layers)]
        for name, sizes in (("everything else", self._outside()), ("the model's file", self._sizes())):
            rows.append([name, "", "", "", *(f"{size:,}" for size in sizes), "", "", *("" for _ in kinds)])
        inputs = ", ".join(f"{count:,} {one_line(kind)}" for kind, count in self.inputs.items())
        return (
            f"{aligned(rows)}\n\nlost: weights that are not 0 and became 0. saturated: values that went into the layer "
            f"and lie outside its range,\nin the FP32 model on held-back events or windows of them ({inputs}).\n"
        )

    def _sizes(self) -> tuple[int, int]:
        return self.bytes_before, self.bytes_after

    def _outside(self) -> tuple[int, int]:
        """Return the bytes before and after of what is no layer."""
        before, after = (sum(getattr(layer, name) for layer in self.layers) for name in ("bytes_before", "bytes_after"))
        return self.bytes_before - before, self.bytes_after - after
