"""Choose what is close, on validation events: the student did not learn from them.

An event is close if a known event of its kind is spelled like it. A validation event of a family that is known should
be. The threshold is the highest that at most `SHARE` of such events miss, with 95 % confidence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overproof.exact_rates import upper_bound
from overproof.inference.similarity.integers import Integers

SHARE, CONFIDENCE = 0.05, 0.95
NEEDED = 59  # validation events, from which on one may say so: 0.95 ** 59 < 0.05
MOST = 2000  # validation events of a kind that are compared, drawn at random


@dataclass(frozen=True)
class Closeness:
    """From where on known events of a kind are close.

    Attributes
    ----------
    threshold
        The least cosine of spellings; None where there were too few validation events.
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


def closeness(spelled: Integers, nearest: Callable[[Integers], NDArray[np.float64]]) -> Closeness:
    """Choose the threshold of one kind.

    Parameters
    ----------
    spelled
        Where the spellings of validation events lie, shape (n, WIDTH); all are of families that are known.
    nearest
        Gives of such rows the cosine of each with the known event that is spelled most alike.
    """
    if len(spelled) > MOST:
        spelled = spelled[np.sort(np.random.default_rng(0).choice(len(spelled), MOST, replace=False))]
    below = _allowed(len(spelled))
    return Closeness(None if below is None else float(np.sort(nearest(spelled))[below]), len(spelled))


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
