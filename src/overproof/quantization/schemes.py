"""Set the schemes of activations and weights at each precision, and fit the grids of weights."""

from __future__ import annotations

from collections.abc import Mapping

from overproof.quantization.affine import Grid, Scheme, fit, minmax, mse
from overproof.quantization.layers import Layer

ACTIVATIONS = Scheme()
WEIGHTS = Scheme(symmetric=True, signed=True, reduced=True)
WEIGHTS_4 = Scheme(bits=4, symmetric=True, signed=True)
EMBEDDINGS = Scheme(symmetric=True, signed=True)  # a looked-up row is never multiplied in integers: the whole range
GROUP = 32
Grids = Mapping[str, Grid]


def weight_grid(layer: Layer, precision: str) -> Grid:
    """Fit the grid of a layer's weights: min-max at 8 bits, least squared error at 4, where clipping pays."""
    if layer.kind == "embedding":
        scheme = EMBEDDINGS if precision in ("w8a8", "dynamic") else WEIGHTS_4
        return fit(layer.values, scheme, axis=layer.channel, observer=minmax if scheme is EMBEDDINGS else mse)
    if precision in ("w8a8", "dynamic"):
        return fit(layer.values, WEIGHTS, axis=layer.channel)
    if precision == "w4a32" and layer.kind == "linear":
        return fit(layer.values, WEIGHTS_4, axis=1 - layer.channel, block=GROUP, observer=mse)
    return fit(layer.values, WEIGHTS_4, axis=layer.channel, observer=mse)
