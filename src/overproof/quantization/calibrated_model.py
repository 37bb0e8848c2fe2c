"""Calibrate a model: find its layers and the ranges of their activations, ready to be rewritten."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx
import pyarrow as pa

from overproof.errors import InputError
from overproof.quantization.affine import OBSERVERS, Grid
from overproof.quantization.calibrate import Ranges, observe
from overproof.quantization.layers import Layer, find_layers
from overproof.quantization.models.interface import QuantizableModel
from overproof.quantization.rewrite import rewrite, watched
from overproof.quantization.schemes import Grids, weight_grid

CALIBRATION_EVENTS = 1024


@dataclass(frozen=True)
class CalibratedModel:
    """A model with the ranges of its activations, ready to be rewritten.

    Attributes
    ----------
    layers
        What can be quantized.
    grids
        Of the weights, where training has learned them; else they are fitted.
    """

    quantizable: QuantizableModel
    layers: tuple[Layer, ...]
    ranges: Ranges
    grids: Grids = field(default_factory=dict)
    _weight_grids: dict[tuple[str, str], Grid] = field(default_factory=dict, repr=False)

    def at(self, precisions: Mapping[str, str]) -> onnx.ModelProto:
        """Write the model with these precisions; layers that are not named stay in float."""
        grids = dict(self.grids)
        for layer in self.layers:
            precision = precisions.get(layer.name, "float")
            if precision != "float" and layer.name not in grids:
                key = layer.name, precision
                if key not in self._weight_grids:  # the search asks for the same ones again and again
                    self._weight_grids[key] = weight_grid(layer, precision)
                grids[layer.name] = self._weight_grids[key]
        return rewrite(self.quantizable.model, self.layers, self.ranges, precisions, grids)


def calibrate(
    quantizable: QuantizableModel, events: pa.Table, *, observer: str = "minmax", seed: int = 0
) -> CalibratedModel:
    """Find the layers and the ranges of their activations.

    Raises
    ------
    InputError
        Nothing to quantize, no such observer, no events.
    """
    if observer not in OBSERVERS:
        raise InputError(f"observer {observer!r}: expected one of {', '.join(OBSERVERS)}")
    try:
        layers = find_layers(quantizable.model)
        if not layers:
            raise InputError("no Gemm, MatMul, Conv or Gather with constant float32 weights to quantize")
        if not events.num_rows:
            raise InputError("no calibration events, expected at least one")
        ranges = observe(
            quantizable.model,
            watched(layers),
            quantizable.prepare(events).onnx_inputs,
            observer=OBSERVERS[observer],
            seed=seed,
        )
    except InputError as error:
        raise InputError(f"{quantizable.name}: {error}") from None
    return CalibratedModel(quantizable, layers, ranges)


def split_calibration(events: pa.Table, *, seed: int) -> tuple[pa.Table, pa.Table]:
    """Split events into calibration events and held-back ones: half, but no more than a thousand for the ranges.

    Raises
    ------
    InputError
        Fewer than two events.
    """
    if events.num_rows < 2:
        raise InputError(f"{events.num_rows} calibration events: expected at least two, one of them held back")
    order = np.random.default_rng(seed).permutation(events.num_rows)
    count = calibration_count(events.num_rows)
    return events.take(np.sort(order[:count])), events.take(np.sort(order[count:]))


def calibration_count(events: int) -> int:
    """Return how many of so many events `split_calibration` takes for the ranges."""
    return min(CALIBRATION_EVENTS, events // 2)
