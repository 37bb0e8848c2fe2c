"""Show how small students read: n-grams that are summed, tokens that look at each other, and what a sum is made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from overproof.bundle.ngrams import ROWS, NgramTable, cut_bytes, ngram_rows
from overproof.bundle.readers import HybridReader, NgramReader, Reader, TokenReader
from overproof.bundle.tokenizer import Windowing
from overproof.lesson.miniature import BENIGN, Miniature, framed, trigram_rows, trigrams

COLUMNS = 4  # of a table's sums that are shown
WHOLE = Windowing(size=1 << 20, overlap=0, limit=1)


@dataclass(frozen=True)
class Counted:
    """How many n-grams of 1 to 4 bytes a text has.

    Attributes
    ----------
    size
        Its bytes, without the markers around them.
    ngrams, rows
        Its n-grams, and how many rows of the table they read.
    """

    text: str
    size: int
    ngrams: int
    rows: int


def counted(text: str, rows: int = ROWS) -> Counted:
    """Count what an n-gram student reads of a text."""
    windows = cut_bytes([text], WHOLE)
    found, _ = ngram_rows(windows.data, windows.starts, rows)
    return Counted(text, len(windows.data) - 2, len(found), len(np.unique(found)))


@dataclass(frozen=True)
class Summed:
    """What a bundle's table makes of a text.

    Attributes
    ----------
    counted
        Of the text.
    table
        Rows and columns.
    forward, backward
        The first columns of the sum, in the order of the text and in the opposite one.
    read
        The same by the root of the number of n-grams, times the column's scale: what the model reads.
    """

    counted: Counted
    table: tuple[int, int]
    forward: tuple[int, ...]
    backward: tuple[int, ...]
    read: tuple[float, ...]


def summed(table: NgramTable, text: str) -> Summed:
    """Add up the rows of a text's n-grams, twice: sums of whole numbers are the same in any order."""
    windows = cut_bytes([text], WHOLE)
    rows, _ = ngram_rows(windows.data, windows.starts, len(table.weights))
    sums, _ = table.sums(windows.data, windows.starts)
    backward = table.weights[rows[::-1]].astype(np.int32).sum(axis=0)
    return Summed(
        counted(text, len(table.weights)),
        (table.weights.shape[0], table.weights.shape[1]),
        tuple(sums[0, :COLUMNS].tolist()),
        tuple(backward[:COLUMNS].tolist()),
        tuple(table.pooled(windows.data, windows.starts)[0, :COLUMNS].tolist()),
    )


@dataclass(frozen=True)
class Reading:
    """How a bundle reads an event: its tokens, the sums of its n-grams, or both; None of what it does not read."""

    text: str
    tokens: tuple[str, ...] | None
    sums: Summed | None


def reading(reader: Reader, text: str) -> Reading:
    """Read a text as a bundle does; of a long one, what its first window holds."""
    tokens = tuple(reader.spell(reader.read([text]), 0)) if isinstance(reader, TokenReader | HybridReader) else None
    sums = summed(reader.table, text) if isinstance(reader, NgramReader | HybridReader) else None
    return Reading(text, tokens, sums)


@dataclass(frozen=True)
class Part:
    """What one row of the miniature's weights adds to a score: its trigrams, how often they occur, what it adds."""

    trigrams: tuple[str, ...]
    times: int
    adds: float


@dataclass(frozen=True)
class Score:
    """A score of the model in miniature, taken apart.

    Attributes
    ----------
    text
        The event.
    over
        The likeliest class that is not benign, whose logit less that of the benign class is the score.
    parts
        What adds most first, either way.
    total
        The score itself, as the model computes it.
    """

    text: str
    over: str
    parts: tuple[Part, ...]
    total: float


def taken_apart(small: Miniature, text: str) -> Score:
    """Say what each trigram adds to the score of a text."""
    (x,) = trigrams([text])
    logits = small.distilled.judge([text])[0]
    benign = small.classes.index(BENIGN)
    other = max((c for c in range(len(small.classes)) if c != benign), key=lambda c: float(logits[c]))
    adds = x.astype(np.float64) * (small.weights[:, other].astype(np.float64) - small.weights[:, benign])
    spelled = _spelled(text)
    parts = [
        Part(tuple(dict.fromkeys(spelled[k])), len(spelled[k]), float(adds[k]))
        for k in sorted(spelled, key=lambda k: -abs(float(adds[k])))
    ]
    return Score(text, small.classes[other], tuple(parts), float(logits[other] - logits[benign]))


def _spelled(text: str) -> dict[int, list[str]]:
    """Return the trigrams of a text by the row that they read, as often as they occur."""
    content, found = framed(text), dict[int, list[str]]()
    for at, row in enumerate(trigram_rows(content).tolist()):
        found.setdefault(row, []).append(content[at : at + 3].decode(errors="replace"))
    return found
