"""Read plain lines, one event a line."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from overproof.events.schema import Skipped
from overproof.events.sources.batch import batched, event_batch
from overproof.events.sources.interface import Input, OnSkip, ReadOptions, require
from overproof.events.sources.stream import LONGEST, decoded, excerpt, lines


def read_lines(source: Input, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Read plain lines; see `interface.Source`. Empty lines are no events; lines have no further columns."""
    require(options.columns.named, (), f"{source.name}: plain lines of text")

    def batch(places: list[int], texts: list[str]) -> pa.RecordBatch:
        blank = (None,) * len(texts)
        return event_batch(source.name, places, (texts, blank, blank, blank, blank))

    rows = (line and (line[0], len(line[1]), decoded(line[1])) for line in filled_lines(source, options.on_skip))
    yield from batched(rows, options.batch_rows, batch)


def filled_lines(source: Input, on_skip: OnSkip) -> Iterator[tuple[int, bytes] | None]:
    """Yield the lines that are not empty nor too long, without their line ending; see `stream.lines`."""
    for item in lines(source, on_skip):
        if item is None:
            yield None
            continue
        number, line = item[0], item[1].removesuffix(b"\r")
        if len(line) > LONGEST:
            on_skip(Skipped("longer than 16 MiB", f"{source.name}:{number}", excerpt(line)))
        elif line:
            yield number, line
