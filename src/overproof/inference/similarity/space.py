"""Place events in the space in which they are compared: as the model sees them, and as they are spelled.

What a head reads is made to tell classes apart: all attacks lie close together, whatever they are. So an embedding is
centred on the known events, and its directions are made more alike (whitening with a strong ridge, Kessy et al. 2018);
beside it stands how the text is spelled, which counts half as much among near events. Nothing here changes a verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overproof.bundle.arrays import from_npz, to_npz
from overproof.bundle.scores import Floats
from overproof.errors import InputError
from overproof.inference.similarity.spelling import WIDTH, Sums

SPELLED_WEIGHT = 0.2  # of the spelling beside the embedding where no space is fitted
COUNTS = 0.5  # of what the embedding does: with more, what the full model sees near is found less often, measured
LIGHTEST, HEAVIEST = 0.1, 1.0  # of that weight where one is: below, rounding to eight bits leaves nothing of it
NEAR = 10  # known events that are near one
SAMPLED = 2000  # known events, evenly drawn, by which the weight is chosen
RIDGE = 0.1  # of the largest variance, added to each
LEAST = 1e-9  # variance that the largest is taken for where known events hardly differ
FITTED = 256  # known events from which on a space is fitted to them
STEPS, LEVELS = 1 << 20, 1 << 15  # of an embedding's unit, of the largest weight: their products add up exactly

Reals = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Space:
    """How embeddings and spellings become what is compared.

    Embeddings and weights are whole numbers whose products add up exactly in float64, so that an event's place is the
    same in any batch.

    Attributes
    ----------
    mean
        Shape (hidden,), float64: in steps.
    weights
        Shape (hidden, hidden), float64: whitens an embedding; whole numbers.
    centre
        Shape (WIDTH,), float64: the mean spelling, of length at most 1.
    weight
        Of the spelling beside the embedding.
    """

    mean: Reals
    weights: Reals
    centre: Reals
    weight: float = SPELLED_WEIGHT

    @property
    def hidden(self) -> int:
        """Width of the embedding."""
        return len(self.mean)

    @property
    def width(self) -> int:
        """Width of what is compared."""
        return self.hidden + WIDTH

    @cached_property
    def _shift(self) -> Reals:
        return np.asarray(self.mean @ self.weights)

    def place(self, embeddings: Floats, spellings: Sums) -> Floats:
        """Return where events lie, shape (n, width).

        Parameters
        ----------
        embeddings
            Shape (n, hidden), each of length 1.
        spellings
            Shape (n, WIDTH); see `spelling.spelling`.
        """
        return np.hstack([self._seen(embeddings), self.weight * self.spelled(spellings)]).astype(np.float32)

    def _seen(self, embeddings: Floats) -> Reals:
        return of_length_1(np.rint(embeddings.astype(np.float64) * STEPS) @ self.weights - self._shift)

    def spelled(self, spellings: Sums) -> Floats:
        """Return where spellings lie by themselves, shape (n, WIDTH), each of length 1."""
        return of_length_1(of_length_1(spellings) - self.centre).astype(np.float32)

    def weighed(self, embeddings: Floats, spellings: Sums) -> Space:
        """Return the space in which spelling counts half as much as the embedding among these.

        What counts is how far an event's tenth nearest lies, as the median of them.
        """
        seen, spelled = (_how_far(rows) for rows in (self._seen(embeddings), self.spelled(spellings)))
        weight = np.sqrt(COUNTS * seen / max(spelled, LEAST)).clip(LIGHTEST, HEAVIEST)
        return replace(self, weight=round(float(weight), 3))

    def stored(self) -> bytes:
        """Return the content of the index's file: npz, plain arrays."""
        arrays = {"mean": self.mean, "weights": self.weights, "centre": self.centre}
        return to_npz({**arrays, "weight": np.array([self.weight])})


def fit_space(
    hidden: int, known: Iterable[tuple[Floats, Sums]], rows: int, sample: Callable[[], tuple[Floats, Sums]]
) -> Space:
    """Fit a space to known events, given block by block; to fewer than `FITTED` none is fitted.

    Parameters
    ----------
    known
        Embeddings and spellings, as in `Space.place`.
    rows
        How many they are in all.
    sample
        Gives those of them by which the spelling's weight is chosen.
    """
    if rows < FITTED:
        return Space(np.zeros(hidden), np.eye(hidden) * LEVELS, np.zeros(WIDTH))
    total, products, spelled = np.zeros(hidden), np.zeros((hidden, hidden)), np.zeros(WIDTH)
    for embeddings, spellings in known:
        part = embeddings.astype(np.float64)
        total += part.sum(axis=0)
        products += part.T @ part
        spelled += of_length_1(spellings).sum(axis=0)
    mean = total / rows
    variances, directions = np.linalg.eigh(products / rows - np.outer(mean, mean))
    whitening = directions / np.sqrt(variances.clip(0.0) + RIDGE * max(variances.max(), LEAST))
    levels = np.rint(whitening / np.abs(whitening).max() * LEVELS)
    return Space(np.rint(mean * STEPS), levels, spelled / rows).weighed(*sample())


def _how_far(rows: NDArray[Any]) -> float:
    """Return the median of the rows' distances, 1 less the cosine, to the tenth nearest of the others."""
    cosines = np.asarray(rows @ rows.T)
    place = len(rows) - NEAR - 1  # the row itself is its own nearest
    return float(np.median(1 - np.partition(cosines, place, axis=1)[:, place]).clip(0.0))


def restored(content: bytes, where: str) -> Space:
    """Read what `Space.stored` wrote; nothing in it can be code, and all of it is finite numbers.

    Raises
    ------
    BundleError, InputError
        If it is something else.
    """
    arrays = from_npz(content, ("mean", "weights", "centre", "weight"), where)
    mean, weights, centre, weight = arrays.values()
    hidden = len(mean) if mean.ndim == 1 else 0
    fits = hidden > 0 and [part.shape for part in arrays.values()] == [(hidden,), (hidden, hidden), (WIDTH,), (1,)]
    if not fits or any(part.dtype != np.float64 or not np.isfinite(part).all() for part in arrays.values()):
        raise InputError(
            f"{where}: expected mean (h,), weights (h, h), centre ({WIDTH},) and weight (1,), finite, in float64"
        )
    if max(np.abs(mean).max(), np.abs(weights).max()) > STEPS or not LIGHTEST <= weight[0] <= HEAVIEST:
        raise InputError(f"{where}: mean and weights lie beyond {STEPS}, or weight outside {LIGHTEST} to {HEAVIEST}")
    return Space(mean, weights, centre, float(weight[0]))


def of_length_1(rows: NDArray[np.generic]) -> Reals:
    """Scale each row to length 1; one of zeros stays one."""
    reals = rows.astype(np.float64)
    length = np.linalg.norm(reals, axis=1, keepdims=True)
    return np.asarray(reals / np.where(length > 0, length, 1))
