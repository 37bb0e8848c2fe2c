"""Write down how a text is spelled as a few numbers: which byte n-grams stand in it, not how often.

Each n-gram has signs of its own, drawn once for all, and a text's numbers are their sums: texts that share n-grams have
like numbers (Achlioptas 2003, random projections of signs). Sums of whole numbers are the same in any order, so that a
text has the same numbers in any batch, on any machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from overproof.bundle.ngrams import cut_bytes, ngram_rows
from overproof.bundle.tokenizer import Windowing

WIDTH = 256  # numbers of a text; with half as many, half of what is spelled like nothing known went unnoticed
SPELLED = 4096  # bytes of a text that are looked at
ROWS = 1 << 14  # that n-grams are hashed to
BLOCK = 1 << 16  # n-grams of one step

Sums = NDArray[np.int16]


def spelling(texts: Sequence[str]) -> Sums:
    """Return the sums of the signs of each text's distinct n-grams of 1 to 4 bytes, shape (n, WIDTH)."""
    found = np.zeros((len(texts), WIDTH), dtype=np.int16)  # of at most 4 · SPELLED signs
    if not len(texts):
        return found
    windows = cut_bytes([text[:SPELLED] for text in texts], Windowing(SPELLED, 0, 1))
    rows, starts = ngram_rows(windows.data, windows.starts, ROWS)
    for first, behind in _blocks(starts):
        part = rows[starts[first] : starts[behind]]
        owner = np.repeat(np.arange(behind - first), np.diff(starts[first : behind + 1]))
        distinct = np.unique(owner * ROWS + part)
        begins = np.searchsorted(distinct, np.arange(behind - first) * ROWS)
        found[first:behind] = np.add.reduceat(_SIGNS[distinct % ROWS], begins, axis=0, dtype=np.int16)
    return found


def _blocks(starts: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Yield the first text of each block and the one behind it; a text has an n-gram at least."""
    first, texts = 0, len(starts) - 1
    while first < texts:
        behind = int(np.searchsorted(starts, starts[first] + BLOCK, side="right")) - 1
        yield first, max(behind, first + 1)
        first = max(behind, first + 1)


def _signs() -> NDArray[np.int8]:
    """Return 1 or -1 for each row and number: the bits of SplitMix64 (Steele et al. 2014), counted from 1."""
    words = np.arange(1, ROWS * WIDTH // 64 + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    words ^= words >> np.uint64(31)
    bits = np.unpackbits(words.astype("<u8").view(np.uint8)).reshape(ROWS, WIDTH)
    return bits.astype(np.int8) * 2 - 1


_SIGNS = _signs()
