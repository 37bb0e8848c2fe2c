"""Bound shares of events that hang together: copies, and events of one campaign, are no further evidence.

Events may hang together in several ways, as those of one group do, or near-duplicates. In each way they fall into
units, and it is the units that are taken as independent draws: a unit counts once, however many events it has, and one
that is partly lost counts as that part. An interval is the widest of those that plain events and each way give. Where
every unit is a single event they are all the same, the ordinary one.

What is assumed: units are drawn independently. What is bounded is the share of units, whatever their sizes; it is the
share of events too where the size of a unit tells nothing of how it is judged. Plain events are among the ways so that
a large unit that was lost cannot hide behind many small ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overproof.checks.stats.proportions import Interval, lower_bound, tango, upper_bound

Codes = NDArray[np.intp]
Rows = NDArray[Any]  # row numbers, or a mask

DRAWS = 20_000
STEPS = 256


@dataclass(frozen=True)
class Units:
    """The ways in which n events hang together.

    Attributes
    ----------
    n
        How many events there are.
    ways
        For each way the unit of every event, shape (n,) each, numbered from 0 with none left out. Empty where all
        events are independent.
    """

    n: int
    ways: tuple[Codes, ...] = ()

    @classmethod
    def of(cls, n: int, *labels: Sequence[object]) -> Units:
        """Give the units of each way numbers.

        Parameters
        ----------
        labels
            What the events of a unit share, for each way, n of them; None is an event that is a unit of its own.
        """
        return cls(n, tuple(_codes(part) for part in labels))

    def take(self, rows: Rows) -> Units:
        """Return the units of some of the events: a unit counts with what of it is among them."""
        chosen = np.flatnonzero(rows) if np.asarray(rows).dtype == np.bool_ else np.asarray(rows)
        return Units(len(chosen), tuple(np.unique(way[chosen], return_inverse=True)[1] for way in self.ways))

    @property
    def count(self) -> int:
        """The number of independent units: in the way that has fewest."""
        return min((_size(way) for way in self.ways), default=self.n)

    def coarsest(self) -> Codes:
        """Return the unit of every event in the way that has fewest units, shape (n,): clusters for a bootstrap."""
        return min(self.ways, key=_size, default=np.arange(self.n, dtype=np.intp))

    def joined(self) -> Codes:
        """Join what hangs together in any way, or over several steps: the component of every event, shape (n,).

        For parting events so that nothing on one side hangs together with the other.
        """
        from scipy import sparse

        if not self.ways:
            return np.arange(self.n, dtype=np.intp)
        starts = np.cumsum([self.n, *(_size(way) for way in self.ways)])
        rows = np.tile(np.arange(self.n), len(self.ways))
        columns = np.concatenate([way + start for way, start in zip(self.ways, starts, strict=False)])
        links = sparse.coo_matrix((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(starts[-1], starts[-1]))
        return np.asarray(sparse.csgraph.connected_components(links, directed=False)[1][: self.n], dtype=np.intp)

    def means(self, value: NDArray[Any]) -> Iterator[NDArray[np.float64]]:
        """Yield the values of plain events, and for each way those of its units: a unit has the mean of its events.

        Parameters
        ----------
        value
            Of each event, shape (n,).
        """
        yield np.asarray(value, dtype=np.float64)
        for way in self.ways:
            yield np.bincount(way, value) / np.bincount(way)

    def sums(self, *values: NDArray[Any]) -> Iterator[tuple[int, tuple[float, ...]]]:
        """Yield for plain events, and for each way, how many there are and what the values of each add up to."""
        for found in zip(*(self.means(value) for value in values), strict=True):
            yield len(found[0]), tuple(float(part.sum()) for part in found)


def share_within(hit: NDArray[np.bool_], units: Units, confidence: float = 0.95, times: float = 1) -> Interval:
    """Bound a share: the value is that of the events, the ends are the widest of all ways.

    Units that are wholly hit or not are counted exactly (Clopper & Pearson 1934); of others the mean is bounded by
    `mean_bound`, which is the same there.

    Parameters
    ----------
    hit
        Of each event, whether it counts, shape (n,), n at least 1.
    confidence
        Of the interval; each end holds alone with (1 + confidence) / 2.
    times
        Give the interval that so many times as many events would have, of which the same share counted.
    """
    side = (1 + confidence) / 2
    found = list(units.means(hit))
    high = max(_share_at_most(values, side, times) for values in found)
    low = min(_share_at_least(values, side, times) for values in found)
    return Interval(float(found[0].mean()), low, high)


def difference_within(
    lost: NDArray[np.integer[Any]], units: Units, confidence: float = 0.95, times: float = 1
) -> Interval:
    """Bound a paired difference, the widest of all ways.

    By Tango's score interval (1998) where all events of a unit went the same way, else by `mean_bound` of its mean.

    Parameters
    ----------
    lost
        1 where only the first model is right, -1 where only the second is, else 0; shape (n,), n at least 1.
    confidence, times
        As for `share_within`.
    """
    found = [_difference_within(values, confidence, times) for values in units.means(lost)]
    return Interval(found[0].value, min(part.low for part in found), max(part.high for part in found))


def mean_bound(values: NDArray[np.float64], confidence: float, *, least: float, times: float = 1) -> float:
    """Bound the mean of independent variables between `least` and 1 from above, one-sided.

    The quantile of the mean by random weights (uniform on the simplex) of the values and of one more that is 1: what
    was never seen may be the worst. For zeros and ones this is Clopper & Pearson's bound exactly. Gaffke (2005)
    conjectured that it covers the mean of any such variables at least as often as it says; Learned-Miller & Thomas
    (2019) and `bench/proof.py` found no exception. It is computed by 20,000 draws that are always the same.

    Parameters
    ----------
    values
        Shape (n,), n at least 1.
    times
        Give the bound that so many times as many of them would have.
    """
    known = np.ceil((values - least) / (1 - least) * STEPS) / STEPS  # rounded up, so that few values are distinct
    distinct, counts = np.unique(known, return_counts=True)
    return least + (1 - least) * _random_weights(tuple(distinct.tolist()), tuple((times * counts).tolist()), confidence)


@lru_cache(maxsize=1 << 12)  # 60 MB at most; one check asks for a fifth of them again, one of the same events for all
def _random_weights(distinct: tuple[float, ...], counts: tuple[float, ...], confidence: float) -> float:
    """Return the quantile of the mean that `mean_bound` draws, of values that are there so often, and one more of 1."""
    shapes = np.append(counts, 1.0)
    weights = np.random.default_rng(0).standard_gamma(shapes, (DRAWS, len(shapes)))
    means = weights @ np.append(distinct, 1.0) / weights.sum(axis=1)
    safe = confidence + 3 * math.sqrt(confidence * (1 - confidence) / DRAWS)  # what the draws may be off
    return float(np.quantile(means, min(safe, 1.0), method="higher"))


def difference_of(
    sums: Iterable[tuple[int, tuple[float, ...]]], confidence: float = 0.95, times: float = 1
) -> Interval:
    """Bound a paired difference by what `Units.sums` counted of either side (see `difference_within`)."""
    found = [tango(times * b, times * c, times * n, confidence) for n, (b, c) in sums]
    return Interval(found[0].value, min(part.low for part in found), max(part.high for part in found))


def _share_at_most(values: NDArray[np.float64], confidence: float, times: float) -> float:
    if _whole(values):
        return upper_bound(times * float(values.sum()), times * len(values), confidence)
    return mean_bound(values, confidence, least=0.0, times=times)


def _share_at_least(values: NDArray[np.float64], confidence: float, times: float) -> float:
    if _whole(values):
        return lower_bound(times * float(values.sum()), times * len(values), confidence)
    return 1 - mean_bound(1 - values, confidence, least=0.0, times=times)


def _whole(values: NDArray[np.float64]) -> bool:
    return bool(((values == 0) | (values == 1)).all())


def _difference_within(values: NDArray[np.float64], confidence: float, times: float) -> Interval:
    n, b, c = len(values), int((values == 1).sum()), int((values == -1).sum())
    if b + c + int((values == 0).sum()) == n:
        return tango(times * b, times * c, times * n, confidence)
    side = (1 + confidence) / 2
    high, low = (mean_bound(sign * values, side, least=-1.0, times=times) for sign in (1, -1))
    return Interval(float(values.mean()), -low, high)


def _codes(labels: Sequence[object]) -> Codes:
    """Give labels, which may be of mixed types, numbers from 0 on; each None gets one of its own."""
    known: dict[object, int] = {}
    keys = [(i, None) if label is None else (-1, label) for i, label in enumerate(labels)]
    return np.array([known.setdefault(key, len(known)) for key in keys], dtype=np.intp)


def _size(way: Codes) -> int:
    return int(way.max()) + 1 if len(way) else 0
