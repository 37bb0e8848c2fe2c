"""Detect events out of distribution, by their distance to the nearest class in the student's embedding.

Confidence does not tell: a network may be sure of what it has never met.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from overproof.bundle.arrays import from_npz, to_npz
from overproof.bundle.scores import Floats
from overproof.errors import BundleError

RANK = 64  # directions, those in which known events of one class differ most; all 256 find one or two in a hundred more
RIDGE = 1e-3  # of the largest variance, added to each: directions in which nothing varies would outweigh all others
LEAST = 1e-6  # variance that the greatest is taken for where the known events hardly differ
LEVELS = 127  # INT8, symmetric
EXACT = 1 << 24  # up to here float32 holds every whole number
ROWS = 256  # of one step, so that the differences to all classes stay in the cache
PRODUCTS = 1 << 18  # of one call: for more of them OpenBLAS takes a second thread, which is another worker's core


@dataclass(frozen=True, eq=False)
class OodDetector:
    """Gaussians around the classes, all of one covariance, in the leading directions of one model's embedding.

    The matrix that whitens is kept in INT8, and embeddings are rounded to whole steps before it, so that the products
    add up to whole numbers that float32 holds: the distance of one event is the same in any batch.

    Attributes
    ----------
    weights
        Shape (hidden, rank), int8: whitens an embedding.
    scales
        Shape (rank,), float32: of each column.
    means
        Shape (classes, rank), float32: of the classes' embeddings, whitened.
    """

    weights: NDArray[np.int8]
    scales: Floats
    means: Floats

    @property
    def hidden(self) -> int:
        """Width of the embedding."""
        return len(self.weights)

    @cached_property
    def _weights(self) -> Floats:
        return self.weights.astype(np.float32)

    def distance(self, embeddings: Floats) -> Floats:
        """Return the Mahalanobis distance of each embedding to the nearest class, shape (n,) (Lee et al. 2018, eq. 2).

        It is no finite number where the embedding holds one that is none.

        Parameters
        ----------
        embeddings
            Shape (n, hidden), each of length 1.
        """
        found = np.empty(len(embeddings), dtype=np.float32)
        for start in range(0, len(embeddings), ROWS):
            with np.errstate(invalid="ignore", over="ignore"):  # what is no number stays none: `cascade.policy`
                part = self._whitened(embeddings[start : start + ROWS])
                apart = part[:, None, :] - self.means
                found[start : start + ROWS] = np.sqrt(np.square(apart).sum(axis=2).min(axis=1))
        return found

    def _whitened(self, embeddings: Floats) -> Floats:
        steps = _steps(self.hidden)
        rounded = np.rint(embeddings * np.float32(steps))
        sums = np.empty((len(rounded), len(self.scales)), dtype=np.float32)
        rows = max(1, PRODUCTS // self.weights.size)
        for start in range(0, len(rounded), rows):
            np.matmul(rounded[start : start + rows], self._weights, out=sums[start : start + rows])
        return sums * (self.scales / np.float32(steps))

    def stored(self) -> bytes:
        """Return the content of the bundle's file: npz, plain arrays."""
        return to_npz({"weights": self.weights, "scales": self.scales, "means": self.means})


def fit_detector(embeddings: Floats, labels: Sequence[str]) -> OodDetector:
    """Fit a detector to the embeddings of the events that were taught.

    Source: Lee et al. 2018, A simple unified framework for detecting out-of-distribution samples, eq. 1; of the
    covariance the leading principal components, with a ridge.

    Parameters
    ----------
    embeddings
        Shape (n, hidden), n at least 1, each of length 1.
    labels
        The class of each.
    """
    known, of = np.unique(np.asarray(labels, dtype=np.str_), return_inverse=True)
    e = np.asarray(embeddings, dtype=np.float64)
    means = np.stack([e[of == i].mean(axis=0) for i in range(len(known))])
    apart = e - means[of]
    variances, directions = np.linalg.eigh(apart.T @ apart / len(e))
    spread = np.sqrt(variances.clip(0.0) + RIDGE * max(variances.max(), LEAST))
    whitening = (directions / spread)[:, -RANK:]
    scales = np.abs(whitening).max(axis=0) / LEVELS
    bare = OodDetector(
        np.rint(whitening / scales).astype(np.int8), scales.astype(np.float32), np.empty((0, 0), np.float32)
    )
    return OodDetector(bare.weights, bare.scales, bare._whitened(means.astype(np.float32)))


def restored(content: bytes, where: str) -> OodDetector:
    """Read what `OodDetector.stored` wrote; nothing in it can be code, and all of it is finite numbers.

    Raises
    ------
    BundleError
        If it is something else.
    """
    arrays = from_npz(content, ("weights", "scales", "means"), where)
    found = OodDetector(arrays["weights"], arrays["scales"], arrays["means"])
    shapes = found.weights.ndim == found.means.ndim == 2 and len(found.means) and len(found.weights)
    shapes = shapes and found.scales.shape == found.weights.shape[1:] == found.means.shape[1:]
    names = [part.dtype.name for part in (found.weights, found.scales, found.means)]
    if not (shapes and names == ["int8", "float32", "float32"]):
        raise BundleError(f"{where}: expected weights (h, r) in int8, scales (r,) and means (classes, r) in float32")
    if not np.isfinite(found.means).all():
        raise BundleError(f"{where}: means hold NaN or infinity, expected finite numbers")
    if not (np.isfinite(found.scales) & (found.scales > 0)).all():
        raise BundleError(f"{where}: scales hold NaN, infinity or what is not above 0, expected finite numbers above 0")
    return found


@lru_cache
def _steps(hidden: int) -> int:
    """Return the steps of an embedding's unit: the finest whose products with INT8 weights add up exactly.

    Their sum is at most that of the amounts, which for an embedding of length 1 is at most the root of its width.
    """
    steps = 1
    while LEVELS * (2 * steps * math.sqrt(hidden) + hidden / 2) <= EXACT:
        steps *= 2
    return steps
