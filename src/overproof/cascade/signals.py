"""How sure the student is of validation events: where thresholds that spend a budget come from."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from overproof.cascade.policy import energy
from overproof.scores import Floats, softmax

SHARES = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5)
CONFIDENCE, ENERGY = "confidence", "energy"

Signals = Mapping[str, Mapping[str, float | None]]


def signals(logits: Floats, temperature: float | None) -> Signals:
    """Share of the events to the threshold that doubts so many of them: confidence below it, energy above it.

    None where the events are too few to see the share once: unmeasured, not zero.

    Parameters
    ----------
    logits
        The deployed model's on validation events, shape (n, classes).
    temperature
        At which its probabilities are calibrated; None is 1.
    """
    sure = np.sort(softmax(logits, temperature or 1.0).max(axis=1, initial=0.0)).astype(np.float64)
    strange = np.sort(-energy(logits))
    return {
        CONFIDENCE: {f"{share:g}": _at(sure, share) for share in SHARES},
        ENERGY: {f"{share:g}": None if (found := _at(strange, share)) is None else -found for share in SHARES},
    }


def _at(ascending: Floats | np.ndarray, share: float) -> float | None:
    """The value with that share of the values below it."""
    place = int(share * len(ascending) + 1e-9)
    return float(ascending[place]) if place else None


def threshold(found: Signals, signal: str, share: float) -> float | None:
    """The threshold of the largest share not above the one that is wanted; None where it was not measured."""
    known = [(float(name), value) for name, value in found[signal].items() if value is not None]
    return max((pair for pair in known if pair[0] <= share + 1e-9), default=(0.0, None))[1]
