"""Bound shares of events that hang together: copies, and events of one campaign, are no further evidence.

Events may hang together in several ways, as those of one group do, or near-duplicates. In each way they fall into
units, and it is the units that are taken as independent draws: a unit counts once, however many events it has, and one
that is partly lost counts as that part. An interval is the widest of those that plain events and each way give. Where
every unit is a single event they are all the same, the ordinary one.

What is assumed: units are drawn independently, and how large one is tells nothing of how it is judged. Plain events are
among the ways so that a large unit that was lost cannot hide behind many small ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overproof.checks.stats.proportions import Interval, lower_bound, tango, upper_bound

Codes = NDArray[np.intp]
Rows = NDArray[Any]  # row numbers, or a mask


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

    def sums(self, *values: NDArray[Any]) -> Iterator[tuple[int, tuple[float, ...]]]:
        """Yield for plain events, and for each way, how many there are and what the values add up to.

        Of a unit the mean of its events counts.

        Parameters
        ----------
        values
            A value of each event, shape (n,) each.
        """
        yield self.n, tuple(float(value.sum()) for value in values)
        for way in self.ways:
            sizes = np.bincount(way)
            yield len(sizes), tuple(float((np.bincount(way, value) / sizes).sum()) for value in values)


def share_within(hit: NDArray[np.bool_], units: Units, confidence: float = 0.95) -> Interval:
    """Bound a share: the value is that of the events, the ends are the widest of all ways.

    Source: Clopper & Pearson 1934, at real-valued counts. For units that are wholly hit or not it is exact. For others
    no smaller bound of the mean of [0, 1] variables is known to hold in general that coincides with it there: it is
    at least Gaffke's (2005; Learned-Miller & Thomas 2019), whose coverage was never seen to fall short, since a
    Dirichlet mean of parts spreads less than one of zeros and ones with the same sum.

    Parameters
    ----------
    hit
        Of each event, whether it counts, shape (n,), n at least 1.
    confidence
        Of the interval; each end holds alone with (1 + confidence) / 2.
    """
    side = (1 + confidence) / 2
    ends = [(lower_bound(k, n, side), upper_bound(k, n, side)) for n, (k,) in units.sums(hit)]
    return Interval(float(np.mean(hit)), min(low for low, _ in ends), max(high for _, high in ends))


def share_at_most(hit: NDArray[np.bool_], units: Units, confidence: float = 0.95) -> float:
    """Return the one-sided upper bound of a share (see `share_within`)."""
    return max(upper_bound(k, n, confidence) for n, (k,) in units.sums(hit))


def difference_within(lost: NDArray[np.integer[Any]], units: Units, confidence: float = 0.95) -> Interval:
    """Bound a paired difference by Tango's score interval (1998) at real-valued counts, the widest of all ways.

    Parameters
    ----------
    lost
        1 where only the first model is right, -1 where only the second is, else 0; shape (n,), n at least 1.
    """
    found = [tango(b, c, n, confidence) for n, (b, c) in units.sums(lost > 0, lost < 0)]
    return Interval(found[0].value, min(part.low for part in found), max(part.high for part in found))


def _codes(labels: Sequence[object]) -> Codes:
    """Give labels, which may be of mixed types, numbers from 0 on; each None gets one of its own."""
    known: dict[object, int] = {}
    keys = [(i, None) if label is None else (-1, label) for i, label in enumerate(labels)]
    return np.array([known.setdefault(key, len(known)) for key in keys], dtype=np.intp)


def _size(way: Codes) -> int:
    return int(way.max()) + 1 if len(way) else 0
