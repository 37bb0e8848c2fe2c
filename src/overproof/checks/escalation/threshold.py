"""Choose the confidence below which an event goes to the full model, and say what is guaranteed of it.

An attack is lost where the full model detects it and the student, sure enough not to ask, calls it benign. The higher
the threshold, the fewer are lost: that order is what the guarantee rests on.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overproof.checks.base import CONFIDENCE, FULL, QUANTIZED, Bools, CheckContext
from overproof.checks.escalation.budgets import confidence
from overproof.checks.rates import SLACK
from overproof.checks.stats import Units, learn_then_test
from overproof.events.split import template

EVERYTHING = math.inf  # the threshold that keeps nothing
CANDIDATES = 200
SPENT = 0.5  # share of the budget that is spent in any case


@dataclass(frozen=True)
class Cascade:
    """The student in front of the full model, without a threshold yet.

    Attributes
    ----------
    sure
        The student's confidence, shape (n,).
    detected
        Attacks that the full model detects: those a guarantee can be about, shape (n,).
    silent
        Those of them that the student calls benign: lost unless they are escalated, shape (n,).
    choosing
        Whether the event helps to choose the threshold; the others verify it, shape (n,).
    units
        How the events hang together.
    """

    sure: NDArray[np.float64]
    detected: Bools
    silent: Bools
    choosing: Bools
    units: Units

    def lost(self, threshold: float) -> Bools:
        """Return the attacks that are lost at a threshold, shape (n,)."""
        return np.asarray(self.silent & (self.sure >= threshold))

    def count(self, threshold: float, rows: Bools) -> tuple[int, int]:
        """Count of those events the attacks lost, attacks that the full model detects."""
        return int((self.lost(threshold) & rows).sum()), int((self.detected & rows).sum())


def cascade_of(context: CheckContext) -> Cascade:
    """Put full model and quantized student together as a cascade."""
    detected = context.attacks & context.detected(FULL)
    silent = detected & ~context.detected(QUANTIZED)
    return Cascade(confidence(context, QUANTIZED), detected, silent, halves(context), context.units)


def halves(context: CheckContext) -> Bools:
    """Say which events choose, shape (n,): every second group, or template where there is none, in a random order.

    Near-duplicates stay together. The same events in another order are parted the same way.
    """
    pairs = zip(context.sample.groups, context.sample.texts, strict=True)
    # the kind of key stands before it, so that a group named like a template is not taken for it
    keys = [f"t{template(text)}" if group is None else f"g{group}" for group, text in pairs]
    order = sorted(set(keys), key=lambda key: _hash(context.seed, key))
    chosen = set(order[::2])
    return np.array([key in chosen for key in keys], dtype=bool)


def _hash(seed: int, key: str) -> tuple[bytes, str]:
    return hashlib.blake2b(f"{seed}:{key}".encode("utf-8", "backslashreplace"), digest_size=8).digest(), key


def candidates(cascade: Cascade, limit: float) -> list[float]:
    """List thresholds from the safest, which escalates everything, to the boldest that could keep the limit.

    Only a threshold that passes by a silent miss changes what is lost, so there is one above each miss, at the next
    confidence that was seen; also the greatest that was seen, and 0 where nothing stops it. At most 200, evenly
    thinned. Only the surest misses count: where more than the limit are lost, nothing can be shown any more.
    """
    seen = np.append(np.unique(cascade.sure[cascade.choosing]), EVERYTHING)
    misses = np.sort(cascade.sure[cascade.silent & cascade.choosing])[::-1]
    most = int(limit * (cascade.detected & cascade.choosing).sum()) + 1
    above = seen[np.searchsorted(seen, misses[:most], side="right")]
    boldest = [0.0] if len(misses) <= most else []
    distinct = np.unique(np.concatenate([seen[-2:], above, boldest]))[::-1]
    kept = np.unique(np.linspace(0, len(distinct) - 1, CANDIDATES).round().astype(np.intp))
    found: list[float] = distinct[kept].tolist()
    return found


def learned(cascade: Cascade, thresholds: Sequence[float], limit: float) -> int | None:
    """Find the boldest of these thresholds at which, with 95 % confidence, at most `limit` of the detected are lost.

    Learn then Test with a fixed sequence (Angelopoulos, Bates, Candès, Jordan & Lei 2021). The thresholds come from
    the same events, which fixed-sequence testing forbids in general and allows here: what is lost never grows with
    the threshold. If a threshold of too great a risk passed, then the greatest such threshold would have lost no
    more and passed as well, and that one depends on no events; it passes in at most 5 % of samples. For the same
    reason any threshold above the one found is as safe.

    Events that hang together count as one (see `stats.units`).

    Returns
    -------
    int | None
        Index; 0 is "escalate everything". None where not even that can be shown, with so few attacks.
    """
    rows = cascade.detected & cascade.choosing
    silent, sure = cascade.silent[rows], cascade.sure[rows]
    losses = silent[:, None] & (sure[:, None] >= np.array(thresholds)[None, :])
    return learn_then_test(losses, cascade.units.take(rows), limit, CONFIDENCE)


def spending(cascade: Cascade, budget: float) -> float:
    """Find the threshold below which half the budget of the choosing events lies.

    A student that loses nothing needs no threshold, but one that may not stand alone is no safer for a threshold of
    0; so some of what the user grants is spent in any case.
    """
    sure = np.sort(cascade.sure[cascade.choosing])
    sent = int(SPENT * budget * len(sure) + SLACK)
    return float(sure[sent]) if 0 < sent < len(sure) else 0.0


def written(threshold: float) -> str:
    """Write a threshold with as many digits as tell it from 1."""
    if not 0 < threshold < 1:
        return f"{threshold:g}"
    return f"{threshold:.{max(3, 1 - math.floor(math.log10(1 - threshold)))}f}"
