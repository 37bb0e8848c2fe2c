"""Compute the ROC curve of a model in counts, thinned so that it can be stored and still be drawn at any scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST = 200  # points of a curve that are kept


@dataclass(frozen=True)
class RocCurve:
    """How many benign events are flagged and attacks missed at some thresholds, from the strictest to the loosest.

    Attributes
    ----------
    benign, attacks
        Events of either kind.
    flagged
        Benign events above each threshold, rising from 0 to all.
    missed
        Attacks not above it, falling from all to 0.
    """

    benign: int
    attacks: int
    flagged: tuple[int, ...]
    missed: tuple[int, ...]

    def __post_init__(self) -> None:
        rising = list(self.flagged) == sorted(self.flagged) and list(self.missed) == sorted(self.missed, reverse=True)
        ends = [(counts[0], counts[-1]) for counts in (self.flagged, self.missed) if counts]
        whole = ends == [(0, self.benign), (self.attacks, 0)] and len(self.flagged) == len(self.missed)
        if not (rising and whole and min(self.benign, self.attacks) > 0):
            raise ValueError(f"no curve of {self.benign} benign events and {self.attacks} attacks, from end to end")


def roc_curve(score: NDArray[np.floating[Any]], attacks: NDArray[np.bool_], most: int = MOST) -> RocCurve:
    """Count what is flagged and missed above every distinct score, and keep at most so many of those points.

    Events of equal score are one step. Where there are too many points those are kept that lie evenly along the curve
    with both shares logarithmic: every decade of either gets its part, and each point that is kept is exact.

    Parameters
    ----------
    score
        Attack score of each event, without NaN, shape (n,).
    attacks
        Whether each is an attack, and else benign, shape (n,); there is one of either at least.
    """
    values, place = np.unique(score, return_inverse=True)
    total, kinds = int(attacks.sum()), (~attacks, attacks)
    good, bad = (np.append(0, np.cumsum(np.bincount(place, kind, len(values))[::-1])) for kind in kinds)
    points = np.array([good, total - bad]).astype(np.int64)
    points = points[:, _corners(*points)]
    if points.shape[1] > most:
        points = points[:, _evenly(points[0], points[1], most)]
    return RocCurve(len(score) - total, total, *(tuple(counts.tolist()) for counts in points))


def _corners(flagged: NDArray[np.int64], missed: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Leave out what lies on a straight line between its neighbours."""
    across, up = np.diff(flagged), np.diff(missed)
    turns = across[1:] * up[:-1] != across[:-1] * up[1:]
    return np.concatenate([[True], turns, [True]])


def _evenly(flagged: NDArray[np.int64], missed: NDArray[np.int64], most: int) -> NDArray[np.intp]:
    logarithms = (np.log(np.maximum(counts, 0.5)) for counts in (flagged, missed))
    length = np.concatenate([[0.0], np.cumsum(sum(np.abs(np.diff(part)) for part in logarithms))])
    marks = np.linspace(0.0, length[-1], most)
    return np.unique(np.minimum(np.searchsorted(length, marks), len(length) - 1))
