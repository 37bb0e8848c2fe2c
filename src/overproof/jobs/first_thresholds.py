"""Choose what the first of two students may decide, on validation events that neither was taught.

The first is held to the second: of the attacks that the second detects at most a stated share may be lost, because the
first, sure enough not to pass them on, calls them benign; and of the benign events that the second leaves alone at most
a stated share may be flagged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overproof.bundle.scores import UNTAUGHT, Floats
from overproof.bundle.tried import Tried
from overproof.checks.base import CONFIDENCE
from overproof.checks.stats import Units, events_needed, learn_then_test
from overproof.errors import InputError
from overproof.inference.cascade.thresholds import BUDGET
from overproof.jobs.config import JoinLimits
from overproof.results.tiers import Side

Bools = NDArray[np.bool_]

OOD_SHARE = 0.01  # of the validation events, those farthest from what it was taught, that the first passes on
CANDIDATES = 200


@dataclass(frozen=True)
class Judged:
    """Validation events as both students judge them.

    Attributes
    ----------
    tried
        What the first says of them.
    flagged
        Whether the second flags them, shape (n,).
    attacks, benign
        What they are by their labels, shape (n,) each; neither where there is no label.
    units
        How they hang together.
    least
        The confidence below which the first decides nothing in any case: see `least_sure`.
    """

    tried: Tried
    flagged: Bools
    attacks: Bools
    benign: Bools
    units: Units
    least: float


def choose(judged: Judged, limits: JoinLimits) -> tuple[Side, Side]:
    """Choose the thresholds, and return what the first student decides as benign, and what as attacks."""
    return (
        _side(judged, judged.attacks & judged.flagged, limits.lost, benign=True),
        _side(judged, judged.benign & ~judged.flagged, limits.flagged, benign=False),
    )


def require_enough(events: int) -> None:
    """Raise InputError if there are too few validation events to choose anything by."""
    needed = round(1 / OOD_SHARE)
    if events < needed:
        raise InputError(
            f"{events:,} validation events to choose by what the first student may decide, expected at least {needed:,}"
        )


def least_sure(confidence: Floats) -> float:
    """Return the confidence below which the share of the events lies that may go to the full model by default.

    What is less sure than that is what a policy sends on, and the full model is for what both students doubt: the
    second is to be asked before.

    Parameters
    ----------
    confidence
        The second student's, calibrated, of the validation events, shape (n,).
    """
    return float(np.sort(confidence)[int(BUDGET * len(confidence))])


def ood_limits(first: Floats, second: Floats) -> tuple[float, float]:
    """Return the first student's limit of distance, and what scales it to the second's distance of the same share.

    Parameters
    ----------
    first, second
        Either student's distances of the validation events, shape (n,) each.

    Raises
    ------
    InputError
        Too few events to see the share once, or distances that are no numbers.
    """
    taught = (first != UNTAUGHT) & (second != UNTAUGHT)  # others are of a kind that neither may decide
    known = int(taught.sum())
    require_enough(known)
    passed_on = int(OOD_SHARE * known)
    limits = [float(np.sort(far[taught].astype(np.float64))[known - 1 - passed_on]) for far in (first, second)]
    if not all(np.isfinite(limits)):
        raise InputError("the distances of a student are no numbers; its training or its quantization failed")
    return limits[0], limits[1] / limits[0] if min(limits) > 0 else 1.0


def _side(judged: Judged, at_stake: Bools, limit: float, *, benign: bool) -> Side:
    """Find the boldest threshold at which, with 95 % confidence, at most `limit` of the events at stake go wrong.

    Learn then Test with a fixed sequence, in independent units (`stats.learn_then_test`), from the safest threshold,
    which decides nothing, to the boldest that `judged.least` allows. They are taken from the same events, which is
    allowed here since what goes wrong never grows with the threshold (see `checks.escalation.threshold.learned`).
    """
    tried = judged.tried
    sure = np.where(tried.known & (tried.benign == benign), tried.confidence, -np.inf).astype(np.float64)
    units = judged.units.take(at_stake)
    seen = np.unique(sure[np.isfinite(sure) & (sure >= judged.least)])[::-1]
    places = np.unique(np.linspace(0, max(len(seen) - 1, 0), CANDIDATES).round().astype(np.intp))
    thresholds = np.append(np.inf, seen[places[places < len(seen)]])
    losses = sure[at_stake][:, None] >= thresholds[None, :]
    boldest = learn_then_test(losses, units, limit, CONFIDENCE) if at_stake.any() else None
    needed = events_needed(limit, CONFIDENCE) if boldest is None else None
    if not boldest:  # only that which decides nothing passes, or not even that
        return Side(None, limit, CONFIDENCE, int(at_stake.sum()), units.count, 0, 0, needed)
    threshold = float(thresholds[boldest])
    decided = sure >= threshold
    wrong = int((decided & at_stake).sum())
    return Side(threshold, limit, CONFIDENCE, int(at_stake.sum()), units.count, wrong, int(decided.sum()))
