"""Define an engine: events in, the same events with a model's scores out, in their order.

Whoever scores, the rest of triage runs in one process over this stream, so that verdicts cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import pyarrow as pa

from overproof.bundle.scores import Scorer, Scores

Scored = tuple[pa.RecordBatch, Scores]


class Engine(Protocol):
    """Scores batches of events.

    Yields every batch that `batches` yields, once, in that order, with the scores of its events. A batch comes out
    as soon as it and those before it are scored, even while `batches` waits for more input. Whoever may stop early
    closes the iterator (`contextlib.closing`), which ends whatever runs elsewhere.
    """

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[Scored]: ...


def score_batch(scorer: Scorer, texts: Sequence[str]) -> Scores:
    """Scores of texts, in their order; a text that stands there more than once is scored once: logs repeat themselves.

    One text's scores do not depend on the others (`runtime.batches` runs windows of one length together and pads
    none), so this is what `scorer.score(texts)` gives.
    """
    places: dict[str, int] = {}
    rows = np.array([places.setdefault(text, len(places)) for text in texts], dtype=np.intp)
    scores = scorer.score(list(places))
    if len(places) == len(texts):
        return scores
    return scores.take(rows)


def texts_of(batch: pa.RecordBatch) -> list[str]:
    """Return the texts of a batch of events."""
    texts: list[str] = batch.column("text").to_pylist()
    return texts


def packed(batch: pa.RecordBatch) -> bytes:
    """Pack a batch as an Arrow IPC stream, for another process; pickle would take along the table it is cut from."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def unpacked(content: bytes) -> pa.RecordBatch:
    """Unpack the batch that `packed` packed."""
    with pa.ipc.open_stream(content) as stream:
        return stream.read_next_batch()


def named(batch: pa.RecordBatch) -> str:
    """Name a batch in a message: where its first and its last event were read, and how many they are."""
    origins = batch.column("origin")
    return f"{origins[0]} to {origins[-1]} ({batch.num_rows} events)" if batch.num_rows else "an empty batch"
