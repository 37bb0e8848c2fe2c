"""How sure the student is of validation events, and how new they are to it.

Where thresholds that spend a budget come from.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from overproof.bundle.scores import Floats, softmax

SHARES = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.0125, 0.025, 0.05, 0.1, 0.25, 0.5)
CONFIDENCE, NOVELTY = "confidence", "novelty"

Signals = Mapping[str, Mapping[str, float | None]]


def signals(logits: Floats, temperature: float | None, novelty: Floats | None = None) -> Signals:
    """Share of the events to the threshold that doubts so many of them: confidence below it, novelty above it.

    None where the events are too few to see the share once: unmeasured, not zero.

    Parameters
    ----------
    logits
        The deployed model's on validation events, shape (n, classes).
    temperature
        At which its probabilities are calibrated; None is 1.
    novelty
        Of those events (`Scores.novelty`), shape (n,); None where the model does not tell: then nor do the signals.
    """
    sure = np.sort(softmax(logits, temperature or 1.0).max(axis=1, initial=0.0)).astype(np.float64)
    found = {CONFIDENCE: {f"{share:g}": _at(sure, share) for share in SHARES}}
    if novelty is not None:
        near = np.sort(-novelty.astype(np.float64))
        found[NOVELTY] = {f"{share:g}": None if (at := _at(near, share)) is None else -at for share in SHARES}
    return found


def _at(ascending: Floats | np.ndarray, share: float) -> float | None:
    """The value with that share of the values below it."""
    place = int(share * len(ascending) + 1e-9)
    return float(ascending[place]) if place else None


def threshold(found: Signals, signal: str, share: float) -> float | None:
    """The threshold of the largest share not above the one that is wanted; None where it was not measured."""
    known = [(float(name), value) for name, value in found.get(signal, {}).items() if value is not None]
    return max((pair for pair in known if pair[0] <= share + 1e-9), default=(0.0, None))[1]
