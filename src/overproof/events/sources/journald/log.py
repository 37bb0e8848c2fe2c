"""Parse `journalctl -o json`, one entry a line, also as `json-seq` and `json-sse` frame it."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from overproof.events.sources.interface import Input, ReadOptions
from overproof.events.sources.journald.records import to_event
from overproof.events.sources.json_record import record_of
from overproof.events.sources.structured import LineFormat, Parsed, read_structured


def read_json(source: Input, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Read the journal as JSON lines; see `interface.Source`."""
    yield from read_structured(source, options, LineFormat("a journal", _parse))


def unframed(line: bytes) -> bytes:
    """Remove what stands before an object: a record separator (RFC 7464), or `data:` of server-sent events."""
    return line.removeprefix(b"\x1e").removeprefix(b"data:")


def _parse(number: int, line: bytes) -> Iterator[Parsed]:
    line = unframed(line)
    if not line.strip():
        return
    record = record_of(line)
    yield record if isinstance(record, str) else to_event(record)
