"""Choose the confidence below which an event goes to the full model, and say what is guaranteed of it.

An attack is lost where the full model detects it and the student, sure enough not to ask, calls it benign. The higher
the threshold, the fewer are lost: that order is what the guarantee rests on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from overproof.bundle.scores import Scores
from overproof.checks.base import CONFIDENCE, FULL, QUANTIZED, Bools, CheckContext
from overproof.checks.escalation.halves import halves
from overproof.checks.stats import Units, learn_then_test
from overproof.inference.cascade.policy import EVERYTHING, deferrals
from overproof.results.operating_points import SLACK

NEVER = -math.inf  # how sure the student is taken to be of an event that it may not decide, however sure it is
CANDIDATES = 200
SPENT = 0.5  # share of the budget that doubt spends in any case
MOST_SPENT = 0.75  # share of it that all reasons together may have spent by that: traffic is less tame


@dataclass(frozen=True)
class Cascade:
    """The student in front of the full model, without a threshold yet.

    Attributes
    ----------
    sure
        The student's confidence; `NEVER` where the policy sends the event on whatever that is, shape (n,).
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

    def sent(self, threshold: float) -> Bools:
        """Return the events that the policy sends to the full model at a threshold, shape (n,)."""
        return np.asarray(self.sure < threshold)

    def lost(self, threshold: float) -> Bools:
        """Return the attacks that are lost at a threshold if all that is sent on is decided there, shape (n,)."""
        return np.asarray(self.silent & ~self.sent(threshold))

    def count(self, threshold: float, rows: Bools) -> tuple[int, int]:
        """Count of those events the attacks lost, attacks that the full model detects."""
        return int((self.lost(threshold) & rows).sum()), int((self.detected & rows).sum())


def scores_of(context: CheckContext) -> Scores:
    """Return what the quantized student says of the events, as the deployed cascade gets it."""
    outputs = context.models[QUANTIZED]
    n = len(outputs.logits)
    overflow = np.zeros(n, dtype=np.bool_) if outputs.overflow is None else outputs.overflow
    logits = np.asarray(outputs.logits, dtype=np.float32)
    ones, benign = np.ones(n, dtype=np.int32), context.benign_classes
    return Scores(logits, context.classes, ones, overflow, outputs.ood_distance, benign=benign)


def cascade_of(context: CheckContext) -> Cascade:
    """Put full model and quantized student together as the policy does: the same function says what is sent on."""
    found = deferrals(scores_of(context), replace(context.policy, confidence=0.0))
    sure = found.confidence.astype(np.float64)
    sure[found.rows] = NEVER
    detected = context.attacks & context.detected(FULL)
    silent = detected & ~context.detected(QUANTIZED)
    return Cascade(sure, detected, silent, halves(context), context.units)


def candidates(cascade: Cascade, limit: float) -> list[float]:
    """List thresholds from the safest, which escalates everything, to the boldest that could keep the limit.

    Only a threshold that passes by a silent miss changes what is lost, so there is one above each miss, at the next
    confidence that was seen; also the greatest that was seen, and 0 where nothing stops it. At most 200, evenly
    thinned. Only the surest misses count: where more than the limit are lost, nothing can be shown any more.
    """
    kept = cascade.choosing & (cascade.sure > NEVER)
    seen = np.append(np.unique(cascade.sure[kept]), EVERYTHING)
    misses = np.sort(cascade.sure[cascade.silent & kept])[::-1]
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
    """Find the threshold below which half the budget of the choosing events lies, beside what is sent on anyway.

    A student that loses nothing needs no threshold, but one that may not stand alone is no safer for a threshold of
    0; so some of what the user grants is spent in any case. It is less than half where all reasons together would
    spend more than three quarters.
    """
    sure = np.sort(cascade.sure[cascade.choosing])
    anyway = int((sure == NEVER).sum())
    doubtful = int(min(SPENT * budget * len(sure), MOST_SPENT * budget * len(sure) - anyway) + SLACK)
    return float(sure[anyway + doubtful]) if 0 < doubtful < len(sure) - anyway else 0.0


def written(threshold: float) -> str:
    """Write a threshold with as many digits as tell it from 1."""
    if not 0 < threshold < 1:
        return f"{threshold:g}"
    return f"{threshold:.{max(3, 1 - math.floor(math.log10(1 - threshold)))}f}"
