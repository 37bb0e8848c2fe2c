"""Measure the sensitivity of each layer: what it costs quantized alone, and what it saves when it is left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from overproof.quantization.guards import Guards
from overproof.quantization.layers import Layer
from overproof.results.divergence import Divergence
from overproof.results.precision_search import Sensitivity, excess

Judge = Callable[[Mapping[str, str]], Divergence]


def sensitivities(
    layers: Sequence[Layer], precision: str, judge: Judge, advance: Callable[[int], None] = lambda done: None
) -> tuple[Sensitivity, ...]:
    """Measure each layer alone and left out, in the order of the graph.

    Parameters
    ----------
    judge
        Layer name to precision → the divergence from float.
    """
    found = []
    for layer in layers:
        alone = judge({layer.name: precision})
        left_out = judge({other.name: precision for other in layers if other is not layer})
        found.append(Sensitivity(layer.name, layer.op, layer.values.size, alone, left_out))
        advance(2)
    return tuple(found)


def worst_first(found: Sequence[Sensitivity], guards: Guards) -> list[str]:
    """Order the layers' names: first by what exceeds the limits without them, then by the KL left."""
    return [row.name for row in sorted(found, key=lambda row: (excess(guards.observed(row.left_out)), row.left_out.kl))]
