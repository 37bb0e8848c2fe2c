"""Choose from which cosine on a known event is close, on validation events: the student did not learn from them.

A validation event should find the known events of its own family close. The threshold is the highest that at most
`SHARE` of such events miss, with 95 % confidence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overproof.exact_rates import upper_bound
from overproof.inference.similarity.integers import Integers, cosines, wide

SHARE, CONFIDENCE = 0.05, 0.95
NEEDED = 59  # validation events, from which on one may say so: 0.95 ** 59 < 0.05
MOST = 2000  # validation events of a kind that are compared, drawn at random
BLOCK = 1 << 14  # known events that are compared at once


@dataclass(frozen=True)
class Closeness:
    """From where on known events of a kind are close.

    Attributes
    ----------
    threshold
        The least cosine; None where there were too few validation events.
    events
        Validation events of the kind, of families that are known.
    """

    threshold: float | None
    events: int

    def render(self) -> str:
        """Say it in a few words."""
        if self.threshold is not None:
            return f"close from {self.threshold:.3f} on ({self.events:,} validation events)"
        if self.events:
            return f"what is close is unmeasured: {self.events} validation events, expected {NEEDED} or more"
        return "what is close is unmeasured: no validation events (--validation)"


def closeness(asked: Integers, names: NDArray[np.int64], known: Integers, known_names: NDArray[np.int64]) -> Closeness:
    """Choose the threshold of one kind.

    Parameters
    ----------
    asked, known
        Where validation events and known events lie, shape (n, width) and (rows, width).
    names, known_names
        Codes of their families; -1 where there is none.
    """
    usable = np.flatnonzero((names >= 0) & np.isin(names, known_names))
    if len(usable) > MOST:
        usable = np.sort(np.random.default_rng(0).choice(usable, MOST, replace=False))
    nearest = np.full(len(usable), -1.0)
    for name in np.unique(names[usable]).tolist():
        of_it, rows = np.flatnonzero(names[usable] == name), np.flatnonzero(known_names == name)
        queries = wide(asked[usable[of_it]])
        for start in range(0, len(rows), BLOCK):
            found = cosines(queries, wide(known[rows[start : start + BLOCK]])).max(axis=1)
            nearest[of_it] = np.maximum(nearest[of_it], found)
    below = _allowed(len(usable))
    return Closeness(None if below is None else float(np.sort(nearest)[below]), len(usable))


def _allowed(events: int) -> int | None:
    """Return how many of so many events may lie below; None where even one that does not would prove too little.

    The most of which the upper end of the exact interval is no more than `SHARE`.
    """
    allowed = None
    for below in range(events):
        if upper_bound(below, events, 1 - CONFIDENCE) > SHARE:
            break
        allowed = below
    return allowed
