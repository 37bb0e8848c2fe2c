"""Turn text into what the linear baseline reads: hashed n-grams within words, as rows of length 1.

Nothing here is learned. `bytes` is what a new baseline reads: n-grams of bytes, a whole batch at once in numpy.
`scikit-learn` is what baselines read until version 0.1, n-grams of characters counted in a Python loop; it stays so
that those in old evidence stores are computed as they were trained.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

ROW_BITS = 18
FEATURES = 2**ROW_BITS
BATCH = 1024  # events: their keys stay in the cache, and an event's number and a row fit one 32-bit key
LONGEST = 4  # bytes of an n-gram
# One odd multiplier an n-gram's length, by multiplicative hashing (Knuth, TAOCP vol. 3, section 6.4); xxHash's primes.
MULTIPLIERS = (0x9E3779B1, 0x85EBCA6B, 0xC2B2AE35, 0x27D4EB2F)
SPACE = 0x20
_SPACES = bytes.maketrans(b"\t\n\v\f\r", bytes([SPACE] * 5))

Featurizer = Callable[[Sequence[str]], Iterator[csr_matrix]]


def byte_ngrams(texts: Sequence[str]) -> Iterator[csr_matrix]:
    """Yield, in batches, rows of 1 + log(count) of hashed 1- to 4-grams of bytes, each row made length 1.

    Bytes are UTF-8 (lone surrogates too), ASCII white space of every kind is one space, and each text stands between
    two. An n-gram counts where none of its inner bytes is a space and not both of its outer ones are, side by side: it
    lies within one word and may see the word's edges, as scikit-learn's `char_wb` does; a space alone counts before a
    word. A row depends on its own text alone. Shape (batch, FEATURES), float32.
    """
    for begin in range(0, len(texts), BATCH):
        yield _counted(texts[begin : begin + BATCH])


def _counted(texts: Sequence[str]) -> csr_matrix:
    """Count n-grams by sorting keys of an event's number (high bits) and its n-gram's row (low bits)."""
    coded = [b" %b " % text.encode("utf-8", "surrogatepass") for text in texts]
    lengths = np.fromiter(map(len, coded), np.intp, len(coded))
    joined = b"".join(coded).translate(_SPACES) + b" " * (LONGEST - 1)
    keys = _keys(np.frombuffer(joined, np.uint8), lengths)
    keys.sort()
    first = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])) if len(keys) else np.zeros(0, np.intp)
    values = 1 + np.log(np.diff(first, append=len(keys)).astype(np.float32))
    keys = keys[first]
    events = keys >> np.uint32(ROW_BITS)
    values /= np.sqrt(np.bincount(events, values**2, len(texts))).astype(np.float32)[events]
    ends = np.searchsorted(events, np.arange(len(texts) + 1, dtype=np.uint32))
    rows = (keys & np.uint32(FEATURES - 1)).astype(np.int32)
    return csr_matrix((values, rows, ends.astype(np.int32)), shape=(len(texts), FEATURES))


def _keys(joined: NDArray[np.uint8], lengths: NDArray[np.intp]) -> NDArray[np.uint32]:
    """Hash the n-grams at every place that count; the text's own spaces keep those of two events apart."""
    places = len(joined) - (LONGEST - 1)
    at = [joined[k : k + places] for k in range(LONGEST)]
    space = [byte == SPACE for byte in at]
    inner = space[1] | space[2]
    counts = [~(space[0] & space[1])] * 2 + [~space[1], ~inner]
    owner = np.repeat(np.arange(len(lengths), dtype=np.uint32) << np.uint32(ROW_BITS), lengths)
    word = np.zeros(places, dtype=np.uint32)
    keys = []
    for k, multiplier in enumerate(MULTIPLIERS):
        word |= at[k].astype(np.uint32) << np.uint32(8 * k)
        rows = (word * np.uint32(multiplier)) >> np.uint32(32 - ROW_BITS)
        keys.append((rows | owner)[counts[k]])
    return np.concatenate(keys)


def character_ngrams(texts: Sequence[str]) -> Iterator[csr_matrix]:
    """Yield the same of characters, as scikit-learn hashes and counts them, all in one batch."""
    from sklearn.preprocessing import normalize

    if texts:
        counts = csr_matrix(_hasher().transform(texts))
        counts.data = np.log(counts.data) + 1
        yield csr_matrix(normalize(counts, copy=False))


@cache
def _hasher() -> Any:
    from sklearn.feature_extraction.text import HashingVectorizer

    return HashingVectorizer(
        analyzer="char_wb",
        lowercase=False,
        ngram_range=(1, LONGEST),
        n_features=FEATURES,
        alternate_sign=False,
        norm=None,
        dtype=np.float32,
    )


BYTES, SCIKIT_LEARN = "bytes", "scikit-learn"
FEATURIZERS: Mapping[str, Featurizer] = {BYTES: byte_ngrams, SCIKIT_LEARN: character_ngrams}
