"""Write an index's files: events as they come, a block at a time; embeddings when all are known, kind by kind."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from overproof.bundle.scores import Floats
from overproof.bundle.tiers import Student
from overproof.events.templates import kind_of
from overproof.events.templates.kinds import KINDS
from overproof.inference.similarity.integers import numbers, rounded
from overproof.inference.similarity.space import SAMPLED, Space, fit_space
from overproof.inference.similarity.spelling import WIDTH, Sums, spelling
from overproof.inference.similarity.store import COUNTS, EVENTS, OF_KIND, SPACE, embeddings_name, spellings_name

ROWS = 4096  # distinct events of one block, which is one row group of the file of events
PLACED = 4096  # of one step of placing them; the space must not hang on how they came
KEPT = ("text", "label", "family", "origin")
SCHEMA = pa.schema([("text", pa.large_string()), *((name, pa.string()) for name in KEPT[1:])])
_SEEN, _SPELLED = "seen.f32", "spelled.i16"  # until they are placed


class Writer:
    """Writes events; how often each came, its kind and its name are kept in memory, with its hash, until the end.

    Use it as a context manager: what is written is complete when the block has ended without an error.

    Attributes
    ----------
    events, rows
        Events added so far; the distinct ones among them.
    space
        Where they are placed; there is one once all is written.
    """

    space: Space

    def __init__(self, folder: Path, scorer: Student) -> None:
        self.events = 0
        self._folder, self._scorer = folder, scorer
        self._counts = array("q")
        self._kinds, self._names = array("B"), array("l")
        self._name_codes: dict[str | None, int] = {None: -1}
        self._places: dict[bytes, int] = {}
        self._waiting: list[tuple[str | None, ...]] = []
        self._seen, self._spelled = ((folder / name).open("wb") for name in (_SEEN, _SPELLED))
        self._events = (folder / EVENTS).open("wb")
        self._table = pq.ParquetWriter(self._events, SCHEMA, compression="zstd")

    @property
    def rows(self) -> int:
        """Distinct events so far: by text, label and family."""
        return len(self._counts)

    @property
    def kinds(self) -> dict[str, int]:
        """Distinct events of each kind that there is."""
        counted = np.bincount(np.frombuffer(self._kinds, np.uint8), minlength=len(KINDS)).tolist()
        return {kind: count for kind, count in zip(KINDS, counted, strict=True) if count}

    def names_of(self, kind: str) -> NDArray[np.int64]:
        """Return a code of the family, else the label, of each of a kind's events in its order; -1 of those of none."""
        return np.array(self._names, dtype=np.int64)[self._of(kind)]

    def code_of(self, name: str | None) -> int:
        """Return the code of a name; -1 where no event has it."""
        return self._name_codes.get(name, -1)

    def holds(self, text: str, label: str | None, family: str | None) -> bool:
        """Tell whether an event was added."""
        return _key(text, label, family) in self._places

    def add(self, batch: pa.RecordBatch) -> None:
        """Count a batch's events; those that are new wait until there is a block of them."""
        self.events += batch.num_rows
        for row in zip(*(batch.column(name).to_pylist() for name in KEPT), strict=True):
            text, label, family, _ = row
            place = self._places.setdefault(_key(text, label, family), self.rows)
            if place < self.rows:
                self._counts[place] += 1
                continue
            self._counts.append(1)
            self._kinds.append(KINDS.index(kind_of(text)))
            self._names.append(self._name_codes.setdefault(family or label or None, len(self._name_codes) - 1))
            self._waiting.append(row)
            if len(self._waiting) == ROWS:
                self._write()

    def _write(self) -> None:
        if not self._waiting:
            return
        texts, *others = (list(values) for values in zip(*self._waiting, strict=True))
        self._seen.write(numbers(self._scorer.embed(texts)).tobytes())
        self._spelled.write(spelling(texts).tobytes())
        arrays = [pa.array(values, field.type) for values, field in zip((texts, *others), SCHEMA, strict=True)]
        self._table.write_table(pa.Table.from_arrays(arrays, schema=SCHEMA))
        self._waiting.clear()

    def _of(self, kind: str) -> NDArray[np.intp]:
        return np.flatnonzero(np.frombuffer(self._kinds, np.uint8) == KINDS.index(kind))

    def _place(self) -> None:
        """Fit the space to all events, and write where they lie, each kind's in a file of its own."""
        hidden = self._scorer.hidden
        assert hidden is not None
        seen = np.memmap(self._folder / _SEEN, np.float32, "r", shape=(self.rows, hidden))
        spelled = np.memmap(self._folder / _SPELLED, np.int16, "r", shape=(self.rows, WIDTH))

        def blocks(rows: NDArray[np.intp]) -> Iterator[tuple[Floats, Sums]]:
            for start in range(0, len(rows), PLACED):
                part = rows[start : start + PLACED]
                yield seen[part], spelled[part]

        drawn = np.linspace(0, self.rows - 1, min(self.rows, SAMPLED)).astype(np.intp)
        self.space = fit_space(hidden, blocks(np.arange(self.rows)), self.rows, lambda: (seen[drawn], spelled[drawn]))
        for kind in self.kinds:
            embedded, by_spelling = self._folder / embeddings_name(kind), self._folder / spellings_name(kind)
            with embedded.open("wb") as places, by_spelling.open("wb") as spelled_places:
                for embeddings, spellings in blocks(self._of(kind)):
                    places.write(rounded(self.space.place(embeddings, spellings)).tobytes())
                    spelled_places.write(rounded(self.space.spelled(spellings)).tobytes())
        (self._folder / SPACE).write_bytes(self.space.stored())

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        files = (self._events, self._seen, self._spelled)
        try:
            if error is None:
                self._write()
        finally:
            try:
                self._table.close()
            finally:
                self._table.is_open = False  # else it tries once more when it is collected, and says on stderr why not
                for file in files:
                    file.close()
        if error is None and self.rows:
            np.save(self._folder / COUNTS, np.array(self._counts, dtype=np.int64))
            np.save(self._folder / OF_KIND, np.array(self._kinds, dtype=np.uint8))
            self._place()
        for name in (_SEEN, _SPELLED):
            (self._folder / name).unlink()


def _key(text: str | None, label: str | None, family: str | None) -> bytes:
    content = repr((text, label, family)).encode("utf-8", "backslashreplace")
    return hashlib.blake2b(content, digest_size=16).digest()
