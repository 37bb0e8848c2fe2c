"""Define what every way of searching shares."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from overproof.inference.similarity.integers import Integers


class Near(NamedTuple):
    """The rows nearest to one event, nearest first, and their cosines; of equal ones the lower row comes first."""

    rows: NDArray[np.intp]
    cosines: NDArray[np.float64]


class Write(Protocol):
    """Prepares a search among rows, in files of a folder whose names begin with `prefix`."""

    def __call__(self, rows: Integers, folder: Path, prefix: str = "") -> None: ...


class Open(Protocol):
    """Opens what `Write` prepared for these rows; ValueError where it is of others."""

    def __call__(self, rows: Integers, folder: Path, prefix: str = "") -> Search: ...


class Search(Protocol):
    """Finds the rows nearest to each query.

    Parameters
    ----------
    queries
        Shape (n, hidden), as `integers.rounded` gives them.
    k
        Rows wanted for each, from 1 to as many as there are.
    """

    def __call__(self, queries: Integers, k: int) -> list[Near]: ...


def best(found: NDArray[np.float64], k: int, rows: NDArray[np.intp] | None = None) -> Near:
    """Return the k best of one query's cosines, (candidates,); `rows` are the candidates' places, ascending."""
    least = np.partition(found, len(found) - k)[len(found) - k]
    chosen = np.flatnonzero(found >= least)
    order = chosen[np.argsort(-found[chosen], kind="stable")][:k]
    return Near(order if rows is None else rows[order], found[order])
