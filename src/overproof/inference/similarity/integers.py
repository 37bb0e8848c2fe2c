"""Store embeddings in INT8: each row's largest number becomes ±127.

The scale is each row's own and is not kept, since a cosine does not depend on it. So a row is rounded by itself, no
range has to be known beforehand, and nothing is clipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overproof.bundle.scores import Floats
from overproof.errors import BundleError

Integers = NDArray[np.int8]
LEVELS = 127
EXACT = 1 << 24  # whole numbers up to here are exact in float32


def rounded(embeddings: Floats) -> Integers:
    """Each row in INT8, shape (n, hidden); a row of zeros stays one."""
    largest = np.abs(embeddings).max(axis=1, keepdims=True, initial=0)
    return np.rint(embeddings / np.where(largest > 0, largest, 1) * LEVELS).astype(np.int8)


def numbers(embeddings: Floats) -> Floats:
    """Return embeddings, shape (n, hidden); BundleError if one is no number, since it is like everything or nothing."""
    wrong = int((~np.isfinite(embeddings)).any(axis=1).sum())
    if wrong:
        raise BundleError(
            f"the bundle's model gives no finite embedding of {wrong:,} of {len(embeddings):,} events: what they are "
            "like cannot be told; expected a model that does, compress it again"
        )
    return embeddings


@dataclass(frozen=True)
class Wide:
    """Rows in a type of floats in which their products are exact, in any order of summation.

    Attributes
    ----------
    rows
        Shape (n, hidden).
    squared
        Squared length of each, shape (n,); that of a row of zeros is taken as 1.
    """

    rows: NDArray[Any]
    squared: NDArray[np.float64]

    def __getitem__(self, part: slice) -> Wide:
        return Wide(self.rows[part], self.squared[part])


def wide(rows: Integers) -> Wide:
    """Prepare the rows for `cosines`."""
    floats: NDArray[Any] = rows.astype(np.float32 if rows.shape[1] * LEVELS**2 < EXACT else np.float64)
    return Wide(floats, np.maximum((floats * floats).sum(axis=1), 1).astype(np.float64))


def cosines(a: Wide, b: Wide) -> NDArray[np.float64]:
    """Cosine of each row of `a` with each of `b`, shape (a, b): one does not hang on what else is compared."""
    return np.asarray((a.rows @ b.rows.T) / np.sqrt(np.outer(a.squared, b.squared)))
