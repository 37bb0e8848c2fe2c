"""Write an index's files, a block of distinct events at a time."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from overproof.bundle.tiers import Student
from overproof.inference.similarity.integers import numbers, rounded
from overproof.inference.similarity.store import COUNTS, EMBEDDINGS, EVENTS

ROWS = 4096  # distinct events of one block, which is one row group of the file of events
KEPT = ("text", "label", "family", "origin")
SCHEMA = pa.schema([("text", pa.large_string()), *((name, pa.string()) for name in KEPT[1:])])


class Writer:
    """Writes embeddings and events; how often each event came is kept in memory, with its hash, until the end.

    Use it as a context manager: what is written is complete when the block has ended without an error.

    Attributes
    ----------
    events, rows
        Events added so far; the distinct ones among them.
    """

    def __init__(self, folder: Path, scorer: Student) -> None:
        self.events = 0
        self._folder, self._scorer = folder, scorer
        self._counts: list[int] = []
        self._places: dict[bytes, int] = {}
        self._waiting: list[tuple[str | None, ...]] = []
        self._embeddings = (folder / EMBEDDINGS).open("wb")
        self._events = (folder / EVENTS).open("wb")
        self._table = pq.ParquetWriter(self._events, SCHEMA, compression="zstd")

    @property
    def rows(self) -> int:
        """Distinct events so far: by text, label and family."""
        return len(self._counts)

    def add(self, batch: pa.RecordBatch) -> None:
        """Count a batch's events; those that are new wait until there is a block of them."""
        self.events += batch.num_rows
        for row in zip(*(batch.column(name).to_pylist() for name in KEPT), strict=True):
            key = hashlib.blake2b(repr(row[:3]).encode("utf-8", "backslashreplace"), digest_size=16).digest()
            place = self._places.setdefault(key, self.rows)
            if place < self.rows:
                self._counts[place] += 1
                continue
            self._counts.append(1)
            self._waiting.append(row)
            if len(self._waiting) == ROWS:
                self._write()

    def _write(self) -> None:
        if not self._waiting:
            return
        texts, *others = (list(values) for values in zip(*self._waiting, strict=True))
        self._embeddings.write(rounded(numbers(self._scorer.embed(texts))).tobytes())
        arrays = [pa.array(values, field.type) for values, field in zip((texts, *others), SCHEMA, strict=True)]
        self._table.write_table(pa.Table.from_arrays(arrays, schema=SCHEMA))
        self._waiting.clear()

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._write()
                np.save(self._folder / COUNTS, np.array(self._counts, dtype=np.int64))
        finally:
            try:
                self._table.close()
            finally:
                self._table.is_open = False  # else it tries once more when it is collected, and says on stderr why not
                self._events.close()
                self._embeddings.close()
