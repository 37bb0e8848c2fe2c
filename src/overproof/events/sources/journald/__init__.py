"""Read what journalctl writes: `log.py` its JSON, `export.py` its export format; `records.py` makes events of both."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from overproof.events.sources.interface import Input, ReadOptions
from overproof.events.sources.journald.export import read_export
from overproof.events.sources.journald.log import read_json, unframed

__all__ = ["read_journald"]


def read_journald(source: Input, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Read a journal; see `interface.Source`."""
    is_json = unframed(source.head.lstrip()).lstrip().startswith(b"{")
    yield from (read_json if is_json else read_export)(source, options)
