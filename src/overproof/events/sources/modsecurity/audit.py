"""Read either form of an audit log."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from overproof.events.sources.interface import Input, ReadOptions
from overproof.events.sources.modsecurity.log import read_json
from overproof.events.sources.modsecurity.serial import read_serial


def read_modsecurity(source: Input, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Read an audit log; see `interface.Source`."""
    yield from (read_json if source.head.lstrip().startswith(b"{") else read_serial)(source, options)
