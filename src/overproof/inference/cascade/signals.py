"""Measure how sure the student is of validation events, and how far out of distribution they are.

Where thresholds that spend a budget come from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from overproof.bundle.scores import UNTAUGHT, Floats, confidence_of
from overproof.errors import InputError

SHARES = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.0125, 0.025, 0.05, 0.1, 0.25, 0.5)
CONFIDENCE, OOD_DISTANCE = "confidence", "ood_distance"

Signals = Mapping[str, Mapping[str, float | None]]


def signals(
    logits: Floats,
    temperature: float | None,
    ood_distance: Floats | None = None,
    benign: Sequence[bool] | NDArray[np.bool_] | None = None,
) -> Signals:
    """Find for each share of the events the threshold that defers so many: confidence below it, distance above it.

    None where the events are too few to see the share once: unmeasured, not zero.

    Parameters
    ----------
    logits
        The deployed model's on validation events, shape (n, classes).
    temperature
        At which its probabilities are calibrated; None is 1.
    ood_distance
        Of those events (`Scores.ood_distance`), shape (n,); None where the model has no detector: then nor do the
        signals. Those of a kind that was not taught (`scores.UNTAUGHT`) are deferred by any threshold, and choose none.
    benign
        For each class, whether it is benign (see `scores.labels_of`).

    Raises
    ------
    InputError
        Logits or distances that are no numbers: the model cannot be used, and no threshold be set by them.
    """
    finite = np.asarray(np.isfinite(logits).all(axis=1))
    if ood_distance is not None:
        finite &= np.isfinite(ood_distance)
    if not finite.all():
        raise InputError(
            f"the student's scores of {int((~finite).sum()):,} of {len(finite):,} validation events are no numbers: "
            "expected finite ones; its training or its quantization failed"
        )
    sure = np.sort(confidence_of(logits, benign, temperature or 1.0)).astype(np.float64)
    found = {CONFIDENCE: {f"{share:g}": _at(sure, share) for share in SHARES}}
    if ood_distance is not None:
        near = np.sort(-ood_distance[ood_distance < UNTAUGHT].astype(np.float64))
        found[OOD_DISTANCE] = {f"{share:g}": None if (at := _at(near, share)) is None else -at for share in SHARES}
    return found


def _at(ascending: Floats | np.ndarray, share: float) -> float | None:
    """Return the value with that share of the values below it."""
    place = int(share * len(ascending) + 1e-9)
    return float(ascending[place]) if place else None


def threshold(found: Signals, signal: str, share: float) -> float | None:
    """Return the threshold of the largest share not above the one that is wanted; None where it was not measured."""
    known = [(float(name), value) for name, value in found.get(signal, {}).items() if value is not None]
    return max((pair for pair in known if pair[0] <= share + 1e-9), default=(0.0, None))[1]
