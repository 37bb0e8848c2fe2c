"""Put what two students say of events together: the first's where it decides, the second's elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overproof.bundle.scores import Floats, Scores

ONE, TWO = np.int8(1), np.int8(2)


@dataclass(frozen=True)
class Tried:
    """What the first student says of n events, whether or not it may decide them.

    Attributes
    ----------
    scores
        In the second student's units: see `FirstTier.scaled`.
    confidence
        Calibrated probability of the label, shape (n,); NaN where the scores are no numbers.
    benign
        Whether the label is a benign one, shape (n,).
    known
        Whether it may decide the event at all, however sure it is, shape (n,): its scores are numbers, it has read the
        event to the end, and finds it within its own limit of distance.
    """

    scores: Scores
    confidence: Floats
    benign: NDArray[np.bool_]
    known: NDArray[np.bool_]

    def decided(self, benign: float | None, attack: float | None) -> NDArray[np.bool_]:
        """Return which events it decides, shape (n,).

        Parameters
        ----------
        benign, attack
            The least confidence in a benign label, and in that of an attack; None decides none (see `FirstStudent`).
        """
        least = np.where(self.benign, np.inf if benign is None else benign, np.inf if attack is None else attack)
        return np.asarray(self.known & (self.confidence >= least))


def passed_on(first: Scores, second: Scores, left: NDArray[np.intp]) -> Scores:
    """Put the second student's scores in the place of the first's, and say whose an event's are.

    Parameters
    ----------
    left
        The rows, of the first's, that the second's are of.
    """
    tier = np.full(len(first.overflow), ONE)
    tier[left] = TWO
    logits, windows, overflow = first.logits.copy(), first.windows.copy(), first.overflow.copy()
    logits[left], windows[left], overflow[left] = second.logits, second.windows, second.overflow
    distance = None
    if first.ood_distance is not None and second.ood_distance is not None:
        distance = first.ood_distance.copy()
        distance[left] = second.ood_distance
    return Scores(logits, first.classes, windows, overflow, distance, tier, first.benign)
