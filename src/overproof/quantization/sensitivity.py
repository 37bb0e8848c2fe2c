"""Measure the sensitivity of each layer: what it costs quantized alone, and what it saves when it is left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from overproof.quantization.guards import Guards, violation
from overproof.quantization.layers import Layer
from overproof.results.divergence import Divergence
from overproof.results.precision_search import Sensitivity

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
    """Order the layers' names: first the one without which guards are broken least, then by the KL left without it."""
    return [
        row.name for row in sorted(found, key=lambda row: (violation(guards.findings(row.left_out)), row.left_out.kl))
    ]
