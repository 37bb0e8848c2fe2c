"""Show what quantization did to each layer of a model: its grids, what they lost, and what goes into them."""

from __future__ import annotations

from overproof.results.layers.grids import Activations, Seen, Weights
from overproof.results.layers.inspect import look_at
from overproof.results.layers.result import LayerDiagnostics, LayerReport

__all__ = ["Activations", "LayerDiagnostics", "LayerReport", "Seen", "Weights", "look_at"]
