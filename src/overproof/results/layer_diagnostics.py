"""What quantization did to each layer of a model: written when a bundle is made, shown wherever it is.

The bundle holds the integers alone, so what the FP32 weights and activations were is counted before they go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from overproof.bundle.manifest import QUANTIZATION, Bundle
from overproof.errors import InputError
from overproof.progress import SILENT, Console
from overproof.report.svg import write
from overproof.results.layer_svg import draw
from overproof.results.layer_text import render_layer, render_layers
from overproof.results.rounding_cost import Cost
from overproof.results.stored import read_back, read_from


@dataclass(frozen=True)
class Weights:
    """A layer's weights on their grid.

    Attributes
    ----------
    scheme
        Which integers are used, such as `S8 symmetric, reduced range`.
    bits
        Of a stored integer.
    per, grids
        `tensor`, `channel` or `group`, and the number of scales.
    scale, zero_point, range
        Least and greatest over all grids; the range in the weights' own unit.
    qmin, qmax
        The grid's least and greatest integer.
    counts
        Weights stored as each integer from qmin to qmax.
    cost
        What that did to the FP32 weights.
    """

    scheme: str
    bits: int
    per: str
    grids: int
    scale: tuple[float, float]
    zero_point: tuple[int, int]
    range: tuple[float, float]
    qmin: int
    qmax: int
    counts: tuple[int, ...]
    cost: Cost


@dataclass(frozen=True)
class Seen:
    """What events of one kind put into a layer.

    Attributes
    ----------
    counts
        Values rounded to each integer of the grid.
    below, above
        Values more than half a step outside the range, which are clipped; not in `counts`.
    """

    counts: tuple[int, ...]
    below: int
    above: int

    @property
    def values(self) -> int:
        """All values that were seen."""
        return sum(self.counts) + self.below + self.above

    @property
    def saturated(self) -> float | None:
        """Share of the values that are clipped; None if none was seen."""
        return (self.below + self.above) / self.values if self.values else None


@dataclass(frozen=True)
class Activations:
    """A layer's input on its grid.

    Attributes
    ----------
    tensor
        Its name in the graph.
    scheme
        Which integers are used.
    scale, zero_point, range, qmin, qmax
        The grid; per tensor.
    seen
        Kind of events (`benign`, `attack`, or `all` of them) to what they put in.
    """

    tensor: str
    scheme: str
    scale: float
    zero_point: int
    range: tuple[float, float]
    qmin: int
    qmax: int
    seen: Mapping[str, Seen]


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
        """What the weights are stored as, in words."""
        return "float32" if self.weights is None else f"{self.weights.scheme}, per {self.weights.per}"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; `from_json` reads it back."""
        data = asdict(self)
        if self.weights is not None:
            data["weights"]["cost"] = self.weights.cost.to_json()
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> LayerReport:
        """Read what `to_json` gave; KeyError or TypeError if it is something else."""
        weights, activations = data["weights"], data["activations"]
        if weights is not None:
            pairs = {name: tuple(weights[name]) for name in ("scale", "zero_point", "range", "counts")}
            weights = Weights(**{**weights, **pairs, "cost": Cost.from_json(weights["cost"])})
        if activations is not None:
            kinds = activations["seen"].items()
            seen = {kind: Seen(**{**found, "counts": tuple(found["counts"])}) for kind, found in kinds}
            activations = Activations(**{**activations, "range": tuple(activations["range"]), "seen": seen})
        changed = {"shape": tuple(data["shape"]), "weights": weights, "activations": activations}
        return cls(**{**data, **changed})

    def render(self) -> str:
        """Aligned plain text: the weights' histogram, error against magnitude, the input's saturation."""
        return render_layer(self)


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
        """The layer of that name; InputError lists them all if there is none."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise InputError(f"no layer {name!r}; the layers are {self.names}")

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; `from_json` reads it back."""
        return {**asdict(self), "layers": [layer.to_json() for layer in self.layers]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> LayerDiagnostics:
        """Read what `to_json` gave; KeyError or TypeError if it is something else."""
        return cls(**{**data, "layers": tuple(map(LayerReport.from_json, data["layers"]))})

    @classmethod
    def of_bundle(cls, path: Path | str, console: Console = SILENT) -> LayerDiagnostics:
        """What a bundle, or the folder of a quantized ONNX file, tells of its layers (see `stored.read_back`)."""
        return read_back(path, QUANTIZATION, cls.from_json, console)

    @classmethod
    def of(cls, bundle: Bundle) -> LayerDiagnostics:
        """`of_bundle` for one that is open."""
        return read_from(bundle, QUANTIZATION, cls.from_json)

    def render(self) -> str:
        """Aligned plain text: a line for each layer with its bytes, SQNR, lost and saturated values."""
        return render_layers(self)


def look_at(
    bundle: Path | str, layer: str | None = None, svg: Path | None = None, console: Console = SILENT
) -> LayerDiagnostics | LayerReport:
    """All layers of a bundle, or one; that one is drawn into `svg` if a file is named.

    Raises
    ------
    InputError
        No layer of that name, or a picture of none in particular.
    """
    report = LayerDiagnostics.of_bundle(bundle, console)
    if layer is None:
        if svg is not None:
            drawn = f"one layer can be drawn; name it: --layer, of {report.names}"
            raise InputError(f"{svg}: {drawn}; or what each of them costs: --sensitivity")
        return report
    found = report.layer(layer)
    if svg is not None:
        write(draw(found), svg)
    return found
