"""Bootstrap: see how far a statistic moves when the events are drawn again, in strata and whole clusters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overproof.checks.stats.proportions import Interval

Rows = NDArray[np.intp]
Labels = Sequence[object] | NDArray[Any]


@dataclass(frozen=True)
class Resampling:
    """How rows are drawn again.

    Attributes
    ----------
    strata
        Stratum of each row, shape (n,), of anything that can be hashed.
    clusters
        Cluster of each row, shape (n,); without it every row is one. A cluster belongs to its first row's stratum.
    draws, seed
        How often, and the seed of the random numbers.
    """

    strata: Labels
    clusters: Labels | None = None
    draws: int = 2000
    seed: int = 0


def bootstrap(statistic: Callable[[Rows], float], resampling: Resampling, confidence: float = 0.95) -> Interval:
    """Return the percentile interval of a statistic over rows (Efron & Tibshirani 1993, ch. 13).

    Every stratum is drawn from itself, as many clusters as it has, with replacement and whole (Davison & Hinkley
    1997, section 3.8: rows of one cluster vary together). The interval is too narrow where a stratum has few clusters.
    For a paired comparison let the statistic compute the difference on the rows it is given.

    Parameters
    ----------
    statistic
        Takes row numbers, of varying count where clusters differ in size, in no order that means anything. A draw for
        which it is NaN is left out.
    resampling
        Strata and clusters of the rows, and how often they are drawn.

    Returns
    -------
    Interval
        Its value is the statistic of all rows, which a percentile interval need not hold.

    Raises
    ------
    ValueError
        If there are no rows, the lengths differ, `confidence` lies outside (0, 1), draws < 1, or the statistic is NaN
        for all rows or for more than half of the draws.
    """
    strata, draws = resampling.strata, resampling.draws
    if not len(strata) or draws < 1 or not 0 < confidence < 1:
        raise ValueError(f"{draws} draws of {len(strata)} rows at a confidence of {confidence}")
    value = float(statistic(np.arange(len(strata))))
    redraw, random = _sampler(strata, resampling.clusters), np.random.default_rng(resampling.seed)
    drawn = np.array([statistic(redraw(random)) for _ in range(draws)], dtype=np.float64)
    known = drawn[~np.isnan(drawn)]
    if np.isnan(value) or 2 * len(known) < draws:
        raise ValueError(f"the statistic is {value} for all rows, and NaN for {draws - len(known)} of {draws} draws")
    low, high = np.quantile(known, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(value, float(low), float(high))


def _sampler(strata: Labels, clusters: Labels | None) -> Callable[[np.random.Generator], Rows]:
    """Make a function that draws row numbers; all that does not change between draws is done here."""
    n = len(strata)
    cluster = np.arange(n) if clusters is None else _codes(clusters)
    if len(cluster) != n:
        raise ValueError(f"{n} strata but {len(cluster)} clusters: one of each is needed for every row")
    rows = np.argsort(cluster, kind="stable")
    size = np.bincount(cluster)
    start = np.cumsum(size) - size
    stratum = _codes(strata)[rows[start]]
    by_stratum = np.argsort(stratum, kind="stable")
    size, start = size[by_stratum], start[by_stratum]
    members = np.bincount(stratum)  # 0 for a stratum that only later rows of clusters name
    first, count = np.repeat(np.cumsum(members) - members, members), np.repeat(members, members)

    def redraw(random: np.random.Generator) -> Rows:
        # random() is below 1, but its product with a large count may round up to it
        chosen = first + np.minimum((random.random(len(count)) * count).astype(np.intp), count - 1)
        if clusters is None:
            return np.asarray(rows[start[chosen]])
        sizes = size[chosen]
        offset = start[chosen] - (np.cumsum(sizes) - sizes)
        return np.asarray(rows[np.repeat(offset, sizes) + np.arange(sizes.sum())])

    return redraw


def _codes(labels: Labels) -> Rows:
    """Give each label a number, from 0 in order of first appearance; they may be of mixed types."""
    known: dict[object, int] = {}
    values = labels.tolist() if isinstance(labels, np.ndarray) else labels
    return np.array([known.setdefault(value, len(known)) for value in values], dtype=np.intp)
