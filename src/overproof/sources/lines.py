"""Plain text, one event a line."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from overproof.event import Skipped
from overproof.sources.batch import BATCH_BYTES, event_batch
from overproof.sources.interface import Columns, Input, OnSkip, require
from overproof.sources.stream import LONGEST, decoded, lines, shown


def read_lines(
    source: Input, columns: Columns, *, on_skip: OnSkip, batch_rows: int, extra: bool
) -> Iterator[pa.RecordBatch]:
    """Read plain lines; see `interface.Source`. Empty lines are no events; lines have no further columns."""
    require(columns.named, (), f"{source.name}: plain lines of text")

    def batch() -> pa.RecordBatch:
        blank = (None,) * len(texts)
        return event_batch(source.name, places, (texts, blank, blank, blank, blank))

    texts: list[str] = []
    places: list[int] = []
    size = 0
    for number, line in lines(source, on_skip):
        line = line.removesuffix(b"\r")
        if len(line) > LONGEST:
            on_skip(Skipped("longer than 16 MiB", f"{source.name}:{number}", shown(line)))
        elif line:
            texts.append(decoded(line))
            places.append(number)
            size += len(line)
            if len(texts) >= batch_rows or size >= BATCH_BYTES:
                yield batch()
                texts, places, size = [], [], 0
    if texts:
        yield batch()
