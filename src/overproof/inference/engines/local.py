"""Score events in this process."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from overproof.bundle.scores import Scorer
from overproof.inference.engines.interface import Engine, Scored, score_batch, texts_of


def in_process(scorer: Scorer) -> Engine:
    """Make an engine that scores each batch when it is asked for; it reads no batch ahead."""

    def engine(batches: Iterator[pa.RecordBatch]) -> Iterator[Scored]:
        for batch in batches:
            yield batch, score_batch(scorer, texts_of(batch))

    return engine
