"""Hold the windows that texts are judged in, as a model's file takes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

INPUT, NGRAMS_INPUT = "input_ids", "ngrams"  # names in every model file that overproof writes
TOKENS_PER_RUN = 512  # activations of one run stay in the cache: measured, as is that more lengths beat padding
NGRAM_ROWS_PER_RUN = 256


@dataclass(frozen=True)
class Windows:
    """Windows of n events; as tokens, as sums over hashed n-grams, or as both.

    Attributes
    ----------
    owner
        Shape (windows,): the event each window belongs to, ascending.
    overflow
        Shape (n,): the event has text that no window covers.
    ids
        One token list a window, [CLS] first, never padded; None for a model that reads no tokens.
    ngrams
        Shape (windows, width): what `NgramTable.pooled` gives of each window; None for a model that reads none.
    content
        All bytes of the windows one after the other, markers included, and where each starts, shape (windows + 1,);
        None where the tokens tell them.
    """

    owner: NDArray[np.int32]
    overflow: NDArray[np.bool_]
    ids: list[list[int]] | None = None
    ngrams: Floats | None = None
    content: tuple[NDArray[np.uint8], NDArray[np.int64]] | None = None

    def __len__(self) -> int:
        return len(self.owner)

    @property
    def per_event(self) -> NDArray[np.int32]:
        """Count the windows of each event, shape (n,)."""
        return np.bincount(self.owner, minlength=len(self.overflow)).astype(np.int32)

    def batches(self) -> Iterator[tuple[NDArray[np.intp], dict[str, NDArray[np.generic]]]]:
        """Yield places of windows and a model's input for them; a window's input does not depend on the others."""
        if self.ids is None:
            assert self.ngrams is not None  # what a reader returns holds one of the two
            for start in range(0, len(self), NGRAM_ROWS_PER_RUN):
                rows = np.arange(start, min(start + NGRAM_ROWS_PER_RUN, len(self)))
                yield rows, {NGRAMS_INPUT: self.ngrams[start : start + NGRAM_ROWS_PER_RUN]}
            return
        for rows, ids in _of_one_length(self.ids):
            yield rows, {INPUT: ids} if self.ngrams is None else {INPUT: ids, NGRAMS_INPUT: self.ngrams[rows]}


def deciding_windows(attack: Floats, owner: NDArray[np.int32]) -> NDArray[np.intp]:
    """Return each event's first window with its highest attack probability, shape (events,).

    Parameters
    ----------
    attack, owner
        Shape (windows,): of each window the probability, and its event: 0, 1, … without a gap, ascending.
    """
    order = np.lexsort((np.arange(len(attack)), -attack, owner))
    per_event = np.bincount(owner)
    return np.asarray(order[np.cumsum(per_event) - per_event])


def _of_one_length(ids: list[list[int]]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.int64]]]:
    """Batches of windows of one length each, with their places: nothing is padded, so no padding can matter."""
    if len(ids) == 1:  # a single event's, for the sake of its time
        yield np.zeros(1, dtype=np.intp), np.array(ids, dtype=np.int64)
        return
    lengths = np.fromiter(map(len, ids), dtype=np.int64, count=len(ids))
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        size = max(1, TOKENS_PER_RUN // int(length))
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            yield part, np.array([ids[row] for row in part], dtype=np.int64)
