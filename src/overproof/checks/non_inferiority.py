"""Test whether more than a limit is lost: how gates fail, where slices are small, many and of few groups."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overproof.checks.interval_width import LEAST_GROUPS
from overproof.checks.stats import Units, lower_bound, tango, tango_p

Integers = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Counts:
    """n events; b that the full model alone gets right, c that the student alone does."""

    n: int
    b: int
    c: int


def counted(lost: Integers, units: Units) -> tuple[Counts, ...]:
    """Count some events, and for each way in which they hang together as many as would say as much if they did not.

    There all counts are divided by the design effect (Rao & Scott 1992) and rounded so that they say less.

    Parameters
    ----------
    lost
        1 where the full model alone is right, -1 where the student alone is, else 0; shape (n,).
    units
        How the events hang together.
    """
    n, b, c = len(lost), int((lost > 0).sum()), int((lost < 0).sum())
    effects = [_design_effect(lost, way) for way in units.ways] if b else []
    fewer = (Counts(math.ceil(n / by), math.floor(b / by), math.ceil(c / by)) for by in effects)
    return (Counts(n, b, c), *fewer)


def excess_p(counts: Counts, limit: float) -> float:
    """Return the one-sided p-value of H1: (b - c) / n > limit.

    The larger of two. Tango's score test (1998; the student's gain c - b against minus the limit) holds its size for
    any rate of gains, except far out in the tail where there are none: there it rejects up to 3.8 times too often
    (limit 0.05, 300 slices of 300 events). The binomial tail of the net loss is exact there. Together: 1.4 times.
    """
    from scipy import special

    n, b, c = counts.n, counts.b, counts.c
    tail = float(special.bdtrc(b - c - 1, n, limit)) if b > c else 1.0
    return max(tango_p(c, b, n, -limit), tail)


def least_loss(counts: Counts, confidence: float) -> float:
    """Return the one-sided lower limit of (b - c) / n, at least 0.

    Of what lies below, `excess_p` is at most 1 - confidence.
    """
    n, b, c = counts.n, counts.b, counts.c
    if b <= c:
        return 0.0
    return max(0.0, min(tango(b, c, n, 2 * confidence - 1).low, lower_bound(b - c, n, confidence)))


def _design_effect(lost: Integers, clusters: Integers) -> float:
    """Return by how much the variance of the mean exceeds that of independent events, at least 1.

    Where that cannot be seen, for few clusters or equal losses, it is that of clusters whose events are all alike.
    """
    _, cluster, size = np.unique(clusters, return_inverse=True, return_counts=True)
    n, k = len(lost), len(size)
    if k == n:
        return 1.0
    off = lost - lost.mean()
    within = float(np.square(off).sum()) * n / (n - 1)
    if k < LEAST_GROUPS or not within:
        return float(np.square(size).sum() / n)
    between = float(np.square(np.bincount(cluster, off)).sum()) * k / (k - 1)
    return max(1.0, between / within)
