"""Parse Windows events as JSON, one a line, or as XML."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from overproof.events.sources.interface import Input, ReadOptions
from overproof.events.sources.structured import LineFormat, Parsed, read_structured
from overproof.events.sources.windows.records import to_event
from overproof.events.sources.windows.shapes import windows_event
from overproof.events.sources.windows.xml import looks_like, read_xml


def read_windows(source: Input, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Read Windows events as JSON lines or XML; see `interface.Source`."""
    if looks_like(source.head):
        yield from read_xml(source, options)
        return
    yield from read_structured(source, options, LineFormat("a Windows event log", _parse))


def _parse(number: int, line: bytes) -> Iterator[Parsed]:
    if not line.strip():
        return
    event = windows_event(line)
    yield event if isinstance(event, str) else to_event(event)
